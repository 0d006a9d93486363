"""Local labels and slabs until they are stitched."""

import numpy as np
import pytest

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import StoreDamaged, StoreError
from napari_s1omni.joining.stitching import block_labels
from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.result.label_scratch import DiskScratch, MemoryScratch
from napari_s1omni.storage.result.store import ResultStore

SHAPE, BLOCK, HALO = (3, 40, 50), (2, 16, 16), (1, 4, 4)
TARGET = LayerSpec((2, *SHAPE), ("t", "z", "y", "x"), "uint32", kind="labels")
INDEX = (1, 1, 2, 3)
BOX = (slice(2, 3), slice(32, 40), slice(48, 50))


def settled(seed=0):
    labels = np.random.default_rng(seed).integers(0, 30, (2, 12, 6))
    return block_labels(labels, BOX, HALO, SHAPE)


@pytest.fixture
def store(tmp_path):
    return ResultStore.create(
        tmp_path / "out", target=TARGET, block=(1, *BLOCK), attributes={}, name="n", disk=Disk(durable=False)
    )


@pytest.fixture(params=["memory", "disk"])
def scratch(request, store):
    return MemoryScratch(TARGET) if request.param == "memory" else DiskScratch(store)


def test_what_was_put_comes_back(scratch):
    kept = settled()
    found = scratch.put(INDEX, kept)
    assert found == scratch.digest(INDEX)
    core = scratch.core(INDEX)
    assert core.shape == (1, 1, 8, 2)
    assert np.array_equal(core[0], kept.core)
    assert np.array_equal(scratch.areas(INDEX), kept.areas)
    assert np.array_equal(scratch.border(INDEX), kept.border)
    # At the far corner of the layer there are neighbours on one side only.
    assert len(kept.slabs) == 7
    for offset, slab in kept.slabs.items():
        assert np.array_equal(scratch.slab(INDEX, offset), slab)
        assert scratch.slab(INDEX, offset).dtype == np.uint32


def test_putting_again_replaces(scratch):
    first = scratch.put(INDEX, settled(0))
    second = scratch.put(INDEX, settled(1))
    assert first != second == scratch.digest(INDEX)
    assert scratch.put(INDEX, settled(0)) == first


def test_another_process_reads_it(store):
    kept = settled()
    DiskScratch(store).put(INDEX, kept)
    again = DiskScratch(ResultStore.open(store.path))
    assert np.array_equal(again.core(INDEX)[0], kept.core)
    assert np.array_equal(again.slab(INDEX, (-1, 0, 0)), kept.slabs[-1, 0, 0])


def test_every_flipped_bit_is_found(store):
    scratch = DiskScratch(store)
    scratch.put(INDEX, settled())
    path = store.work / "slabs" / "1" / "1" / "2" / "3"
    whole = path.read_bytes()
    for at in np.linspace(0, len(whole) - 1, 60).astype(int):
        data = bytearray(whole)
        data[at] ^= 16
        path.write_bytes(data)
        with pytest.raises(StoreDamaged, match="slabs in"):
            scratch.digest(INDEX)
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(StoreDamaged, match="slabs in"):
            scratch.digest(INDEX)
    path.write_bytes(whole)
    scratch.digest(INDEX)


def test_a_missing_file_or_slab_is_an_error(store):
    scratch = DiskScratch(store)
    scratch.put(INDEX, settled())
    with pytest.raises(StoreDamaged):
        scratch.slab(INDEX, (1, 1, 1))
    (store.work / "slabs" / "1" / "1" / "2" / "3").unlink()
    with pytest.raises(StoreError):
        scratch.digest(INDEX)


def test_slabs_of_background_take_little_space(store):
    empty = block_labels(np.zeros((3, 24, 24), int), (slice(0, 2), slice(16, 32), slice(16, 32)), HALO, SHAPE)
    DiskScratch(store).put((0, 0, 1, 1), empty)
    assert (store.work / "slabs" / "0" / "0" / "1" / "1").stat().st_size < 2000
