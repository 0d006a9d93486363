"""A checkpoint that was trained at one size: layers that are smaller are drawn at that size and brought back."""

from __future__ import annotations

import numpy as np
import pytest

import napari_s1omni
from napari_s1omni.engine.registry import describe
from napari_s1omni.engine.s1omni.editor.codec import VaeCodec
from napari_s1omni.engine.s1omni.engine import S1OmniEngine
from napari_s1omni.evaluation.datasets.benchmark import Case
from napari_s1omni.evaluation.datasets.scoring import _run
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.operations import segmentation
from napari_s1omni.operations.overlay import FILL
from napari_s1omni.planning import resolve as resolving
from napari_s1omni.planning.job import Job

QUICK = {"num_inference_steps": 1, "durable": False}


@pytest.fixture
def shapes(monkeypatch):
    """Sizes of what the engine saw and drew, call by call."""
    seen = {"think": [], "generate": [], "drawn": []}
    think, generate = S1OmniEngine.think, S1OmniEngine.generate

    def thinking(self, images, *rest):
        seen["think"].append(images.shape)
        return think(self, images, *rest)

    def generating(self, images, thoughts, sampling, noise):
        seen["generate"].append(images.shape)
        seen["drawn"] += [field.shape for field in noise]
        return generate(self, images, thoughts, sampling, noise)

    monkeypatch.setattr(S1OmniEngine, "think", thinking)
    monkeypatch.setattr(S1OmniEngine, "generate", generating)
    return seen


def noise(*shape):
    return (np.random.default_rng(3).random(shape) * 4000).astype(np.uint16)


def test_a_layer_of_240_px_is_one_native_tile(mmdit_folder, copy_of, shapes):
    engine = str(copy_of(mmdit_folder, engine={"tile_size": 320, "overlap": 64, "max_size": 640}))
    result = napari_s1omni.segment(noise(240, 240), prompt="nuclei", engine=engine, **QUICK)
    assert result.complete
    assert result.array.shape == (240, 240)
    assert shapes == {"think": [(1, 3, 320, 320)], "generate": [(1, 3, 320, 320)], "drawn": [(320, 320)]}
    assert any("240 x 240 px is resampled by 1.33 and drawn at 320 x 320 px" in note for note in result.plan.notes)
    assert "Scale: 1 px of the source is 1.333 tile px" in next(iter(result.thoughts.values())).prompt
    unlike = napari_s1omni.segment(noise(240, 240), prompt="nuclei", engine=engine, fit="tiles", **QUICK)
    assert unlike.plan.grid.tile_size == 320
    assert unlike.plan.fit is None


@pytest.mark.parametrize("think", ["per_tile", "per_region", "once", "off"])
def test_each_plane_of_a_small_stack_is_drawn_at_that_size(mmdit_folder, shapes, think):
    stack = noise(3, 23, 14)
    result = napari_s1omni.segment(stack, prompt="nuclei", engine=str(mmdit_folder), axes="zyx", think=think, **QUICK)
    assert result.complete
    assert result.array.shape == stack.shape
    assert not result.holes
    assert set(shapes["drawn"]) == {(32, 32)}
    assert len(shapes["drawn"]) == 3
    # What it thinks about is what it draws from.
    assert {shape[1:] for shape in shapes["think"]} <= {(3, 32, 32)}


@pytest.mark.parametrize(("size", "fit"), [((24, 24), "resize"), ((24, 15), "resize"), ((24, 15), "stretch")])
def test_masks_come_back_by_their_fields(mmdit_folder, monkeypatch, size, fit):
    """Here the codec gives back a half-transparent red disc at a known place, whatever was drawn."""
    scale = [32 / 24, 32 / (15 if fit == "stretch" else 24)]
    middle, radius = (11.0, 7.0), 4.5

    def decode(self, latent):
        y, x = np.ogrid[:32, :32]
        at = [(v + 0.5) / s - 0.5 - c for v, s, c in zip((y, x), scale, middle, strict=True)]
        red = np.clip(0.5 + radius - np.hypot(*at), 0, 1)
        out = latent.new_zeros(len(latent), 3, 32, 32)
        # The source is dark, so that its own redness is none.
        out[:, 0] = latent.new_tensor(red.astype(np.float32)) * 0.3
        return out

    monkeypatch.setattr(VaeCodec, "decode", decode)
    grey = np.zeros(size, np.uint16)
    grey[0, 0] = 1
    result = napari_s1omni.segment(
        grey, prompt="nuclei", engine=str(mmdit_folder), fit=fit, min_size=4, **{**QUICK, "think": "off"}
    )
    assert not result.holes
    labels = result.array[:]
    assert labels.max() == 1
    y, x = np.ogrid[: size[0], : size[1]]
    truth = np.hypot(y - middle[0], x - middle[1]) <= radius
    assert abs(int((labels > 0).sum()) - int(truth.sum())) <= 5
    assert ((labels > 0) & truth).sum() / ((labels > 0) | truth).sum() > 0.85


