"""A mapped file that becomes shorter while it is read is an error; reading its map would end the process."""

import os

import numpy as np
import pytest
import tifffile

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.source import open_source

PIXELS = np.arange(5 * 300 * 400, dtype=np.uint16).reshape(5, 300, 400)


def _mrc(path):
    with pytest.importorskip("mrcfile").new(path) as file:
        file.set_data(PIXELS)


def _nrrd(path):
    itk = pytest.importorskip("SimpleITK")
    itk.WriteImage(itk.GetImageFromArray(PIXELS), str(path))


WRITERS = {".tif": lambda path: tifffile.imwrite(path, PIXELS), ".npy": lambda path: np.save(path, PIXELS)}


@pytest.mark.parametrize("ending", [".tif", ".npy", ".mrc", ".nrrd"])
def test_a_file_that_is_cut_off_while_it_is_read(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    (WRITERS | {".mrc": _mrc, ".nrrd": _nrrd})[ending](path)
    source = open_source(path)
    np.testing.assert_array_equal(source.read(), PIXELS)
    os.truncate(path, 9000)
    with pytest.raises(SourceError, match=r"became shorter while it was read: it has 9,000 of"):
        source.read((slice(3, 4), slice(200, 300), slice(0, 400)))
    path.unlink()
    with pytest.raises(SourceError, match="cannot be read any more"):
        source.read()
