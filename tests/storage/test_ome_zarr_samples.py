"""Every published OME-Zarr sample reads like the zarr array, or gives an error that names file, key and remedy."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_s1omni.errors import SourceError
from napari_s1omni.storage import formats_page
from napari_s1omni.storage.source import open_source

HERE = Path(__file__).parents[2]
DATA = Path(os.environ.get("S1OMNI_DATA", HERE.parent / "shared" / "data")) / "omezarr"
samples = pytest.mark.skipif(not DATA.is_dir(), reason=f"no folder of sample images at {DATA}; set S1OMNI_DATA")


IMAGES = [p.relative_to(DATA).as_posix() for p in formats_page.groups(DATA)] if DATA.is_dir() else []

REFUSED = {
    "ome-zarr-examples/invalid/image-01.zarr": "multiscales",
    "ome-zarr-examples/invalid/image-02.zarr": "multiscales",
    "ome-zarr-examples/invalid/image-03.zarr": r"datasets\[0\].path: '0'",
    "ome-zarr-examples/valid/plate-01.zarr": "A/1/0",
    "ome-zarr-models_v04_hcs/hcs_example.ome.zarr": "B/03/0",
    "ome-zarr-py_old/v1": "OME-Zarr 0.1.*onvert it",
    "ome-zarr-py_old/v2": "OME-Zarr 0.2.*onvert it",
    "yaozarrs_v05_broken/broken_v05.ome.zarr": "A/1/0",
    "yaozarrs_v05_broken/broken_v05.ome.zarr/A/1/0": r"datasets\[0\].path",
    "yaozarrs_v05_broken/broken_v05.ome.zarr/A/1/1/labels/annotations": "key 'data_type' is missing",
    "yaozarrs_v05_broken/broken_v05.ome.zarr/B/1/0": r"datasets\[0\].path.*chunk",
    "yaozarrs_v05_broken/broken_v05.ome.zarr/B/1/0/labels/annotations": "image-label.*float32.*integers",
    "yaozarrs_v05_broken/broken_v05.ome.zarr/B/2/0": r"datasets\[0\].path.*metadata",
    "yaozarrs_v05_broken/broken_v05.ome.zarr/B/3/1": "metadata",
    "yaozarrs_v05_broken/broken_v05.ome.zarr/C/2/0": "multiscales",
}


@pytest.mark.data
@samples
@pytest.mark.parametrize("name", IMAGES)
def test_sample(name):
    path = DATA / name
    if name in REFUSED:
        with pytest.raises(SourceError, match=REFUSED[name]) as caught:
            open_source(path)
        assert str(path) in str(caught.value), "the error names the file"
        assert caught.value.remedy, "and the fix"
        return
    source = open_source(path)
    group = zarr.open_group(path, mode="r")
    about = dict(group.attrs)
    image = about.get("ome", about)["multiscales"][0]
    stored = group[image["datasets"][0]["path"]]
    letters = [a["name"] for a in image["axes"]]
    expected = np.asarray(stored[...]).transpose([letters.index(a) for a in source.spec.axes])
    np.testing.assert_array_equal(source.read(), expected)
    assert source.spec.dtype == stored.dtype.name


@pytest.mark.data
@samples
def test_the_samples_hold_every_case():
    assert len(IMAGES) > 30
    assert set(REFUSED) <= set(IMAGES)


@pytest.mark.data
@samples
@pytest.mark.parametrize("name", ["ome-zarr-examples/valid/image-02.zarr", "ome-zarr-examples/valid/image-03.zarr"])
def test_samples_with_pixels_are_not_empty(name):
    assert open_source(DATA / name).read().std() > 0


def test_the_page_of_formats_is_what_the_command_makes():
    pytest.importorskip("nibabel")
    page = (HERE / "docs" / "formats.md").read_text(encoding="utf-8")
    assert page.startswith(formats_page.page(None))


@pytest.mark.data
@samples
def test_the_table_of_samples_is_what_the_command_makes():
    page = (HERE / "docs" / "formats.md").read_text(encoding="utf-8")
    assert page == formats_page.page(DATA)


def test_the_command_writes_the_page(tmp_path):
    pytest.importorskip("nibabel")
    zarr.create_group(tmp_path / "data" / "a.zarr")
    formats_page.main([str(tmp_path / "page.md"), "--data", str(tmp_path / "data")])
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| `a.zarr` | **SourceError**: a.zarr is a group without the key multiscales" in page
