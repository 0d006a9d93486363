"""Images in folders and by patterns: what is found, what is skipped, and what each is called."""

import os

import numpy as np
import pytest

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.collections import list_sources
from napari_s1omni.storage.listing.image_search import images_in
from napari_s1omni.storage.listing.names import names_of
from napari_s1omni.storage.source import open_source


@pytest.fixture
def home(tmp_path):
    """Images at three depths, hidden ones, a Zarr store, a result and the folder of a batch."""
    for name in (
        "top.png",
        "a/img.png",
        "a/deep/er/img.png",
        "b/img.png",
        "b/Img.PNG",
        "b/notes.txt",
        "b/.hidden.png",
        ".cache/img.png",
        "__MACOSX/a/._img.png",
        "store.zarr/zarr.json",
        "store.zarr/0/zarr.json",
        "result.zarr/zarr.json",
        "result.zarr/.s1omni/lock",
        "results/batch.csv",
        "results/sheet.png",
        "results/img.zarr/zarr.json",
        "results/img.zarr/.s1omni/lock",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def found(home, pattern):
    entries = list_sources(f"{home}/{pattern}" if pattern else home)
    return {entry.name: entry.uri.removeprefix(f"{home}/") for entry in entries}, entries


def test_two_stars_search_all_folders_but_hidden_ones_stores_and_batches(home):
    names, entries = found(home, "**/*.png")
    assert names == {
        "top": "top.png",
        "a-img.png": "a/img.png",
        "er-img.png": "a/deep/er/img.png",
        "b-img.png": "b/img.png",
    }
    assert entries.skipped == 1 + 2  # hidden; the sheet and the result in the folder of the batch
    names, entries = found(home, "**/*")
    assert {*names.values()} == {*"top.png store.zarr a/img.png a/deep/er/img.png b/img.png b/Img.PNG".split()}
    assert len({name.casefold() for name in names}) == 6
    said = " ".join(entries.notes)
    assert "1 hidden file " in said
    assert "1 .txt" in said
    assert "3 results of earlier runs are skipped" in said
    assert found(home, "**/deep/**/*.png")[0] == {"img": "a/deep/er/img.png"}
    assert found(home, "a/**")[0].keys() == {"a-img.png", "er-img.png"}


def test_one_star_searches_one_folder_and_says_so(home):
    names, entries = found(home, "*/*.png")
    assert {*names.values()} == {"a/img.png", "b/img.png", "results/sheet.png"}
    assert entries.skipped == 2
    names, entries = found(home, "**.png")
    assert names == {"top": "top.png"}
    assert "'**.png' searches one folder; '**/*.png' searches those inside it too" in entries.notes
    names, entries = found(home, "")
    assert {*names.values()} == {"top.png", "store.zarr"}
    assert any("2 folders are not searched; the pattern" in note for note in entries.notes)
    with pytest.raises(SourceError, match="holds no images: 1 hidden file "):
        found(home, ".cac*/*.png")


def test_a_loop_of_links_is_searched_once(home):
    os.symlink(home, home / "a" / "again")
    assert len(found(home, "**/*.png")[0]) == 4


@pytest.mark.parametrize(
    ("places", "names"),
    [
        (["/d/a/x.tif", "/d/b/x.tif"], ["a-x.tif", "b-x.tif"]),
        (["/d/a/x.tif", "/d/a/X.tif"], ["x", "x-2"]),
        (["/d/x.tif", "/d/x.png", "/d/y.png"], ["x.tif", "x.png", "y"]),
        (["/d/x.tif", "/d/x.tif"], ["x", "x-2"]),
        (["/d/a/b-x.tif", "/d/a-b/x.tif", "/d/a-b/b-x.png"], ["b-x.tif", "x", "b-x.png"]),
        (["/e/q/x.tif", "/q/x.tif", "/e-q-x.tif", "/e-q-x.png"], ["e-q-x.tif", "q-x.tif", "e-q-x.tif-2", "e-q-x.png"]),
        (["https://h/a/x.tif?token=1", "https://h/b/x.tif?token=2"], ["a-x.tif", "b-x.tif"]),
    ],
)
def test_names_differ_whatever_the_places(places, names):
    got = names_of(places)
    assert len({name.casefold() for name in got}) == len(places)
    assert not any("/" in name for name in got)
    assert got == names


def test_names_of_a_list(tmp_path):
    for name in ("a.npy", "b.npy", "c.npy"):
        (tmp_path / name).touch()
    table = tmp_path / "list.csv"
    table.write_text("source,Name,dose\na.npy,b,1\nb.npy,,2\nc.npy,well 7.zarr,\na.npy,,3\na.npy,,4\n")
    entries = list_sources(table)
    assert [e.name for e in entries] == ["b", "b-2", "well 7", "a", "a-2"]
    assert [e.named for e in entries] == [True, False, True, False, False]
    assert entries[0].changes == {"dose": "1"}
    for rows, words in (
        ("a.npy,x\nb.npy,X\n", "rows 1 and 2 of .* have the name 'X'"),
        ("a.npy,../x\n", "row 1 of .* has the name '../x'. A name has none of"),
        ("a.npy,.x\n", "neither begins nor ends"),
        (f"a.npy,{'ü' * 150}\n", "at most 200 bytes"),
    ):
        table.write_text(f"source,name\n{rows}")
        with pytest.raises(SourceError, match=words):
            list_sources(table)


def test_slices_among_other_images_are_said(tmp_path):
    for name in ("1.dcm", "2.dcm"):
        (tmp_path / name).write_bytes(bytes(128) + b"DICM" + bytes(20))
    for i in range(5):
        np.save(tmp_path / f"{i}.npy", np.zeros((4, 4)))
    found = images_in(tmp_path)
    assert len(found.paths) == 7
    assert "2 DICOM files lie among others" in " ".join(found.notes(str(tmp_path)))


def test_a_mistyped_ending_is_guessed(tmp_path):
    (tmp_path / "a.tiv").touch()
    with pytest.raises(SourceError, match=r"Did you mean '\.tif'"):
        open_source(tmp_path / "a.tiv")
