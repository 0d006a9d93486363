"""N5: datasets, levels, metadata of its programs, compression, chunks that are missing or damaged."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.collections import is_collection, list_sources
from napari_s1omni.storage.readers.formats import format_of
from napari_s1omni.storage.readers.image_files import list_file
from napari_s1omni.storage.source import open_source

tensorstore = pytest.importorskip("tensorstore")
VOLUME = np.arange(1, 20 * 30 * 40 + 1, dtype=np.uint16).reshape(20, 30, 40)


def write(folder, values, compression=None, block=16, **attributes):
    metadata = {
        "dataType": values.dtype.name,
        "dimensions": list(values.shape[::-1]),
        "blockSize": [block] * values.ndim,
        "compression": compression or {"type": "gzip"},
    }
    spec = {"driver": "n5", "kvstore": {"driver": "file", "path": f"{folder}/"}, "metadata": metadata}
    tensorstore.open(spec, create=True).result().write(values.T).result()
    describe(folder, **attributes)


def describe(folder, **attributes):
    document = folder / "attributes.json"
    known = json.loads(document.read_text()) if document.is_file() else {}
    document.write_text(json.dumps({**known, **attributes}))


@pytest.fixture
def store(tmp_path):
    return tmp_path / "cells.n5"


@pytest.mark.parametrize("kind", ["raw", "gzip", "bzip2", "xz", "blosc", "zstd"])
def test_compressions(store, kind):
    more = {"cname": "lz4", "clevel": 5, "shuffle": 1} if kind == "blosc" else {}
    write(store, VOLUME, {"type": kind, **more})
    np.testing.assert_array_equal(open_source(store).read(), VOLUME)


def test_levels_and_datasets_are_images(store):
    write(store / "em" / "s0", VOLUME, pixelResolution={"dimensions": [4, 4, 40], "unit": "nm"})
    write(store / "em" / "s1", VOLUME[:, ::2, ::2], downsamplingFactors=[2, 2, 1])
    write(store / "masks" / "cells", VOLUME, maxId=24_000)
    describe(store, n5="2.5.0")
    headers = list_file(format_of(store), store)
    assert [(h.name, h.axes, h.shape, h.levels) for h in headers] == [
        ("em", "zyx", (20, 30, 40), 2),
        ("masks/cells", "zyx", (20, 30, 40), 1),
    ]
    source = open_source(f"{store}::em")
    assert source.spec.scale == (40.0, 4.0, 4.0)
    assert source.spec.units == ("nanometer",) * 3
    np.testing.assert_array_equal(source.levels()[0].read(), VOLUME[:, ::2, ::2])
    box = (slice(3, 9), slice(20, 30), slice(0, 40))
    np.testing.assert_array_equal(source.read(box), VOLUME[box])
    assert open_source(f"{store}::masks/cells").spec.kind == "labels"
    # The path of a group or dataset inside is one too, as for Zarr.
    assert len(open_source(store / "em").levels()) == 1
    assert open_source(store / "em" / "s1").spec.shape == (20, 15, 20)
    assert not is_collection(store)
    assert all(entry.uri.startswith(str(store)) for entry in list_sources(store.parent))


def test_metadata_of_cosem_and_of_axes(store):
    transform = {"axes": ["z", "y", "x"], "units": ["nm"] * 3, "scale": [5.0, 4, 3], "translate": [1.0, 2, 3]}
    write(store / "a", VOLUME, transform=transform)
    write(store / "b", VOLUME, axes=["x", "y", "t"], resolution=[0.5, 0.5, 2], units=["um", "um", "s"])
    about = {"numChannels": 2, "numSlices": 20, "numFrames": 1, "pixelWidth": 0.5, "pixelDepth": 2, "unit": "micron"}
    write(store / "c", np.stack([VOLUME, VOLUME + 1], 1), **about)
    source = open_source(f"{store}::c")
    assert source.spec.axes == ("c", "z", "y", "x")
    assert (source.spec.scale[1], source.spec.scale[3], source.spec.units[3]) == (2.0, 0.5, "micrometer")
    np.testing.assert_array_equal(source.read()[1], VOLUME + 1)
    spec = open_source(f"{store}::a").spec
    assert (spec.scale, spec.translate) == ((5.0, 4.0, 3.0), (1.0, 2.0, 3.0))
    spec = open_source(f"{store}::b").spec
    assert (spec.axes, spec.scale) == (("t", "y", "x"), (2.0, 0.5, 0.5))
    assert spec.units == ("second", "micrometer", "micrometer")


def test_missing_and_damaged_chunks(store):
    write(store, VOLUME)
    chunks = sorted(path for path in store.rglob("*") if path.is_file() and path.name != "attributes.json")
    chunks[0].unlink()
    source = open_source(store)
    assert any("1 of 12 chunks" in note for note in source.notes)
    assert not source.read((slice(0, 16), slice(0, 16), slice(0, 16))).any()
    (store / "2" / "1" / "1").write_bytes(b"\0\0\0")
    with pytest.raises(SourceError, match=r"z 16:20, y 16:30, x 32:40 of N5 array .*cells\.n5"):
        source.read()


def test_bad_stores(store):
    store.mkdir()
    with pytest.raises(SourceError, match="no N5 dataset"):
        open_source(store)
    (store / "attributes.json").write_text('{"dimensions": [4')
    with pytest.raises(SourceError, match=r"attributes\.json cannot be understood"):
        open_source(store)
    (store / "attributes.json").write_text('{"dimensions": [0, 4]}')
    with pytest.raises(SourceError, match="key dimensions"):
        open_source(store)
    (store / "attributes.json").write_text('{"dimensions": [4, 4], "isLabelMultiset": true}')
    with pytest.raises(SourceError, match="multisets"):
        open_source(store)
    (store / "attributes.json").write_text(
        '{"dimensions": [4, 4], "blockSize": [4, 4], "dataType": "uint8", "compression": {"type": "lz4"}}'
    )
    with pytest.raises(SourceError, match="lz4"):
        open_source(store)