def test_super_resolution_of_a_small_layer(mmdit_folder, shapes):
    image = noise(12, 9)
    result = napari_s1omni.super_resolve(image, factor=2, engine=str(mmdit_folder), **QUICK)
    assert result.array.shape == (24, 18)
    assert shapes["generate"] == [(1, 3, 16, 16)]
    assert shapes["drawn"] == [(32, 32)]
    # A layer larger than the share of a native tile is drawn in such tiles.
    large = napari_s1omni.super_resolve(noise(40, 20), factor=2, engine=str(mmdit_folder), overlap=8, **QUICK)
    assert large.array.shape == (80, 40)
    assert set(shapes["drawn"]) == {(32, 32)}
    assert large.plan.grid.tile_size == 16


def test_unknown_pixels_of_a_fitted_layer_stay_unknown(mmdit_folder):
    image = noise(12, 12).astype(np.float32)
    image[3:5, 3:5] = np.nan
    result = napari_s1omni.super_resolve(image, factor=2, engine=str(mmdit_folder), **QUICK)
    lost = np.isnan(result.array[:])
    assert lost[6:10, 6:10].all()
    assert lost.sum() == 16


def test_a_region_of_a_fitted_layer_is_a_crop_of_the_whole(mmdit_folder):
    image = noise(24, 20)
    engine = str(mmdit_folder)
    whole = napari_s1omni.translate(image, target="DAPI", engine=engine, **QUICK)
    part = napari_s1omni.translate(image, target="DAPI", engine=engine, region="y=3:17,x=4:20", **QUICK)
    np.testing.assert_array_equal(part.array[:], whole.array[3:17, 4:20])


@pytest.mark.parametrize("operation", [{"type": "segmentation"}, {"type": "super_resolution", "factor": 2}])
def test_a_result_of_an_earlier_version_goes_on_as_it_was_begun(mmdit_folder, tmp_path, monkeypatch, operation):
    np.save(tmp_path / "small.npy", noise(24, 20))
    job = Job.read(
        {"source": str(tmp_path / "small.npy"), "operation": operation, "engine": str(mmdit_folder)}
        | {"output": str(tmp_path / "result.zarr"), "sampling": {"num_inference_steps": 1}}
    )
    with monkeypatch.context() as earlier:
        earlier.setattr(resolving, "choose_fit", lambda *rest: None)
        earlier.setattr(resolving, "native_share", lambda engine, zoom: (engine.tile_size, 16))
        earlier.setattr(segmentation, "FILL_AND_LINE", FILL)
        begun = napari_s1omni.run(job, durable=False)
    plan = prepare(job).plan
    assert plan.digest == begun.plan.digest
    assert "Tiles are drawn at the size with which this result was begun." in plan.notes
    assert plan.instruction.mark == begun.plan.instruction.mark == (FILL if plan.target.kind == "labels" else None)
    assert napari_s1omni.run(job, durable=False).complete
    assert prepare(job.replace(output=str(tmp_path / "new.zarr"))).plan.drawn_shape == (32, 32)


def test_benchmarks_show_images_as_the_released_program_does(mmdit_folder, shapes):
    class Made:
        operation = "segmentation"

    case = Case("one", "all", noise(40, 70), np.zeros((40, 70), np.uint8), {"prompt": "nuclei"})
    found = _run(Made(), case, str(mmdit_folder), "stretch")
    assert found.shape == (40, 70)
    assert shapes["drawn"] == [(32, 32)]


def test_a_description_says_at_which_size_it_was_trained(mmdit_folder, unet_folder, copy_of):
    assert describe(str(mmdit_folder)).native.edge == 32
    assert describe(str(unet_folder)).native is None
    stated = {"native": {"edge": 64, "keeps_aspect": True, "smaller": "drawn"}}
    native = describe(str(copy_of(unet_folder, engine=stated))).native
    assert (native.edge, native.keeps_aspect, native.smaller) == (64, True, "drawn")
    # It is no part of what a result must agree in.
    assert "native" not in str(describe(str(mmdit_folder)).to_json())


@pytest.mark.parametrize("shape", [(2, 100), (1, 1), (32, 1)])
def test_narrow_layers_are_drawn(mmdit_folder, shape):
    """Such as 5 x 5000 px: larger than a tile, or of another aspect than any that was trained."""
    result = napari_s1omni.segment(noise(*shape), prompt="nuclei", engine=str(mmdit_folder), fit="resize", **QUICK)
    assert result.complete
    assert result.array.shape == shape
    assert not result.holes
    assert (result.plan.fit is None) == (max(shape) > 32)
