"""Files that hold several images: listed, chosen by name or number, read lazily."""

import numpy as np
import pytest

import napari_s1omni
from napari_s1omni.core.image_references import reference_stem, short_reference, with_image
from napari_s1omni.core.paths import full_path, name_in, split_reference
from napari_s1omni.errors import JobError, SeveralImages, SourceError
from napari_s1omni.planning.job import Job, SourceRef
from napari_s1omni.storage.listing.image_headers import holds_several, list_images
from napari_s1omni.storage.readers.image_files import unique_names

NAMES = ["B/3/R1", "Größe 2", "a::b", "0"]


@pytest.fixture
def scan(scans, tmp_path):
    return scans(tmp_path / "my scan.scan", *({"name": name} for name in NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_a_reference_finds_its_image(scan, name):
    text = f"{scan}::{name}"
    assert split_reference(text) == (str(scan), name)
    assert full_path(full_path(text)) == text
    source = napari_s1omni.open_source(text)
    assert source.spec.source == text
    assert napari_s1omni.open_source(scan, image=name).spec == source.spec
    number = NAMES.index(name)
    assert source.read().max() == 60 + 40 * (number % 3)
    assert SourceRef(uri=scan, image=name).uri == text
    assert name_in(text) == "my scan.scan"
    assert short_reference(text) == f"my scan.scan::{name}"


def test_names_of_packed_files_and_paths_inside_of_files(scan):
    assert reference_stem("/data/t2.nii.gz") == reference_stem("/data/t2.nii") == "t2"
    assert napari_s1omni.open_source(f"{scan}::/B/3/R1").spec.source == f"{scan}::B/3/R1"


def test_numbers_count_from_zero_and_names_come_first(scan):
    assert napari_s1omni.open_source(scan, image=1).spec.source == f"{scan}::Größe 2"
    assert napari_s1omni.open_source(f"{scan}::2").spec.source == f"{scan}::a::b"
    # One of the images is called 0.
    assert napari_s1omni.open_source(scan, image=0).spec.source == f"{scan}::0"


def test_one_of_several_must_be_chosen(scan):
    with pytest.raises(SeveralImages, match="4 images: 'B/3/R1', 'Größe 2'") as found:
        napari_s1omni.open_source(scan)
    assert found.value.facts["images"] == NAMES
    assert found.value.exit_code == 2
    with pytest.raises(SourceError, match=r"image 'B/3/R2'.* Did you mean 'B/3/R1'"):
        napari_s1omni.open_source(scan, image="B/3/R2")
    with pytest.raises(SourceError, match="image '4'"):
        napari_s1omni.open_source(scan, image=4)
    with pytest.raises(JobError, match="two out"):
        napari_s1omni.open_source(f"{scan}::1", image=2)
    with pytest.raises(JobError, match="of an array"):
        napari_s1omni.segment(np.zeros((9, 9)), image=1)


def test_images_are_listed_without_their_pixels(scan, tmp_path, scans):
    assert [header.name for header in list_images(scan)] == NAMES
    assert [header.name for header in list_images(scan, image=1)] == ["Größe 2"]
    huge = {"name": "huge", "axes": "tczyx", "shape": [9, 2, 99, 200_000, 200_000], "levels": 9}
    [header] = list_images(scans(tmp_path / "huge.scan", huge))
    assert (header.axes, header.levels) == ("tczyx", 9)
    assert holds_several(scan)
    assert not holds_several(f"{scan}::0")
    assert not holds_several(tmp_path / "missing.scan")


def test_arrays_and_files_of_one_image_are_listed_too(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 40, 50), np.uint16))
    [header] = list_images(tmp_path / "a.npy")
    assert (header.name, header.axes, header.shape, header.dtype) == ("a", "zyx", (3, 40, 50), "uint16")
    assert napari_s1omni.open_source(tmp_path / "a.npy", image=0).spec.shape == (3, 40, 50)
    with pytest.raises(SourceError, match=r"no image .1. in .*The file holds one image"):
        napari_s1omni.open_source(tmp_path / "a.npy", image=1)
    [header] = list_images(np.zeros((40, 50, 3), np.uint8))
    assert header.axes == "yxs"


def test_equal_and_empty_names_become_different():
    assert unique_names(["R1", "R1", "", "R1 #1", "x"]) == ["R1 #2", "R1 #3", "image 2", "R1 #1", "x"]
    assert len(set(unique_names(["R1"] * 10_000))) == 10_000


def test_a_damaged_file_is_named(tmp_path, scans):
    for name, data, words in (
        ("cut.scan", b'{"images": [', "cannot be read as Test scan"),
        ("empty.scan", b"", "is empty"),
        ("none.scan", b'{"images": []}', "holds no image"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SourceError, match=words):
            napari_s1omni.open_source(tmp_path / name)


def test_a_chosen_image_is_part_of_the_path_of_a_job(scan):
    job = Job(source={"uri": str(scan), "image": 2}, operation={"type": "segmentation"})
    assert job.source.uri == f"{scan}::2"
    assert "image" not in job.model_dump()["source"]
    assert Job.read(job.model_dump(), stored=True) == job
    with pytest.raises(JobError, match="chosen by its name or number"):
        Job.read({"source": {"uri": str(scan), "image": 1.5}, "operation": {"type": "segmentation"}})


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("https://host/a.scan::B/3", ("https://host/a.scan", "B/3")),
        ("https://host/a.scan::a::b", ("https://host/a.scan", "a::b")),
        ("http://[fe80::1]:8000/a.zarr", ("http://[fe80::1]:8000/a.zarr", None)),
        ("http://[fe80::1]:8000/a.zarr::1", ("http://[fe80::1]:8000/a.zarr", "1")),
        ("simplecache::s3://bucket/a.zarr", ("simplecache::s3://bucket/a.zarr", None)),
        ("data/*.scan::0", ("data/*.scan", "0")),
        ("gone.scan::0", ("gone.scan::0", None)),
        ("a.scan::", ("a.scan::", None)),
    ],
)
def test_where_references_are_split(text, parts):
    assert split_reference(text) == parts


def test_a_file_may_hold_the_mark_in_its_name(scans, tmp_path):
    path = scans(tmp_path / "a::b.scan", {"name": "x"}, {"name": "y"})
    assert split_reference(str(path)) == (str(path), None)
    assert napari_s1omni.open_source(f"{path}::y").spec.source == f"{path}::y"


def test_names_of_what_is_made(scan):
    assert reference_stem(f"{scan}::B/3/R1") == "my scan-B-3-R1"
    assert reference_stem("/gone/scan.lif::B/3/R1") == "scan-B-3-R1"
    assert short_reference("/gone/scan.lif::B/3/R1") == "scan.lif::B/3/R1"
    assert reference_stem("/data/cells.tif") == "cells"
    assert len(reference_stem(f"{scan}::{'ä' * 400}").encode()) < 200
    assert with_image(f"{scan}::1", None) == f"{scan}::1"
