"""Drawn tiles on disk: what cannot be read is no tile, and ends no run."""

import numpy as np
import pytest

from napari_s1omni.core.tiling import TilePlace
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.files.packed_arrays import pack_arrays
from napari_s1omni.storage.files.tile_scratch import FOLDER, TileScratch

PLACE = TilePlace(0, 1, 0, 2, 3)


@pytest.fixture
def scratch(tmp_path):
    found = TileScratch(tmp_path)
    found.put(PLACE, np.arange(48, dtype=np.float32).reshape(3, 4, 4), b"stamp")
    return found


def test_a_tile_comes_back_bit_by_bit(scratch):
    np.testing.assert_array_equal(scratch.get(PLACE, b"stamp"), np.arange(48, dtype=np.float32).reshape(3, 4, 4))
    assert scratch.get(PLACE, b"other") is None
    ((place, size),) = scratch.places()
    assert place == PLACE
    assert size > 0


@pytest.mark.parametrize("harm", ["folder", "cut", "empty", "without stamp"])
def test_what_cannot_be_read_is_no_tile(scratch, tmp_path, harm):
    (path,) = (tmp_path / WORK / FOLDER).glob("*/*/*/*.tile")
    data = path.read_bytes()
    path.unlink()
    if harm == "folder":
        path.mkdir()
    else:
        other = pack_arrays({"bytes": np.zeros((4, 3, 4, 4), np.uint8)})
        path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "without stamp": other}[harm])
    assert scratch.get(PLACE, b"stamp") is None


def test_links_to_nothing_are_left_out(scratch, tmp_path):
    (path,) = (tmp_path / WORK / FOLDER).glob("*/*/*/*.tile")
    (path.parent / "7-7.tile").symlink_to(tmp_path / "nothing")
    assert [place for place, _ in scratch.places()] == [PLACE]
    scratch.clear()
    assert list(scratch.places()) == []
