"""Readers that other packages register: the page that shows one, a broken one, and the plugins of bioio."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.collections import list_sources
from napari_s1omni.storage.readers import formats
from napari_s1omni.storage.readers.adapters import bioio_endings
from napari_s1omni.storage.readers.image_files import list_file
from napari_s1omni.storage.source import open_source

PAGE = Path(__file__).parents[3] / "docs" / "formats_own.md"
VOLUME = np.arange(4 * 30 * 40, dtype="<u2").reshape(4, 30, 40)


def install(folder, name, group, points, requires=""):
    """Put the metadata of a package beside its modules, as pip does."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}")
    lines = "\n".join(f"{key} = {value}" for key, value in points.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{lines}\n")


@pytest.fixture
def packages(tmp_path, monkeypatch):
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    forget()
    yield folder
    for name in [n for n in sys.modules if n.startswith(("acme_", "broken_", "bioio_fake"))]:
        del sys.modules[name]
    forget()


def forget():
    """Look for packages again, as a new process does."""
    formats.formats.cache_clear()
    bioio_endings.bioio_endings.cache_clear()
    bioio_endings.has_plugins.cache_clear()


@pytest.fixture
def acme(packages, tmp_path):
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 30
    (packages / "acme_reader.py").write_text(code)
    install(packages, "acme-reader", formats.GROUP, {"acme": "acme_reader"})
    path = tmp_path / "cells.acme"
    path.write_bytes(json.dumps({"shape": VOLUME.shape, "um": 0.5, "um_z": 2.0}).encode() + b"\n" + VOLUME.tobytes())
    return path


def test_the_reader_of_the_page(acme, packages):
    source = open_source(acme)
    np.testing.assert_array_equal(source.read(), VOLUME)
    assert source.spec.scale == (2.0, 0.5, 0.5)
    assert "read by the package acme-reader 1.0" in source.notes
    [header] = list_file(formats.format_of(acme), acme)
    assert (header.name, header.shape) == ("stack", VOLUME.shape)
    # A command is a process of its own, which finds the package by itself.
    code = "import sys; sys.argv[0] = 's1omni'; from napari_s1omni.frontends.cli.main import main; main()"
    code = f"import sys; sys.path.insert(0, {str(packages)!r}); {code}"
    done = subprocess.run([sys.executable, "-c", code, "info", str(acme), "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [found] = json.loads(done.stdout)["images"]
    assert (found["axes"], found["shape"], found["scale"]) == ("zyx", [4, 30, 40], [2.0, 0.5, 0.5])


def test_a_broken_reader_breaks_nothing_and_is_named(acme, packages, tmp_path):
    (packages / "broken_one.py").write_text("import a_library_that_is_missing\n")
    (packages / "broken_two.py").write_text("def describe(): return 'a text'\n")
    (packages / "broken_three.py").write_text("raise SystemExit(3)\n")
    (packages / "broken_four.py").write_text(
        "from napari_s1omni.storage.readers.file_format import FormatInfo\n"
        "class Reader:\n"
        "    def describe(self): return FormatInfo('Broken', ('.brk', '.tif'), 'x', 'y')\n"
        "    def list_images(self, path): return ['a name']\n"
        "    def read_image(self, path, number): raise KeyError(number)\n"
        "reader = Reader()\n"
    )
    names = {n: f"broken_{n}" for n in ("one", "two", "three")}
    install(packages, "broken-readers", formats.GROUP, {**names, "four": "broken_four:reader"})
    formats.formats.cache_clear()
    assert open_source(acme).spec.shape == VOLUME.shape
    errors = " ".join(formats.broken_formats())
    for words in ("'one' of broken-readers 1.0", "a_library_that_is_missing", "returned str", "SystemExit: 3"):
        assert words in errors
    (tmp_path / "a.unknown").write_bytes(b"something")
    with pytest.raises(SourceError, match="a_library_that_is_missing"):
        open_source(tmp_path / "a.unknown")
    (tmp_path / "a.brk").write_bytes(b"something")
    with pytest.raises(SourceError, match=r"a\.brk cannot be read as Broken by the package broken-readers 1\.0"):
        open_source(tmp_path / "a.brk")
    # What this package reads stays with it.
    tifffile.imwrite(tmp_path / "a.tif", VOLUME[0])
    assert open_source(tmp_path / "a.tif").spec.shape == (30, 40)


PLUGIN = """
import dask.array, numpy, xarray
from bioio_base import exceptions, io, reader, types

class Reader(reader.Reader):
    def __init__(self, image, fs_kwargs={}, **kwargs):
        self._fs, self._path = io.pathlike_to_fs(image, enforce_exists=True, fs_kwargs=fs_kwargs)
        if not self._is_supported_image(self._fs, self._path):
            raise exceptions.UnsupportedFileFormatError("Reader", self._path)
    @staticmethod
    def _is_supported_image(fs, path, **kwargs):
        with fs.open(path) as file:
            return file.read(4) == b"FAKE"
    @property
    def scenes(self):
        return ("well A1", "well A2")
    def _read_delayed(self):
        data = numpy.arange(2 * 30 * 40, dtype="u2").reshape(2, 30, 40) + 5 * self.current_scene_index
        array = dask.array.from_array(data, chunks=(1, 16, 16))
        return xarray.DataArray(array, dims=("C", "Y", "X"), coords={"C": ["GFP", "RFP"]})
    _read_immediate = _read_delayed
    @property
    def physical_pixel_sizes(self):
        return types.PhysicalPixelSizes(None, 0.25, 0.25)

class ReaderMetadata:
    @staticmethod
    def get_supported_extensions():
        return ["fake", ".tif", "txt"]
    @staticmethod
    def get_reader():
        return Reader
"""


def test_plugins_of_bioio_read_what_is_left(packages, tmp_path):
    bioio = pytest.importorskip("bioio")
    (packages / "bioio_fake.py").write_text(PLUGIN)
    install(
        packages, "bioio-fake", "bioio.readers", {"bioio-fake": "bioio_fake"}, "Requires-Dist: bioio-base (>=1.0)\n"
    )
    bioio.plugins.plugins_by_ext_cache.clear()
    forget()
    images = tmp_path / "images"
    images.mkdir()
    path = images / "plate.fake"
    path.write_bytes(b"FAKE")
    (images / "notes.txt").write_text("text")
    assert [entry.uri for entry in list_sources(images)] == [f"{path}::well A1", f"{path}::well A2"]
    headers = list_file(formats.format_of(path), path)
    assert [(h.name, h.axes, h.shape) for h in headers] == [
        ("well A1", "cyx", (2, 30, 40)),
        ("well A2", "cyx", (2, 30, 40)),
    ]
    source = open_source(f"{path}::well A2")
    assert any(re.match(r"read by bioio-fake 1\.0 through bioio \d", note) for note in source.notes)
    assert source.spec.scale[1:] == (0.25, 0.25)
    assert source.spec.channel_names == ("GFP", "RFP")
    assert source.read((slice(1, 2), slice(0, 1), slice(0, 3))).tolist() == [[[1205, 1206, 1207]]]
    # Never instead of a reader of this package, nor for text.
    assert formats.format_of(tmp_path / "a.tif") is None
    assert formats.format_of(images / "notes.txt") is None
    path.write_bytes(b"else")
    with pytest.raises(SourceError, match="no plugin of bioio reads"):
        open_source(path)
    bioio.plugins.plugins_by_ext_cache.clear()
