"""Objects are drawn at the scale that their stated size needs, and resized back to the tile."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tiny_checkpoints import instruction

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.engine.s1omni import load
from napari_s1omni.engine.s1omni.checkpoint.config import ObjectScaling
from napari_s1omni.engine.s1omni.editor.object_scaling import (
    best_scale,
    drawing_size,
    measured_diameter,
    resize,
    second_drawing_size,
)

HOW = ObjectScaling(drawn=16, stated=r"(\d+) px", second_drawing=None)
SAMPLING = Sampling(seed=5, num_inference_steps=2)


@pytest.fixture(scope="module")
def engine(unet_folder):
    return load(str(unet_folder))


@pytest.mark.parametrize(
    ("diameter", "scale"), [(4, 2.0), (9, 2.0), (12, 1.5), (14, 1.0), (16, 1.0), (22, 0.75), (30, 0.5), (90, 0.5)]
)
def test_the_scale_brings_objects_near_the_size_drawn_best(diameter, scale):
    assert best_scale(diameter, HOW) == scale


@pytest.mark.parametrize(
    ("text", "shape", "grid"),
    [
        ("size 8 px", (256, 192), (512, 384)),
        ("size 11 px", (256, 192), (384, 288)),
        ("size 21 px", (256, 128), (192, 96)),
        ("size 60 px", (256, 256), (128, 128)),
        ("size 60 px", (32, 32), (32, 32)),
        ("size 0 px", (256, 256), (256, 256)),
        ("no size", (256, 256), (256, 256)),
        ("size 8 px", (1024, 1024), (1024, 1024)),
    ],
)
def test_the_drawing_size_is_the_scaled_tile_in_allowed_multiples(text, shape, grid):
    assert drawing_size(text, shape, HOW, 32, 1024) == grid


def test_resizing_back_restores_a_tile():
    rows, cols = np.mgrid[:64, :64] / 64
    waves = torch.from_numpy(np.sin(6 * rows) * np.cos(4 * cols))[None, None].float()
    assert resize(waves, (64, 64)) is waves
    for edge in (32, 96):
        there = resize(waves, (edge, edge))
        assert there.shape == (1, 1, edge, edge)
        off = (resize(there, (64, 64)) - waves).abs()
        assert float(off[..., 2:-2, 2:-2].max()) < 0.02


def test_noise_at_another_scale_covers_the_same_place():
    field = NoiseField(3, (0, 0), (256, 192), (64, 64))
    assert field.on_grid((64, 64), 4) is field
    assert field.on_grid((32, 96), 4) == NoiseField(3, (0, 0), (128, 288), (32, 96))


def _use(engine, monkeypatch, how):
    denoising = engine._config.denoising.model_copy(update={"object_size": how})
    monkeypatch.setattr(engine, "_config", engine._config.model_copy(update={"denoising": denoising}))


def _saying(text, task="segmentation"):
    return Thought(text, (), "<image_edit>", instruction(task).text)


def _noise(count):
    return [NoiseField(5, (0, 0), (0, 64 * i), (64, 64)) for i in range(count)]


@pytest.fixture
def large(tiles):
    return np.ascontiguousarray(np.kron(tiles, np.ones((1, 1, 2, 2), np.float32)))


def test_the_editor_draws_at_the_scale_of_the_stated_size(engine, large, monkeypatch):
    _use(engine, monkeypatch, HOW)
    denoiser, seen = engine._models.denoiser, []

    def predict(self, noisy, level, source, states, mask):
        seen.append(tuple(source.shape))
        return torch.zeros_like(noisy)

    monkeypatch.setattr(type(denoiser), "predict", predict)
    sizes = ("11 px", "16 px", "60 px")
    drawn = engine.generate(large[:3], [_saying(size) for size in sizes], SAMPLING, _noise(3))
    assert drawn.shape == (3, 3, 64, 64)
    downscale, rows = engine._models.codec.downscale, engine._models.thinker.micro_batch
    # The finer grid is drawn in batches of fewer rows: it takes the room of more tiles.
    expected = {(96 // downscale, rows * 64**2 // 96**2), (64 // downscale, rows), (32 // downscale, rows)}
    assert {(shape[-1], shape[0]) for shape in seen} == expected
    seen.clear()
    engine.generate(large[:1], [_saying("8 px", "modality_translation")], SAMPLING, _noise(1))
    assert {shape[-1] for shape in seen} == {64 // downscale}


def test_stated_size_changes_pixels_and_tiles_alone_are_the_same(engine, large, monkeypatch):
    thoughts = [_saying(f"<think>{size} px</think>\nok<image_edit>") for size in (8, 16, 60, 60)]
    plain = engine.generate(large, thoughts, SAMPLING, _noise(4))
    _use(engine, monkeypatch, HOW)
    together = engine.generate(large, thoughts, SAMPLING, _noise(4))
    for i in range(4):
        alone = engine.generate(large[i : i + 1], [thoughts[i]], SAMPLING, _noise(4)[i : i + 1])
        assert np.array_equal(alone[0], together[i])
    changed = [float(np.abs(a - b).max()) for a, b in zip(plain, together, strict=True)]
    assert changed[1] == 0
    assert min(changed[0], changed[2], changed[3]) > 1e-4


def _discs(diameter, edge=128):
    """Fields of discs whose interior is one pixel smaller all around."""
    y, x = np.mgrid[:edge, :edge] % (2 * diameter) - diameter + 0.5
    radius = np.hypot(y, x)
    return np.stack([radius <= diameter / 2, radius <= diameter / 2 - 1, radius < 0]).astype(np.float32)


@pytest.mark.parametrize("diameter", [8, 16, 31])
def test_the_size_of_drawn_objects_is_measured(diameter):
    assert measured_diameter(_discs(diameter)) == pytest.approx(diameter, rel=0.05)


def test_few_objects_have_no_size():
    assert measured_diameter(_discs(64)) is None
    assert measured_diameter(np.zeros((3, 64, 64), np.float32)) is None


@pytest.mark.parametrize(
    ("stated", "size"),
    [("16 px", None), ("14 px", None), ("8 px", (128, 128)), ("40 px", (128, 128)), ("no size", None), ("0 px", None)],
)
def test_objects_of_another_size_are_drawn_again(stated, size):
    how = ObjectScaling(drawn=16, stated=r"(\d+) px", second_drawing=1.25)
    assert second_drawing_size(_discs(16), stated, (128, 128), how, 32, 1024) == size
    assert second_drawing_size(_discs(16), stated, (128, 128), HOW, 32, 1024) is None


def test_a_second_drawing_has_the_scale_of_what_was_drawn(engine, large, monkeypatch):
    fields = torch.from_numpy(_discs(8, 64))[None]
    codec, sizes = engine._models.codec, []
    monkeypatch.setattr(type(codec), "decode", lambda self, latent: _decoded(latent, fields, codec.downscale, sizes))
    _use(engine, monkeypatch, HOW.model_copy(update={"second_drawing": 1.25}))
    own = [_saying("8 px"), _saying("16 px"), _saying("16 px")]
    thoughts = [dataclasses.replace(thought, token_ids=(5, 6)) for thought in own]
    encoding = engine._config.engine.model_copy(update={"encoding": "fields"})
    monkeypatch.setattr(engine, "_config", engine._config.model_copy(update={"engine": encoding}))
    drawn = engine.generate(large[:3], thoughts, SAMPLING, _noise(3))
    # Discs of 8 px are drawn best at twice the scale: the first at once, two in a second drawing, one tile a batch.
    assert sizes == [128, 64, 128, 128]
    alone = engine.generate(large[1:2], thoughts[1:2], SAMPLING, _noise(3)[1:2])
    assert np.array_equal(alone[0], drawn[1])
    # A size that a person wrote into the thought or the request is kept.
    said = dataclasses.replace(thoughts[1], prompt=instruction("segmentation", "segment the cells, about 16 px").text)
    sizes.clear()
    engine.generate(large[:2], [own[1], said], SAMPLING, _noise(2))
    assert set(sizes) == {64}


def _decoded(latent, fields, downscale, sizes):
    edge = latent.shape[-1] * downscale
    sizes.append(edge)
    return resize(fields, (edge, edge)).expand(len(latent), -1, -1, -1)


@pytest.mark.parametrize(
    "wrong", [{"second_drawing": 1}, {"stated": "size px"}, {"stated": "size ("}, {"scales": ()}, {"drawn": 0}]
)
def test_an_invalid_configuration_is_refused(wrong):
    with pytest.raises(ValidationError):
        ObjectScaling.model_validate(wrong)
