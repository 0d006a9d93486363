"""A checkpoint behind the public functions: the run continues when a tile fails."""

from __future__ import annotations

import numpy as np
import pytest

import napari_s1omni
from napari_s1omni.engine.s1omni.editor.codec import VaeCodec
from napari_s1omni.engine.s1omni.editor.denoiser import UNetDenoiser
from napari_s1omni.engine.s1omni.thinker import decoding
from napari_s1omni.engine.s1omni.thinker.thinker import Thinker
from napari_s1omni.operations.overlay import FILL_AND_LINE

TILING = {"tile_size": 32, "overlap": 8, "num_inference_steps": 1}


@pytest.fixture(scope="module")
def picture():
    return (np.random.default_rng(3).random((80, 56)) * 4000).astype(np.uint16)


def _failed(result):
    return sum(record.tiles.get("failed", 0) for record in result.records)


def test_segmentation(unet_folder, picture):
    result = napari_s1omni.segment(picture, prompt="nuclei", engine=str(unet_folder), **TILING)
    assert result.array.shape == picture.shape
    assert result.complete
    assert _failed(result) == 0
    assert {t.route for t in result.thoughts.values()} == {"<image_edit>"}
    assert all(t.token_ids and t.prompt for t in result.thoughts.values())


def test_segmentation_by_an_overlay(mmdit_folder, picture):
    result = napari_s1omni.segment(picture, prompt="nuclei", engine=str(mmdit_folder), **{**TILING, "overlap": 16})
    assert result.array.shape == picture.shape
    assert result.complete
    assert _failed(result) == 0
    assert all(f"Mark: {FILL_AND_LINE}\n" in t.prompt for t in result.thoughts.values())


def test_a_red_overlay_on_the_source_is_an_object(mmdit_folder, monkeypatch):
    """Here the codec gives back a half-transparent red square, whatever was drawn."""

    def decode(self, latent):
        out = latent.new_zeros(len(latent), 3, 32, 32)
        out[:, 0, 8:24, 8:24] = 0.5
        return out

    monkeypatch.setattr(VaeCodec, "decode", decode)
    grey = np.linspace(0, 4000, 32 * 32).reshape(32, 32).astype(np.uint16)
    result = napari_s1omni.segment(grey, prompt="nuclei", engine=str(mmdit_folder), **{**TILING, "overlap": 16})
    assert _failed(result) == 0
    assert (result.array[8:24, 8:24] == 1).all()
    assert np.count_nonzero(result.array[:]) == 16 * 16


@pytest.mark.parametrize("folder", ["unet_folder", "mmdit_folder"])
def test_super_resolution(request, folder, picture):
    engine = str(request.getfixturevalue(folder))
    options = {**TILING, "overlap": 16}
    result = napari_s1omni.super_resolve(picture, factor=2, engine=engine, **options)
    assert result.array.shape == (160, 112)
    assert _failed(result) == 0
    again = napari_s1omni.super_resolve(picture, factor=2, engine=engine, **options)
    np.testing.assert_array_equal(result.array[:], again.array[:])


def test_thinking_off(unet_folder, picture):
    result = napari_s1omni.segment(picture, prompt="nuclei", engine=str(unet_folder), think="off", **TILING)
    assert _failed(result) == 0
    (thought,) = set(result.thoughts.values())
    assert "Request: nuclei" in thought.text


def test_a_tile_that_is_not_finite_is_recorded(unet_folder, picture, monkeypatch):
    bright = picture.copy()
    bright[:8, :8] = 4000
    real = UNetDenoiser.predict

    def predict(self, noisy, level, source, states, mask):
        out = real(self, noisy, level, source, states, mask)
        out[source[:, :, :2, :2].mean((1, 2, 3)) > 0.99] = float("nan")
        return out

    monkeypatch.setattr(UNetDenoiser, "predict", predict)
    result = napari_s1omni.segment(bright, prompt="nuclei", engine=str(unet_folder), **TILING)
    assert _failed(result) == 1
    assert sum(record.tiles.get("drawn", 0) for record in result.records) > 1
    assert any("not finite" in (record.message or "") for record in result.records)


def test_endless_thoughts_are_recorded(unet_folder, picture, monkeypatch):
    monkeypatch.setattr(decoding, "choose_tokens", lambda logits, choice, generators: [65] * len(logits))
    result = napari_s1omni.segment(picture, prompt="nuclei", engine=str(unet_folder), **TILING, max_new_tokens=40)
    assert _failed(result) > 1
    assert not result.array[:].any()
    assert any("repeating" in (record.message or "") for record in result.records)


def test_a_thought_without_a_route_is_recorded(unet_folder, picture, monkeypatch):
    real = Thinker._write

    def write(self, images, *arguments):
        rows, endings = real(self, images, *arguments)
        words = list(self.prompting.encode("nothing to draw here<|im_end|>"))
        # The tile in the corner, which alone is bright there, is answered in words.
        return [
            words if image[0, :4, :4].mean() > 0.99 else row for image, row in zip(images, rows, strict=False)
        ], endings

    bright = picture.copy()
    bright[:8, :8] = 4000
    monkeypatch.setattr(Thinker, "_write", write)
    result = napari_s1omni.segment(bright, prompt="nuclei", engine=str(unet_folder), **TILING)
    assert _failed(result) == 1
    assert sum(record.tiles.get("drawn", 0) for record in result.records) > 1
    assert any("no route" in (record.message or "") for record in result.records)


@pytest.mark.slow
def test_workers_draw_what_one_process_draws(unet_folder, picture, tmp_path):
    """With a seed that matters, in blocks that several processes take in an order of their own."""
    pytest.importorskip("distributed")
    np.save(tmp_path / "picture.npy", np.tile(picture, (2, 3)))
    options = {**TILING, "engine": str(unet_folder), "seed": 11, "block_size": 48}
    drawn = [
        napari_s1omni.super_resolve(
            str(tmp_path / "picture.npy"), str(tmp_path / f"{n}.zarr"), factor=2, **options, **how
        )
        for n, how in enumerate(({}, {"workers": 2}))
    ]
    assert len(drawn[0].records) > 4
    np.testing.assert_array_equal(drawn[0].array[:], drawn[1].array[:])
    assert {key: t.token_ids for key, t in drawn[0].thoughts.items()} == {
        key: t.token_ids for key, t in drawn[1].thoughts.items()
    }
