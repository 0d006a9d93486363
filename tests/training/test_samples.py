"""Samples: request, truth and target match."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.s1omni.checkpoint.config import ObjectScaling
from napari_s1omni.training.data.crops import apply_symmetry
from napari_s1omni.training.data.pool import prepare, simulated_fields
from napari_s1omni.training.data.resampling import resize_labels, upsample
from napari_s1omni.training.data.sampler import Sampler
from napari_s1omni.training.data.samples import Mixture
from napari_s1omni.training.prompts.numbers import nearest_trace_number
from napari_s1omni.training.prompts.traces import measure_objects, parse_trace


@pytest.fixture(scope="module")
def scenes():
    return [prepare(field) for field in simulated_fields(21, 40)]


def test_truth_describes_the_target(scenes):
    sampler = Sampler([], scenes, Mixture(simulated=1, super_resolution=0, translation=0), 3)
    for _ in range(40):
        sample = sampler.draw(128)
        assert sample.source.shape == sample.target.shape == (3, 128, 128)
        assert 0 <= sample.source.min() <= sample.source.max() <= 1
        foreground, interior, distance = sample.target
        assert np.array_equal(foreground > 0, sample.instances > 0)
        assert (interior <= foreground).all()
        assert distance.max() <= 1
        reading = parse_trace(sample.truth.trace)
        assert reading.count == nearest_trace_number(measure_objects(sample.instances)[2])
        assert Instruction.read(sample.instruction).task == "segmentation"


def test_one_tile_and_two_requests_give_two_targets(scenes):
    sampler = Sampler([], scenes, Mixture(augment=False), 3)
    scene = next(s for s in scenes if s.field.dataset == "polarities")
    first, second = (sampler.segmentation(scene, 256, at) for at in (0, 1))
    assert np.array_equal(first.source, second.source)
    assert not ((first.target[0] > 0) & (second.target[0] > 0)).any()
    assert first.instruction != second.instruction
    assert first.truth.bright
    assert not second.truth.bright


def test_objects_are_drawn_at_one_size_and_described_at_their_own(scenes):
    """The texts are those of the tile on its own grid; the target lies on the drawing grid."""
    how = ObjectScaling(drawn=16)
    scene = max(scenes, key=lambda s: measure_objects(s.field.layers[0].labels)[1])
    plain, scaled = (Sampler([], scenes, Mixture(augment=False, object_size=o), 3) for o in (None, how))
    own, drawn = plain.segmentation(scene, 256, 0), scaled.segmentation(scene, 128, 0)
    assert drawn.target.shape == (3, 128, 128)
    assert Instruction.read(drawn.instruction).tile == Instruction.read(own.instruction).tile == (256, 256)
    assert drawn.truth.size == pytest.approx(own.truth.size, rel=0.05)
    assert measure_objects(drawn.instances)[1] == pytest.approx(own.truth.size / 2, rel=0.05)
    assert drawn.truth.count == pytest.approx(own.truth.count, abs=1)


@pytest.mark.parametrize("edge", [32, 64, 256])
def test_restoration_tiles_have_all_sizes_and_some_are_uniform(scenes, edge):
    sharp = [replace(s, field=replace(s.field, detail=True)) for s in scenes if len(s.image) == 1]
    tiles = [Sampler(sharp, scenes, Mixture(), seed).restoration(edge) for seed in range(60)]
    assert {tile.source.shape for tile in tiles} == {(3, edge, edge)}
    for tile in tiles:
        words = Instruction.read(tile.instruction)
        assert words.task == "super_resolution"
        assert words.tile == (edge, edge)
        assert parse_trace(tile.truth.trace).noise == (tile.truth.noise or "low")
    assert any(not tile.layers and tile.blur is None for tile in tiles)


def test_kinds_of_scenes_can_be_weighted(scenes):
    weighted = Sampler(
        [], scenes, Mixture(simulated=1, super_resolution=0, translation=0, scene_weights=(("axons", 1e6),)), 0
    )
    assert {weighted.draw(64).truth.target for _ in range(20)} <= {"axons", "fibers"}


def test_super_resolution_starts_from_fewer_px(scenes):
    sharp = [replace(s, field=replace(s.field, detail=True)) for s in scenes if len(s.image) == 1]
    sample = Sampler(sharp, [], Mixture(augment=False), 0).super_resolution(sharp[0], 128, 4)
    assert sample.source.shape == (3, 32, 32)
    assert sample.base.shape == sample.target.shape == (3, 128, 128)
    assert "Factor: 4 x 4" in sample.instruction
    assert np.corrcoef(sample.base.ravel(), sample.target.ravel())[0, 1] > 0.5


def test_upsampling_keeps_a_constant_and_the_scale():
    assert np.allclose(upsample(np.full((1, 8, 8), 0.3, np.float32), 2), 0.3)
    assert upsample(np.zeros((3, 8, 10), np.float32), 2).shape == (3, 16, 20)


def test_labels_are_never_mixed_when_resampled():
    labels = np.arange(16, dtype=np.uint16).reshape(4, 4)
    assert set(np.unique(resize_labels(labels, 7))) <= set(range(16))


def test_eight_symmetries_give_eight_images(scenes):
    sample = Sampler([], scenes, Mixture(augment=False), 0).segmentation(scenes[0], 64, 0)
    turns = {apply_symmetry(sample, i).source.tobytes() for i in range(8)}
    assert len(turns) == 8
