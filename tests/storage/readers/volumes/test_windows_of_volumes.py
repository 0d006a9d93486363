"""A window of a large volume reads the chunks that hold it and no more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from napari_s1omni.storage.readers.registry import read_raw

h5py = pytest.importorskip("h5py")
tensorstore = pytest.importorskip("tensorstore")
mrcfile = pytest.importorskip("mrcfile")
IO = Path("/proc/self/io")
SHAPE, CHUNK, EDGE = (8, 1024, 1024), (4, 128, 128), 512
WINDOWS = [
    (slice(z, z + 1), slice(y, y + EDGE), slice(x, x + EDGE)) for z, y, x in ((0, 0, 0), (5, 300, 450), (7, 512, 512))
]


def hdf5(folder, volume):
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("raw", data=volume, chunks=CHUNK, compression="gzip", compression_opts=1)
    return folder / "a.h5", lambda: h5py.File(folder / "a.h5")["raw"].__getitem__


def n5(folder, volume):
    metadata = {
        "dataType": "uint16",
        "dimensions": SHAPE[::-1],
        "blockSize": CHUNK[::-1],
        "compression": {"type": "raw"},
    }
    spec = {"driver": "n5", "kvstore": {"driver": "file", "path": f"{folder}/a.n5/"}, "metadata": metadata}
    tensorstore.open(spec, create=True).result().T.write(volume).result()
    return folder / "a.n5", lambda: fresh(spec, lambda array: array)


def fresh(spec, view):
    """Open an array with the tools of its library, without what an earlier one remembers."""
    array = view(tensorstore.open(spec, open=True, read=True).result().T)
    return lambda box: array[box].read().result()


def precomputed(folder, volume):
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{folder}/pc/"},
        "multiscale_metadata": {"data_type": "uint16", "num_channels": 1, "type": "image"},
        "scale_metadata": {
            "size": SHAPE[::-1],
            "resolution": [4, 4, 40],
            "chunk_size": CHUNK[::-1],
            "encoding": "raw",
            "sharding": {
                "@type": "neuroglancer_uint64_sharded_v1",
                "preshift_bits": 3,
                "hash": "identity",
                "minishard_bits": 2,
                "shard_bits": 2,
                "data_encoding": "gzip",
            },
        },
    }
    tensorstore.open(spec, create=True).result().T[0].write(volume).result()
    return folder / "pc", lambda: fresh(spec, lambda array: array[0])


@pytest.fixture(scope="module")
def volume():
    return np.random.default_rng(0).integers(0, 4000, SHAPE, np.uint16)


@pytest.fixture(scope="module", params=[hdf5, n5, precomputed], ids=lambda write: write.__name__)
def written(request, volume, tmp_path_factory):
    """The volume in one format, and what opens it with its library."""
    return request.param(tmp_path_factory.mktemp("volumes"), volume)


def read_bytes(read, *where):
    """Return how many bytes a read takes from files."""
    before = int(IO.read_text().split()[1])
    read(*where)
    return int(IO.read_text().split()[1]) - before


@pytest.mark.skipif(not IO.exists(), reason="only Linux counts the bytes that a process reads")
def test_a_window_reads_its_chunks_only(volume, written):
    path, alone = written
    for box in WINDOWS:
        # Both open the file themselves, so that neither finds what the other has read.
        by_library = read_bytes(alone(), box)
        pixels = read_raw(path, level=0).pixels
        assert read_bytes(pixels.__getitem__, box) <= 1.3 * by_library
        np.testing.assert_array_equal(pixels[box], volume[box])
        del pixels


def test_many_threads_read_at_once(volume, written):
    path, _ = written
    pixels = read_raw(path, level=0).pixels
    boxes = [(slice(z, z + 2), slice(y, y + 200), slice(50, 300)) for z in (0, 3, 6) for y in (0, 130, 700)]
    with ThreadPoolExecutor(8) as pool:
        for box, found in zip(boxes, pool.map(pixels.__getitem__, boxes), strict=True):
            np.testing.assert_array_equal(found, volume[box])


@pytest.mark.skipif(not IO.exists(), reason="only Linux counts the bytes that a process reads")
def test_headers_of_large_files_are_read_alone(tmp_path):
    """Of a sparse file of 50 GB, a window takes a few megabytes."""
    with mrcfile.new_mmap(tmp_path / "a.mrc", shape=(4, 64, 64), mrc_mode=1) as file:
        header = bytearray(file.header.tobytes())
    header[:12] = np.array([50_000, 50_000, 10], "<i4").tobytes()
    with (tmp_path / "a.mrc").open("wb") as file:
        file.write(header)
        file.truncate(1024 + 2 * 50_000 * 50_000 * 10)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("raw", shape=(250, 10_000, 10_000), dtype="u2", chunks=(1, 1000, 1000))
    window = (slice(2, 3), slice(0, 512), slice(9000, 9512))

    def read(name):
        assert read_raw(tmp_path / name, level=0).pixels[window].shape == (1, 512, 512)

    for name in ("a.mrc", "a.h5"):
        assert read_bytes(read, name) < 2**26
