"""Paths and URLs in every form that people write them."""

import os
import string
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.core.paths import full_path, is_left_by_system, is_url, local_path, name_in, settled_path
from napari_s1omni.errors import JobError


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("a.tif", "work/a.tif"),
        ("./a.tif", "work/a.tif"),
        ("../a.tif", "a.tif"),
        ("../gone/../a.tif", "a.tif"),
        ("out.zarr/", "work/out.zarr"),
        ("~/a.tif", "home/a.tif"),
        ("~", "home"),
        (Path("~/a.tif"), "home/a.tif"),
        (Path("b/c"), "work/b/c"),
        ("file://~/a.tif", "home/a.tif"),
        ("file:///{}/my%20image.tif", "my image.tif"),
        ("FILE://localhost/{}/a.tif", "a.tif"),
        ("file:/{}/a.tif", "a.tif"),
        ("a%20b.tif", "work/a%20b.tif"),
        ("a.tif\r\n", "work/a.tif"),
        ("./~x", "work/~x"),
        ("cost $5.tif", "work/cost $5.tif"),
    ],
)
def test_forms_of_local_paths(home, given, full):
    text = given.format(str(home).lstrip("/")) if isinstance(given, str) else given
    assert full_path(text) == str(home / full)
    assert local_path(text) == home / full


def test_a_file_that_is_really_called_so_is_found(home):
    for name in ("a%20b.tif", "~$notes.tif", "C:x", "b\\c.tif", "$RAW.tif"):
        Path(name).touch()
        assert full_path(name) == str(home / "work" / name)
    assert full_path(f"file://{home}/work/a%20b.tif") == str(home / "work/a%20b.tif")
    Path("a b.tif").touch()
    assert full_path(f"file://{home}/work/a%20b.tif") == str(home / "work/a b.tif")


def test_links_stay_and_their_parents_are_those_of_the_disk(home):
    (home / "far/deep").mkdir(parents=True)
    Path("link").symlink_to(home / "far/deep")
    assert full_path("link/a.tif") == str(home / "work/link/a.tif")
    assert full_path("link/../a.tif") == str(home / "far/a.tif")


def test_accents_are_found_as_the_disk_stores_them(home):
    stored = unicodedata.normalize("NFD", "zellen für heute.tif")
    Path(stored).touch()
    assert full_path(unicodedata.normalize("NFC", stored)) == str(home / "work" / stored)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://h/~user/a.tif?x=1", "https://h/~user/a.tif?x=1"),
        ("S3://bucket/a.zarr", "s3://bucket/a.zarr"),
        (Path("s3://bucket/a.zarr"), "s3://bucket/a.zarr"),
        ("simplecache::https://h/a.tif", "simplecache::https://h/a.tif"),
        ("synthetic://nuclei?shape=9,9", "synthetic://nuclei?shape=9,9"),
    ],
)
def test_urls_stay(home, url, kept):
    assert full_path(url) == kept
    with pytest.raises(JobError, match="is a URL") as caught:
        local_path(url)
    assert kept in caught.value.given


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (r"C:\data\a.tif", "path of Windows"),
        ("D:/data/a.tif", "path of Windows"),
        ("file:///C:/data/a.tif", "path of Windows"),
        (r"\\server\share\a.tif", "path of Windows"),
        (r"data\a.tif", "path of Windows"),
        ("file://server/share/a.tif", "machine 'server'"),
        ("~nobody-of-that-name/a.tif", "no home folder"),
        ("$HOME/a.tif", r"holds '\$HOME'"),
        ("${SCRATCH}/out.zarr", r"holds '\$\{SCRATCH\}'"),
        ("%USERPROFILE%/a.tif", "holds '%USERPROFILE%'"),
        ("", "path names a file"),
        ("a\0b", "path names a file"),
    ],
)
def test_what_cannot_be_a_path_here_is_refused_with_the_reason(home, given, words):
    with pytest.raises(JobError, match=words):
        full_path(given)
    assert settled_path(given) == given, "a result of another machine still opens"


def test_a_deleted_working_folder_is_named(home):
    os.rmdir(home / "work")
    with pytest.raises(JobError, match="was deleted"):
        full_path("a.tif")


def test_names():
    assert name_in("https://h/x/a.tif?token=b/c.png#d") == "a.tif"
    assert name_in("/x/my image.ome.zarr/") == "my image.ome.zarr"
    left = ["._a.tif", ".DS_Store", "__MACOSX", "Thumbs.db", "desktop.ini", "~$table.xlsx", "@eaDir"]
    assert all(map(is_left_by_system, left))
    assert not any(map(is_left_by_system, ["a.tif", ".s1omni", "zarr.json", ".zgroup", "~a.tif"]))


NAMES = st.text(string.ascii_letters + string.digits + " %#?+&;,=äé日-_.", min_size=1, max_size=12).filter(
    lambda name: name.strip(". ") == name and "%" not in name.strip("%")
)


@settings(max_examples=60, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=3))
def test_every_form_of_one_path_is_the_same_path(tmp_path_factory, names):
    folder = Path(os.path.realpath(tmp_path_factory.mktemp("paths")))
    path = folder.joinpath(*names)
    forms = [
        str(path),
        path,
        f"{path}/",
        f"file://{quote(str(path))}",
        f"file://localhost{quote(str(path))}",
        f"{folder}/gone/../{'/'.join(names)}",
        os.path.relpath(path),
    ]
    assert {full_path(form) for form in forms} == {str(path)}
    assert not is_url(full_path(forms[0]))
