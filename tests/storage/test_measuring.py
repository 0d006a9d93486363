"""estimate_normalization: one pair per channel, from the whole layer, the same every time."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.storage import normalization_estimate
from napari_s1omni.storage.normalization_estimate import estimate_normalization
from napari_s1omni.storage.source import open_source

RNG = np.random.default_rng(0)


def test_percentiles_of_each_channel():
    pixels = RNG.normal(100, 10, (2, 100, 100)).astype(np.float32)
    pixels[1] *= 5
    found = estimate_normalization(open_source(pixels, axes="cyx"))
    for c in range(2):
        assert (found.low[c], found.high[c]) == pytest.approx(np.percentile(pixels[c], (0.1, 99.9)))
    assert found.sampled == 1.0
    assert "0.1 and 99.9" in found.note


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "uint64", "float16", "float64", "bool"])
def test_every_type_gives_a_usable_pair(dtype):
    found = estimate_normalization(open_source((RNG.random((50, 50)) * 100).astype(dtype)))
    assert found.low[0] < found.high[0]


def test_not_finite_px_are_counted_and_ignored():
    pixels = RNG.random((100, 100))
    clean = estimate_normalization(open_source(pixels.copy()))
    pixels[0, :3] = np.nan, np.inf, -np.inf
    found = estimate_normalization(open_source(pixels))
    assert found.nonfinite == 3
    assert "3 px are NaN or infinite" in found.note
    assert found.high == pytest.approx(clean.high, abs=1e-3)
    assert found.low[0] >= 0


def test_not_finite_px_become_the_median_so_they_are_ground():
    pixels = RNG.random((2, 100, 101)).astype(np.float32) + np.array([[[3]], [[7]]], np.float32)
    clean = estimate_normalization(open_source(pixels.copy(), axes="cyx"))
    assert clean.ground is None
    assert "ground" not in clean.to_json(), "a plan made before is still the same plan"
    lost = np.s_[:, 20:30, 5:15]
    pixels[lost] = np.nan
    pixels[:, 20, 5] = np.inf
    found = estimate_normalization(open_source(pixels, axes="cyx"))
    for c in range(2):
        assert found.ground[c] == np.median(pixels[c][np.isfinite(pixels[c])])
    assert Normalization.from_json(json.loads(json.dumps(found.to_json()))) == found
    shown = found.to_model(pixels)
    np.testing.assert_allclose(shown[lost], 0.5, atol=0.02)
    known = np.isfinite(pixels)
    plain = Normalization(found.low, found.high).to_model(pixels)
    np.testing.assert_array_equal(shown[known], plain[known])


def test_a_float_layer_that_is_not_read_whole_has_a_ground_for_what_may_be_there(monkeypatch):
    monkeypatch.setattr(normalization_estimate, "_BUDGET", 10_000)
    monkeypatch.setattr(normalization_estimate, "_PIECE", 1000)
    assert estimate_normalization(open_source(RNG.random((200, 200)))).ground is not None
    assert estimate_normalization(open_source(RNG.integers(0, 99, (200, 200)))).ground is None


@pytest.mark.parametrize("value", [0, 7, 255])
def test_constant_image_does_not_divide_by_zero(value):
    found = estimate_normalization(open_source(np.full((1, 30, 30), value, np.uint8)))
    assert (found.low, found.high) == ((value,), (value + 1,))
    assert "constant" in found.note
    np.testing.assert_array_equal(found.to_model(np.full((1, 3, 3), value, np.uint8)), 0)


def test_constant_beyond_the_steps_of_its_type():
    found = estimate_normalization(open_source(np.full((9, 9), 1e30)))
    assert found.high[0] > found.low[0]


def test_nothing_but_nan():
    found = estimate_normalization(open_source(np.full((9, 9), np.nan)))
    assert (found.low, found.high, found.nonfinite) == ((0.0,), (1.0,), 81)


def test_one_px():
    assert estimate_normalization(open_source(np.array([[5]], np.uint8))).low == (5.0,)


def test_a_few_bright_px_on_black_keep_their_range():
    pixels = np.zeros((200, 200), np.uint16)
    pixels[3, 3:6] = 900
    found = estimate_normalization(open_source(pixels))
    assert (found.low, found.high) == ((0.0,), (900.0,))
    assert "coincide" in found.note


def test_colours_share_one_pair():
    picture = RNG.integers(20, 90, (30, 40, 3), np.uint8)
    found = estimate_normalization(open_source(picture))
    assert (found.low, found.high) == ((0.0,) * 3, (255.0,) * 3)
    deep = estimate_normalization(open_source(picture.astype(np.uint16) * 99, axes="yxs"))
    assert len(set(deep.low)) == len(set(deep.high)) == 1


class Large:
    """A lazy array of 800 MB that counts what is read."""

    shape = (2, 20_000, 10_000)
    dtype = np.dtype("u2")
    chunks = (1, 500, 500)

    def __init__(self):
        self.read = 0

    def __getitem__(self, index):
        c, y, x = (np.arange(part.start, part.stop, dtype=np.uint64) for part in index)
        found = (y[:, None] // 10 + x * 7 % 1000 + 5000 * c[:, None, None]).astype(np.uint16)
        self.read += found.nbytes
        return found


def test_a_large_layer_is_sampled_within_the_budget_and_always_alike():
    array = Large()
    found = estimate_normalization(open_source(array, axes="cyx"))
    assert array.read <= 64 * 2**20
    assert found.sampled == pytest.approx(array.read / (800e6), rel=0.01)
    assert found == estimate_normalization(open_source(Large(), axes="cyx"))
    whole = np.add.outer(np.arange(20_000) // 10, np.arange(1000))
    low, high = np.percentile(whole, (0.1, 99.9))
    span = high - low
    assert found.low[0] == pytest.approx(low, abs=0.03 * span)
    assert found.high[0] == pytest.approx(high, abs=0.03 * span)
    assert found.low[1] == found.low[0] + 5000, "each channel is seen at the same places"


def test_a_pyramid_is_measured_on_the_finest_level_within_the_budget(tmp_path, monkeypatch):
    monkeypatch.setattr(normalization_estimate, "_BUDGET", 100_000)
    monkeypatch.setattr(normalization_estimate, "_ENOUGH", 10_000)
    group = zarr.create_group(tmp_path / "a.zarr")
    fine = RNG.integers(0, 1000, (400, 400), np.uint16)
    levels = [fine, fine[::2, ::2] + 1, fine[::4, ::4] + 2]
    for i, level in enumerate(levels):
        group.create_array(str(i), data=level, chunks=(100, 100))
    axes = [{"name": a, "type": "space"} for a in "yx"]
    datasets = [
        {"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": [2.0**i] * 2}]} for i in range(3)
    ]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    found = estimate_normalization(open_source(tmp_path / "a.zarr"))
    assert (found.low[0], found.high[0]) == pytest.approx(np.percentile(levels[1], (0.1, 99.9)))
    assert found.sampled == pytest.approx(0.25)
    assert "level 1 below" in found.note
    monkeypatch.setattr(normalization_estimate, "_ENOUGH", 50_000)
    assert "chunks spread" in estimate_normalization(open_source(tmp_path / "a.zarr")).note
