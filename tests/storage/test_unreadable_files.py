"""A file that is no image says what it is, and what to do with it."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.listing.image_headers import list_images
from napari_s1omni.storage.source import open_source

PIXELS = np.arange(600, dtype=np.uint8).reshape(20, 30)
CONTENTS = {
    b"": "empty",
    b"\0" * 900: "zeros",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 132\n": "git lfs pull",
    b"\n<!DOCTYPE html><html><body>Sign in": "web page",
    b"PK\3\4" + b"\0" * 60: "unpack",
    gzip.compress(b"II*"): "unpack",
    b"\x89HDF\r\n\x1a\n": ".h5",
    b"p\0\0\0\x41\x9b\1\0*": ".lif",
    bytes(128) + b"DICM": ".dcm",
}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.sampled_from(list(CONTENTS)), ending=st.sampled_from([".tif", ".ome.tiff", ".png", ".npy", ".abc"]))
def test_what_a_file_is_decides_what_is_said(tmp_path, content, ending):
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        open_source(path)
    assert CONTENTS[content].lower() in str(caught.value).lower()


def test_a_wrong_ending_is_named(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.tif")
    with pytest.raises(SourceError, match=r"is a PNG\. .*\.png"):
        open_source(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", PIXELS)
    (tmp_path / "b.tif").write_bytes((tmp_path / "b.tif").read_bytes()[:300])
    with pytest.raises(SourceError) as caught:
        open_source(tmp_path / "b.tif")
    assert "is a TIFF" not in str(caught.value)
    # The first 128 bytes of a DICOM file are free, and some hold the header of a TIFF.
    for name in ("c.png", "c.tif"):
        (tmp_path / name).write_bytes((b"II*\0" + bytes(124)) + b"DICM" + bytes(100))
        with pytest.raises(SourceError, match="is a DICOM file"):
            list_images(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.oib", "bioio"),
        ("a.vsi", "bioformats2raw"),
        ("a.tif.gz", "Unpack"),
        ("a.xlsx", "CSV"),
        ("a.npz", "numpy.load"),
    ],
)
def test_a_container_is_refused_with_the_way_on(tmp_path, name, words):
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(SourceError, match=words):
        open_source(tmp_path / name)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_file_of_a_zarr_leads_to_its_image(tmp_path, zarr_format):
    image = tmp_path / "image.zarr"
    zarr.create_group(image, zarr_format=zarr_format).create_array("0", data=PIXELS, chunks=(10, 10))
    files = [path for path in image.rglob("*") if path.is_file()]
    assert len(files) > 6
    for path in files:
        with pytest.raises(SourceError) as caught:
            open_source(path)
        assert caught.value.remedy == f"give the folder of the image, such as {image}"
