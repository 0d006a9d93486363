"""Corrections change only the painted pixels, at every level, and undoing restores the previous ones."""

import numpy as np
import pytest

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import StoreError
from napari_s1omni.storage.result.corrections import apply_correction, list_corrections, undo_correction
from napari_s1omni.storage.result.store import ResultStore


@pytest.fixture
def store(tmp_path):
    target = LayerSpec((1300, 1100), ("y", "x"), "uint32", kind="labels")
    made = ResultStore.create(tmp_path / "r.zarr", target=target, block=(256, 256), attributes={}, name="r")
    pixels = np.random.default_rng(0).integers(0, 9, target.shape).astype(np.uint32)
    for y in range(0, 1300, 256):
        for x in range(0, 1100, 256):
            made.write_block((y, x), pixels[y : y + 256, x : x + 256])
    made.complete_pyramid()
    made.finish()
    return ResultStore.open(tmp_path / "r.zarr", "r+")


def everything(store):
    return [np.asarray(level[...]) for level in store.levels]


def painted(store, box, value):
    before = store.read(box)
    after = before.copy()
    after[10:60, 10:80] = value
    return before, after


def test_painted_pixels_are_written_at_every_level(store, tmp_path):
    box = (slice(200, 700), slice(100, 600))
    before, after = painted(store, box, 77)
    expected = everything(store)[0].copy()
    expected[box] = after
    made = apply_correction(store, box, before, after)
    assert made.changed == 50 * 70
    assert made.blocks == ((0, 0), (1, 0)), "rows 210 to 260, columns 110 to 180"
    found = everything(store)
    assert np.array_equal(found[0], expected)
    whole = ResultStore.create(
        tmp_path / "whole.zarr", target=store.target, block=store.block, attributes={}, name="whole"
    )
    for y in range(0, 1300, 256):
        for x in range(0, 1100, 256):
            whole.write_block((y, x), expected[y : y + 256, x : x + 256])
    whole.complete_pyramid()
    assert all(np.array_equal(a, b) for a, b in zip(found, everything(whole), strict=True))


def test_pixels_that_changed_meanwhile_elsewhere_stay(store):
    box = (slice(0, 300), slice(0, 300))
    before, after = painted(store, box, 77)
    apply_correction(
        store, (slice(250, 260), slice(250, 260)), store.read((slice(250, 260),) * 2), np.full((10, 10), 5, "u4")
    )
    apply_correction(store, box, before, after)
    assert (store.read((slice(250, 260),) * 2) == 5).all()


def test_undoing_brings_every_level_back(store):
    old = everything(store)
    box = (slice(200, 700), slice(100, 600))
    first = apply_correction(store, box, *painted(store, box, 77))
    second = apply_correction(store, box, *painted(store, box, 78))
    assert [c.number for c in list_corrections(store)] == [1, 2]
    undone = undo_correction(store, first)
    assert undone.undone
    assert list_corrections(store)[1].undone, "the later one was made on top of it"
    assert all(np.array_equal(a, b) for a, b in zip(old, everything(store), strict=True))
    with pytest.raises(StoreError, match="already undone"):
        undo_correction(store, list_corrections(store)[0])
    assert second.number == 2


def test_without_changes_nothing_is_written(store):
    box = (slice(0, 50), slice(0, 50))
    pixels = store.read(box)
    assert apply_correction(store, box, pixels, pixels.copy()) is None
    assert not list_corrections(store)


def test_an_unfinished_result_is_refused(tmp_path):
    target = LayerSpec((64, 64), ("y", "x"), "uint32", kind="labels")
    made = ResultStore.create(tmp_path / "r.zarr", target=target, block=(64, 64), attributes={}, name="r")
    box = (slice(0, 8), slice(0, 8))
    with pytest.raises(StoreError, match="not complete"):
        apply_correction(made, box, np.zeros((8, 8), "u4"), np.ones((8, 8), "u4"))
