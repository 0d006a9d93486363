"""Results, pictures, TIFF, regions, truth, lists and jobs behind a URL, served locally with and without ranges."""

import functools
import gc
import http.server
import json
import threading

import numpy as np
import pytest
import tifffile
from RangeHTTPServer import RangeRequestHandler
from skimage.io import imsave

import napari_s1omni
from napari_s1omni.errors import JobError, S1OmniError, SourceError, StoreError
from napari_s1omni.execution.run.watch import status
from napari_s1omni.frontends.cli.main import main
from napari_s1omni.frontends.napari_layers.reader import get_reader
from napari_s1omni.results.report import write_report
from napari_s1omni.results.result import Result
from napari_s1omni.results.tables import write_table
from napari_s1omni.storage.readers.outlines import read_outlines
from napari_s1omni.storage.source import open_source
from napari_s1omni.storage.writers.tiff import write_tiff

pytest.importorskip("aiohttp")
IMAGE = np.random.default_rng(0).integers(1, 60000, (300, 420), np.uint16)


class Ranges(RangeRequestHandler):
    """Serves parts of files; counts the bytes that it sends."""

    sent: list

    def log_message(self, *args):
        pass

    def copyfile(self, source, outputfile):
        if self.range:
            start, stop = self.range
            self.sent.append((self.path, (stop or start) - start + 1))
        super().copyfile(source, outputfile)


class Whole(http.server.SimpleHTTPRequestHandler):
    """Sends whole files only, and lists no folders."""

    sent: list

    def log_message(self, *args):
        pass

    def list_directory(self, path):
        self.send_error(403)


@pytest.fixture
def serve(tmp_path):
    running = []

    def start(handler=Ranges):
        sent = []
        kind = functools.partial(type("Handler", (handler,), {"sent": sent}), directory=str(tmp_path))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}", sent

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()
    gc.collect()


