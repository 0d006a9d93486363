"""Transparent pixels are background: in every container, type and operation."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import napari_s1omni
from napari_s1omni.storage import transparency
from napari_s1omni.storage.normalization_estimate import estimate_normalization
from napari_s1omni.storage.source import open_source
from napari_s1omni.storage.transparency import Transparency, measure_transparency

RNG = np.random.default_rng(0)


def slide(dtype="u1", bright=True):
    """A picture of (60, 80, 4) whose upper third is transparent and holds black."""
    top = {"u1": 255, "u2": 65535, "f4": 1.0}[dtype]
    level = (0.75, 0.9) if bright else (0.02, 0.1)
    picture = (RNG.uniform(*level, (60, 80, 4)) * top).astype(dtype)
    picture[30:40, 20:50, :3] = (np.array([0.4, 0.3, 0.6]) * top).astype(dtype)
    picture[..., 3] = top
    picture[:20] = 0
    return picture


def containers(picture, path):
    yield picture
    yield da.from_array(picture, chunks=(16, 16, 4))
    np.save(path / "a.npy", picture)
    yield path / "a.npy"
    zarr.create_array(path / "a.zarr", data=picture, chunks=(16, 16, 4))
    yield path / "a.zarr"
    tifffile.imwrite(path / "a.tif", picture, photometric="rgb", extrasamples=["unassalpha"], tile=(16, 16))
    yield path / "a.tif"
    if picture.dtype == np.uint8:
        Image.fromarray(picture).save(path / "a.png")
        yield path / "a.png"


@pytest.mark.parametrize("bright", [True, False])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_every_container_shows_the_background_behind_transparent_pixels(tmp_path, dtype, bright):
    picture = slide(dtype, bright)
    opaque = np.moveaxis(picture[20:, :, :3], -1, 0)
    for stored in containers(picture, tmp_path):
        source = open_source(stored)
        pixels = source.read()
        np.testing.assert_array_equal(pixels[:, 20:], opaque)
        behind = pixels[:, :20]
        assert (behind == behind[:, :1, :1]).all()
        middle = np.median(opaque)
        assert (behind >= middle).all() if bright else (behind <= middle).all()
        np.testing.assert_array_equal(source.transparent(), picture[..., 3] == 0)
        box = (slice(1, 3), slice(10, 30), slice(5, 9))
        np.testing.assert_array_equal(source.read(box), pixels[box])
        assert source.transparent((slice(0, 1), slice(20, 30), slice(0, 9))) is None
        assert any("33.3% of the pixels are transparent" in note for note in source.notes)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["u1", "u2", "f4"]))
def test_opaque_pictures_do_not_change(seed, dtype):
    rng = np.random.default_rng(seed)
    picture = (rng.random((12, 14, 4)) * 200).astype(dtype)
    picture[..., 3] = 255 if dtype != "u2" else 4095
    source = open_source(picture)
    np.testing.assert_array_equal(source.read(), np.moveaxis(picture[..., :3], -1, 0))
    assert source.transparent() is None
    assert source.fingerprint() == open_source(picture[..., :3]).fingerprint()


@pytest.mark.parametrize("fill", [0, None])
def test_a_sample_that_is_no_transparency_is_left_out(fill):
    picture = slide()
    picture[..., 3] = RNG.integers(0, 255, (60, 80)) if fill is None else fill
    source = open_source(picture)
    np.testing.assert_array_equal(source.read(), np.moveaxis(picture[..., :3], -1, 0))
    assert source.transparent() is None
    assert any("the alpha channel" in note and "left out" in note for note in source.notes)


def test_half_transparent_pixels_are_mixed_and_nan_behind_nothing_is_no_pixel():
    colours = np.full((3, 2, 2), 100.0, np.float32)
    colours[:, 0, 0] = np.nan
    alpha = np.array([[0.0, 0.5], [1.0, 1.0]])
    found, _ = measure_transparency([(colours[:, 1:], alpha[1:]), (colours[:, :1], alpha[:1])], whole=True)
    found = type(found)(found.opaque, (200.0,) * 3)
    mixed = found.blend(colours, alpha, 0, slice(0, 3))
    np.testing.assert_array_equal(mixed[0], [[200, 150], [100, 100]])


def test_grey_with_transparency_takes_the_median(tmp_path):
    grey = RNG.integers(50, 60, (40, 50), np.uint8)
    alpha = np.where(np.arange(40)[:, None] < 10, 0, 255) * np.ones((1, 50))
    Image.fromarray(np.dstack([grey, alpha.astype("u1")])).save(tmp_path / "a.png")
    source = open_source(tmp_path / "a.png")
    assert source.spec.axes == ("y", "x")
    assert (source.read()[:10] == np.median(grey[10:])).all()
    np.testing.assert_array_equal(source.read()[10:], grey[10:])


def test_transparent_pixels_are_not_measured():
    deep = slide("u2")
    assert estimate_normalization(open_source(deep)).low == estimate_normalization(open_source(deep[20:, :, :3])).low


def test_operations_find_nothing_in_transparent_pixels():
    picture = slide()
    options = {"engine": "reference", "tile_size": 64, "overlap": 16}
    for target in ("hematoxylin", "eosin", "DAB"):
        found = napari_s1omni.translate(picture, target=target, **options).array[...]
        assert abs(found[:18].mean()) < 0.1
    labels = napari_s1omni.segment(picture, prompt="bright cells, about 20 px", **options).array[...]
    assert not labels[:20].any()
    fine = napari_s1omni.super_resolve(picture, factor=2, **options).array[...]
    assert fine[:, :36].min() > 200


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 400), st.sampled_from([None, 0, 1]), st.integers(0, 2**32 - 1))
def test_blending_in_pieces_changes_nothing(piece, channel, seed):
    rng = np.random.default_rng(seed)
    shape = {None: (13, 7), 0: (3, 5, 13), 1: (2, 3, 13, 7)}[channel]
    pixels = rng.integers(0, 256, shape).astype(np.uint8)
    alpha = rng.integers(0, 256, [n for d, n in enumerate(shape) if d != channel]).astype(np.uint8)
    blend = Transparency(255, (10.0, 20.0, 30.0)[: 1 if channel is None else 3]).blend
    whole = blend(pixels, alpha, channel, slice(0, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transparency, "_BLENDED", piece)
        np.testing.assert_array_equal(blend(pixels, alpha, channel, slice(0, 3)), whole)
