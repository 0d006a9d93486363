"""The forecast of what a resumed run still has to write, and how much free space it requires."""

from collections import namedtuple

import numpy as np
import pytest

import napari_s1omni
from napari_s1omni.errors import DiskFull
from napari_s1omni.execution.run.run_output import bytes_left
from napari_s1omni.storage.result import preflight
from napari_s1omni.storage.result.store import ResultStore

SIZES = {"tile_size": 48, "overlap": 16, "block_size": 32, "engine": "reference", "durable": False}
IMAGE = np.random.default_rng(0).integers(0, 255, (96, 96), np.uint8)


@pytest.fixture
def upscaled(tmp_path):
    """A finished result of nine blocks."""
    return napari_s1omni.super_resolve(IMAGE, tmp_path / "up.zarr", **SIZES)


def forget_blocks(result, kept):
    """Leave as much of a run's journal as if it had been stopped after some blocks."""
    (log,) = (result.path / ".s1omni/journal").glob("*.log")
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:kept]))


def test_the_share_of_the_blocks_that_are_left(upscaled):
    assert bytes_left(upscaled.plan, upscaled.path, 900) == 0
    forget_blocks(upscaled, 5)
    assert bytes_left(upscaled.plan, upscaled.path, 900) == 400
    forget_blocks(upscaled, 0)
    assert bytes_left(upscaled.plan, upscaled.path, 900) == 900


def test_labels_are_written_again_when_they_are_joined(tmp_path):
    result = napari_s1omni.segment(IMAGE, tmp_path / "labels.zarr", **SIZES)
    assert bytes_left(result.plan, result.path, 900) == 0
    ResultStore.open(result.path, "r+").finish(state="running")
    assert bytes_left(result.plan, result.path, 900) == 450
    forget_blocks(result, 3)
    assert bytes_left(result.plan, result.path, 900) == 750


def test_a_run_goes_on_where_what_is_left_fits(upscaled, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    whole = upscaled.plan.target.nbytes * 4 // 3 // 2
    before = upscaled.array[...]
    forget_blocks(upscaled, 5)
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda folder: usage(10 * whole, 0, whole // 3))
    with pytest.raises(DiskFull, match="may need"):
        napari_s1omni.super_resolve(IMAGE, upscaled.path, **SIZES)
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda folder: usage(10 * whole, 0, whole // 2))
    with pytest.raises(DiskFull):
        napari_s1omni.super_resolve(IMAGE, tmp_path / "new.zarr", **SIZES)
    with pytest.raises(DiskFull):
        napari_s1omni.super_resolve(IMAGE, upscaled.path, **{**SIZES, "overlap": 8})
    np.testing.assert_array_equal(napari_s1omni.super_resolve(IMAGE, upscaled.path, **SIZES).array[...], before)