@pytest.fixture
def served(tmp_path, monkeypatch, serve):
    """A result and its image in the served folder; the working folder is another one."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:96, :128]
    image = rng.normal(20, 2, (96, 128))
    for cy, cx in ((20, 20), (20, 70), (60, 40), (70, 100)):
        image += 150 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 40)
    imsave(tmp_path / "spots.png", np.clip(image, 0, 255).astype(np.uint8), check_contrast=False)
    made = napari_s1omni.segment(
        tmp_path / "spots.png", tmp_path / "spots.zarr", prompt="bright spots of about 12 px", engine="reference",
        tile_size=64, think="per_tile",
    )  # fmt: skip
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return made


def test_a_tiled_tiff_is_read_part_by_part(tmp_path, serve):
    tifffile.imwrite(tmp_path / "big.tif", np.tile(IMAGE, (6, 6)), tile=(128, 128), compression="zlib", metadata={})
    url, sent = serve()
    source = open_source(f"{url}/big.tif?token=1")
    assert source.spec.source == f"{url}/big.tif?token=1"
    np.testing.assert_array_equal(source.read((slice(5, 40), slice(200, 300))), IMAGE[5:40, 200:300])
    assert sum(n for _, n in sent) < (tmp_path / "big.tif").stat().st_size
    assert not source.notes


@pytest.mark.parametrize("handler", [Ranges, Whole])
def test_files_of_every_kind(tmp_path, serve, handler):
    grey = (IMAGE >> 8).astype(np.uint8)
    large = np.tile(IMAGE, (3, 4))
    tifffile.imwrite(tmp_path / "plain.tif", large)
    np.save(tmp_path / "a.npy", IMAGE)
    imsave(tmp_path / "my image.png", grey, check_contrast=False)
    url, _ = serve(handler)
    for name, expected in (("plain.tif", large), ("a.npy", IMAGE), ("my image.png", grey), ("my%20image.png", grey)):
        source = open_source(f"{url}/{name}")
        np.testing.assert_array_equal(source.read(), expected)
        whole = handler is Whole or not name.endswith(".tif")
        assert any("copied from its URL" in note for note in source.notes) == whole
    with pytest.raises(SourceError, match=r"nothing at http.*/none\.tif"):
        open_source(f"{url}/none.tif")
    (tmp_path / "broken.png").write_bytes(b"nothing of a picture")
    with pytest.raises(SourceError, match=r"http.*/broken\.png cannot be decoded"):
        open_source(f"{url}/broken.png")


@pytest.mark.parametrize("handler", [Ranges, Whole])
def test_a_result_is_read_and_never_changed(served, serve, tmp_path, handler):
    url = f"{serve(handler)[0]}/spots.zarr"
    far, near = Result.open(url), served
    assert far.complete
    assert far.uri == url
    assert far.is_remote
    np.testing.assert_array_equal(far.array[...], near.array[...])
    np.testing.assert_array_equal(far.confidence[...], near.confidence[...])
    assert far.records == near.records
    assert dict(far.thoughts) == dict(near.thoughts)
    assert far.thought_at(20, 20) == near.thought_at(20, 20)
    assert far.holes == near.holes
    assert bool(far.notes) == (handler is Whole)
    assert status(url).state == status(near.path).state
    table, expected = far.table(), near.table()
    assert {k: v.tolist() for k, v in table.items()} == {k: v.tolist() for k, v in expected.items()}
    assert write_report(far, "page.html") > 1000
    for name in ("spots.geojson", "spots.zip"):
        with pytest.raises(SystemExit) as end:
            main(["export", url, name])
        assert end.value.code == 0
        assert len(read_outlines(name)[0]) == len(table["label"])
    ((levels, options, kind),) = get_reader(url)(url)
    assert (kind, options["name"].split(" ")[0]) == ("labels", "spots")
    np.testing.assert_array_equal(np.asarray((levels[0] if options["multiscale"] else levels)[:]), near.array[...])
    with pytest.raises(StoreError, match="behind a URL"):
        far.path  # noqa: B018
    for change in (
        lambda: napari_s1omni.redo(url, "0/0"),
        lambda: napari_s1omni.attach(url),
        lambda: napari_s1omni.accept(url),
    ):
        with pytest.raises(JobError, match=r"http.*spots\.zarr is a URL"):
            change()
    with pytest.raises(StoreError, match="no result"):
        Result.open(f"{url}-none")


def test_what_is_written_is_refused_by_the_address_as_it_was_given(served, tmp_path):
    url = "s3://bucket/nuclei.zarr"
    for write in (
        lambda: napari_s1omni.segment(tmp_path / "spots.png", url, engine="reference"),
        lambda: napari_s1omni.run(napari_s1omni.Job(source=tmp_path / "spots.png", output=url, operation={"type": "segmentation"})),
        lambda: napari_s1omni.prepare(napari_s1omni.Job(source=tmp_path / "spots.png", output=url, operation={"type": "segmentation"})),
        lambda: napari_s1omni.segment("https://host/a.zarr", into="nuclei", engine="reference"),
        lambda: write_table(served.table(), "https://host/table.csv"),
        lambda: write_report(served, "https://host/page.html"),
        lambda: write_tiff("https://host/a.tif", served.array, served.spec),
    ):  # fmt: skip
        with pytest.raises(JobError, match=r"(s3://bucket/nuclei\.zarr|https://host/\w+\.\w+) is a URL"):
            write()
    assert not list(tmp_path.joinpath("elsewhere").iterdir())


def test_a_region_a_list_and_a_plate_behind_a_url(served, serve, tmp_path):
    from napari_s1omni.storage.collections import is_collection, list_sources

    url, _ = serve()
    ring = [[0, 0], [64, 0], [64, 64], [0, 64], [0, 0]]
    (tmp_path / "area.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    found = napari_s1omni.segment(f"{url}/spots.png", region=f"{url}/area.geojson", engine="reference", tile_size=64)
    assert found.spec.shape == (64, 64)
    (tmp_path / "list.csv").write_text("source\nspots.png\nhttps://other/b.tif\n")
    assert is_collection(f"{url}/list.csv")
    assert [e.uri for e in list_sources(f"{url}/list.csv")] == [f"{url}/spots.png", "https://other/b.tif"]
    assert not is_collection(f"{url}/spots.png")


def test_a_server_that_goes_away_is_named(served, serve, tmp_path):
    far = Result.open(f"{serve(Ranges)[0]}/spots.zarr")
    (tmp_path / "spots.zarr/0").rename(tmp_path / "gone")
    (tmp_path / "spots.zarr/0").write_text("")
    with pytest.raises(S1OmniError, match=r"http.*spots\.zarr"):
        Result.open(far.uri)
