"""Stores over http and s3, served locally, including a server that stops answering."""

from __future__ import annotations

import gc
import http.server
import json
import shutil
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.zarr_nodes import zarr_store
from napari_s1omni.storage.source import open_source

pytest.importorskip("aiohttp")
AXES = [{"name": a, "type": "space", "unit": "micrometer"} for a in "yx"]
HALF = [{"type": "scale", "scale": [0.5, 0.5]}]
VALUES = np.random.default_rng(0).integers(1, 999, (64, 64), np.uint16)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder. `silent` paths send half of their bytes and wait; `failing` ones answer 500."""

    protocol_version = "HTTP/1.1"
    silent: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    released = threading.Event()

    def log_message(self, *args):
        pass

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.endswith(self.failing or ("\0",)):
            self.send_error(500)
        elif path.endswith(self.silent or ("\0",)):
            body = Path(self.translate_path(path)).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.released.wait(20)
            self.close_connection = True
        else:
            super().do_GET()


class Server(http.server.ThreadingHTTPServer):
    """Takes all chunks of a read at once; with a queue of 5 the others would knock again after a second."""

    request_queue_size = 128
    daemon_threads = True


class Bucket(Quiet):
    """The small part of the S3 protocol that reading needs: GET and HEAD of objects, and their absence."""

    def send_error(self, code, message=None, explain=None):
        body = b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>absent</Message></Error>"
        self.send_response(code)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def list_directory(self, path):
        self.send_error(404)


@pytest.fixture
def serve(tmp_path):
    running = []

    def start(handler=Quiet, **settings):
        settings = {"released": threading.Event(), **settings}
        kind = type("Handler", (handler,), settings)
        server = Server(("127.0.0.1", 0), partial(kind, directory=str(tmp_path)))
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        running.append((server, thread, settings["released"]))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread, released in running:
        released.set()
        server.shutdown()
        server.server_close()
        thread.join()
    gc.collect()


@pytest.fixture
def store(tmp_path):
    group = zarr.create_group(tmp_path / "bucket" / "a.zarr")
    array = group.create_array("0", data=VALUES, chunks=(16, 16))
    array[:16, :16] = 0
    scale = [{"type": "scale", "scale": [0.5, 0.5]}]
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "yx"]
    multiscale = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    expected = VALUES.copy()
    expected[:16, :16] = 0
    return expected


def test_http(serve, store):
    source = open_source(f"{serve()}/bucket/a.zarr")
    assert source.spec.scale == (0.5, 0.5)
    np.testing.assert_array_equal(source.read(), store)


def test_http_with_chunks_by_another_key_encoding(serve, store, tmp_path):
    array = tmp_path / "bucket" / "a.zarr" / "0"
    document = json.loads((array / "zarr.json").read_text())
    document["chunk_key_encoding"] = {"name": "v2", "configuration": {"separator": "."}}
    (array / "zarr.json").write_text(json.dumps(document))
    source = open_source(f"{serve()}/bucket/a.zarr")
    np.testing.assert_array_equal(source.read(), store)
    assert any("have keys such as 'c/0/0'" in note for note in source.notes)


def test_http_without_a_chunk_says_what_is_read(serve, store, tmp_path):
    shutil.rmtree(tmp_path / "bucket" / "a.zarr" / "0" / "c")
    assert any("9 chunks" in note and "fill value 0" in note for note in open_source(f"{serve()}/bucket/a.zarr").notes)


def test_http_with_documents_only_in_consolidated_metadata(serve, tmp_path):
    # A folder that cannot be listed, with the one document that some programs write.
    folder = tmp_path / "old.zarr"
    group = zarr.create_group(folder, zarr_format=2)
    group.create_array("0", data=VALUES, chunks=(16, 16))
    group.attrs["multiscales"] = [{"version": "0.4", "axes": AXES, "datasets": [{"path": "0"}]}]
    zarr.consolidate_metadata(group.store)
    for name in (".zgroup", ".zattrs", "0/.zarray", "0/.zattrs"):
        (folder / name).unlink(missing_ok=True)
    document = json.loads((folder / ".zmetadata").read_text())
    document["metadata"][".zattrs"] = {
        "multiscales": [
            {"version": "0.4", "axes": AXES, "datasets": [{"path": "0", "coordinateTransformations": HALF}]}
        ]
    }
    (folder / ".zmetadata").write_text(json.dumps(document))
    for place in ("old.zarr", "old.zarr/0"):
        source = open_source(f"{serve()}/{place}")
        np.testing.assert_array_equal(source.read(), VALUES)
        assert source.spec.scale == (0.5, 0.5)
        assert any("consolidated metadata" in note for note in source.notes)


def test_http_with_levels_newer_than_consolidated_metadata(serve, store, tmp_path):
    folder = tmp_path / "bucket" / "a.zarr"
    with pytest.warns(UserWarning, match="Consolidated"):
        zarr.consolidate_metadata(str(folder))
    group = zarr.open_group(folder)
    zarr.create_array(folder / "1", data=store[::2, ::2], chunks=(16, 16))
    ome = dict(group.attrs["ome"])
    ome["multiscales"][0]["datasets"].append(
        {"path": "1", "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}
    )
    group.attrs["ome"] = ome
    source = open_source(f"{serve()}/bucket/a.zarr", level=1)
    np.testing.assert_array_equal(source.read(), store[::2, ::2])


def test_http_array_inside_a_group(serve, store):
    source = open_source(f"{serve()}/bucket/a.zarr/0")
    assert source.spec.units == ("micrometer", "micrometer")
    np.testing.assert_array_equal(source.read((slice(10, 20), slice(40, 50))), store[10:20, 40:50])


def test_http_that_times_out_in_the_middle(serve, store, monkeypatch):
    monkeypatch.setattr(zarr_store, "_TIMEOUT", 1)
    source = open_source(f"{serve(silent=('/0/c/2/1',))}/bucket/a.zarr")
    np.testing.assert_array_equal(source.read((slice(0, 32), slice(0, 64))), store[:32])
    with pytest.raises(SourceError, match=r"chunk c/2/1 of http.*a\.zarr/0 did not arrive") as caught:
        source.read()
    assert caught.value.facts["transient"] is True


def test_http_that_fails_for_one_chunk_is_no_fill_value(serve, store):
    source = open_source(f"{serve(failing=('/0/c/3/3',))}/bucket/a.zarr")
    with pytest.raises(SourceError, match=r"chunk c/3/3 .*500") as caught:
        source.read()
    assert caught.value.facts["transient"] is True


def test_http_with_nothing_there(serve, store):
    with pytest.raises(SourceError, match="not a Zarr store"):
        open_source(f"{serve()}/bucket/b.zarr")


def test_server_that_is_not_there():
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:9/a\.zarr did not arrive"):
        open_source("http://127.0.0.1:9/a.zarr")


def test_unknown_protocol():
    with pytest.raises(SourceError, match="protocol gopher"):
        open_source("gopher://host/a.zarr")


def test_without_fsspec_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(SourceError, match=r"napari-s1omni\[remote\]"):
        open_source("s3://bucket/a.zarr")


def test_a_private_bucket_says_how_to_read_it(serve, monkeypatch):
    pytest.importorskip("s3fs")
    import fsspec.config

    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": serve(Bucket)})
    with pytest.raises(SourceError, match="FSSPEC_S3_ANON"):
        open_source("s3://bucket/private.zarr")


def test_s3(serve, store, monkeypatch):
    pytest.importorskip("s3fs")
    import fsspec.config

    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": serve(Bucket), "anon": True})
    source = open_source("s3://bucket/a.zarr")
    np.testing.assert_array_equal(source.read(), store)
    assert open_source("s3://bucket/a.zarr/0").spec.scale == (0.5, 0.5)
    with pytest.raises(SourceError, match="not a Zarr store"):
        open_source("s3://bucket/b.zarr")
