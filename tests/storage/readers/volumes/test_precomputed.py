"""Neuroglancer precomputed: scales, labels, shards, encodings, damage; N5 and precomputed behind a URL."""

from __future__ import annotations

import functools
import http.server
import json
import threading

import numpy as np
import pytest

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.listing.image_headers import list_images
from napari_s1omni.storage.readers.formats import format_of
from napari_s1omni.storage.readers.image_files import list_file
from napari_s1omni.storage.source import open_source

tensorstore = pytest.importorskip("tensorstore")
VOLUME = np.arange(1, 20 * 30 * 40 + 1, dtype=np.uint16).reshape(20, 30, 40)
SHARDING = {
    "@type": "neuroglancer_uint64_sharded_v1",
    "preshift_bits": 1,
    "hash": "identity",
    "minishard_bits": 1,
    "shard_bits": 1,
    "minishard_index_encoding": "gzip",
    "data_encoding": "gzip",
}


def write(folder, values=VOLUME, kind="image", resolution=(4, 4, 40), **scale):
    values = values if values.ndim == 4 else values[None]
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{folder}/"},
        "multiscale_metadata": {"data_type": values.dtype.name, "num_channels": len(values), "type": kind},
        "scale_metadata": {
            "size": list(values.shape[:0:-1]),
            "resolution": list(resolution),
            "chunk_size": [16, 16, 16],
            "encoding": "raw",
            **scale,
        },
    }
    array = tensorstore.open(spec, create=True, open=True).result()
    array[tensorstore.d[:].translate_to[0]].write(values.T).result()
    return folder


def test_scales_are_levels(tmp_path):
    folder = write(tmp_path / "em", voxel_offset=[1, 2, 3])
    write(folder, VOLUME[:, ::2, ::2], resolution=(8, 8, 40), voxel_offset=[0, 1, 3])
    [header] = list_file(format_of(folder), folder)
    assert (header.name, header.axes, header.shape, header.levels) == ("em", "zyx", (20, 30, 40), 2)
    source = open_source(folder)
    assert source.spec.scale == (40.0, 4.0, 4.0)
    assert source.spec.translate == (120.0, 8.0, 4.0)
    assert source.spec.units == ("nanometer",) * 3
    assert not source.notes
    box = (slice(3, 20), slice(5, 9), slice(30, 40))
    np.testing.assert_array_equal(source.read(box), VOLUME[box])
    np.testing.assert_array_equal(source.levels()[0].read(), VOLUME[:, ::2, ::2])


def test_segmentations_are_labels_and_channels_are_channels(tmp_path):
    labels = write(
        tmp_path / "cells",
        (VOLUME // 100).astype(np.uint64),
        kind="segmentation",
        encoding="compressed_segmentation",
        compressed_segmentation_block_size=[8, 8, 8],
        sharding=SHARDING,
    )
    source = open_source(labels)
    assert source.spec.kind == "labels"
    np.testing.assert_array_equal(source.read(), VOLUME // 100)
    two = write(tmp_path / "two", np.stack([VOLUME, VOLUME + 1]))
    source = open_source(two)
    assert source.spec.axes == ("c", "z", "y", "x")
    np.testing.assert_array_equal(source.read(), np.stack([VOLUME, VOLUME + 1]))


def test_jpeg(tmp_path):
    smooth = np.broadcast_to(np.arange(40, dtype=np.uint8) * 5, (20, 30, 40))
    pixels = open_source(write(tmp_path / "em", smooth, encoding="jpeg", jpeg_quality=95)).read()
    assert np.abs(pixels.astype(int) - smooth).max() < 8


def test_missing_and_damaged_chunks(tmp_path):
    folder = write(tmp_path / "em")
    chunks = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "info")
    chunks[0].unlink()
    source = open_source(folder)
    assert any("1 of 12 chunks" in note for note in source.notes)
    chunks[1].write_bytes(b"\x1f\x8b\0\0")
    with pytest.raises(SourceError, match=r"the chunk z .* of scale .*em"):
        source.read()
    chunks[2].rename(f"{chunks[2]}.gz")
    with pytest.raises(SourceError, match="gunzip -r"):
        open_source(folder)


@pytest.mark.parametrize(
    "info", [{"scales": [], "data_type": "uint8"}, {"scales": [{"size": [4, 4]}], "data_type": "uint8"}]
)
def test_a_bad_document_is_named(tmp_path, info):
    (tmp_path / "info").write_text(json.dumps(info))
    with pytest.raises(SourceError, match="key scales"):
        open_source(tmp_path)
    (tmp_path / "info").write_text(json.dumps(info)[:-1])
    with pytest.raises(SourceError, match="info cannot be understood"):
        open_source(tmp_path)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; N5 asks for many chunks at once."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass


@pytest.fixture
def url(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_volumes_behind_a_url(tmp_path, url):
    write(tmp_path / "em")
    place = {"driver": "file", "path": f"{tmp_path}/cells.n5/raw/s0/"}
    metadata = {
        "dataType": "uint16",
        "dimensions": [40, 30, 20],
        "blockSize": [16] * 3,
        "compression": {"type": "gzip"},
    }
    array = tensorstore.open({"driver": "n5", "kvstore": place, "metadata": metadata}, create=True).result()
    array.write(VOLUME.T).result()
    box = (slice(0, 4), slice(2, 30), slice(10, 20))
    for address in (
        f"{url}/em",
        f"precomputed://{url}/em",
        f"{url}/em/|neuroglancer-precomputed:",
        f"{url}/cells.n5/raw",
        f"{url}/cells.n5::raw",
    ):
        source = open_source(address)
        np.testing.assert_array_equal(source.read(box), VOLUME[box])
        # What a plan keeps opens again in another process.
        np.testing.assert_array_equal(open_source(source.spec.source).read(box), VOLUME[box])
    assert [h.name for h in list_images(f"{url}/cells.n5")] == ["raw"]
    with pytest.raises(SourceError, match="nothing"):
        open_source(f"precomputed://{url}/nothing")
    with pytest.raises(SourceError):
        open_source(f"{url}/nothing")
