"""Axes are known by whole words, alike in every reader; an unknown one is a question, never a guess."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.axis_names import axis_letter, name_axes
from napari_s1omni.storage.source import open_source

WORDS = {
    "z": ["z", "slice", "section", "plane", "depth", "stack"],
    "t": ["t", "time", "frame", "timepoint", "time point"],
    "c": ["c", "ch", "channel", "wavelength", "stain", "band"],
    "y": ["y", "row", "line"],
    "x": ["x", "column", "col"],
}
UNKNOWN = ["stage", "scene", "spectral", "tile", "zoom", "camera", "angle", "position", "lifetime", "stain_batch", "b"]
KNOWN = [(word, letter) for letter, words in WORDS.items() for word in words]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KNOWN),
    st.sampled_from([str.lower, str.upper, str.title]),
    st.sampled_from(["{}", " {} ", "{}_axis", "{}-index", "{}s"]),
)
def test_a_word_keeps_its_meaning_in_any_spelling(known, case, form):
    word, letter = known
    if len(word) < 3 and form == "{}s":
        form = "{}"
    assert axis_letter(case(form.format(word))) == letter


@pytest.mark.parametrize("word", UNKNOWN)
def test_other_words_have_no_letter(word):
    assert axis_letter(word) is None


def ngff(path, names, shape, kinds=None):
    group = zarr.create_group(path)
    group.create_array("0", data=np.zeros(shape, np.uint16))
    axes = [
        {"name": name, **({"type": kind} if kind else {})}
        for name, kind in zip(names, kinds or [None] * len(names), strict=True)
    ]
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [2.0] * len(names)}]}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    return path


def labelled(path, names, shape):
    xarray = pytest.importorskip("xarray")
    return xarray.DataArray(np.zeros(shape, np.uint16), dims=names)


def bare(path, names, shape):
    zarr.create_array(path, data=np.zeros(shape, np.uint16), dimension_names=names)
    return path


def given_by_the_user(path, names, shape):
    return open_source(np.zeros(shape, np.uint16), axes=", ".join(names))


ROUTES = [ngff, labelled, bare, given_by_the_user]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(("word", "letter"), [("slice", "z"), ("Section", "z"), ("frame", "t"), ("wavelengths", "c")])
def test_a_word_has_the_same_meaning_in_every_reader(tmp_path, route, word, letter):
    spec = open_source(route(str(tmp_path / "a.zarr"), [word, "row", "column"], (5, 20, 30))).spec
    assert spec.axes == (letter, "y", "x")
    assert not spec.rgb


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("word", ["stage", "spectral", "sample"])
def test_an_unknown_axis_is_a_question_with_its_answers(tmp_path, route, word):
    with pytest.raises(SourceError, match=rf"axis '{word}'.* 5 px.*axes='zyx' if these are planes.*one of the 5"):
        open_source(route(str(tmp_path / "a.zarr"), [word, "y", "x"], (5, 20, 30)))


@pytest.mark.parametrize("route", ROUTES)
def test_an_unknown_axis_of_one_pixel_is_left_out_with_a_note(tmp_path, route):
    source = open_source(route(str(tmp_path / "a.zarr"), ["camera", "y", "x"], (1, 20, 30)))
    assert source.spec.axes == ("y", "x")
    assert any("'camera' of 1 px" in note for note in source.notes)


def test_the_user_names_an_unknown_axis_and_its_pixel_size_stays(tmp_path):
    path = ngff(str(tmp_path / "a.zarr"), ["stage", "y", "x"], (5, 20, 30))
    spec = open_source(path, axes="zyx").spec
    assert (spec.axes, spec.scale) == (("z", "y", "x"), (2.0, 2.0, 2.0))


def test_a_length_does_not_become_a_time(tmp_path):
    source = open_source(ngff(str(tmp_path / "a.zarr"), ["z", "y", "x"], (5, 20, 30)), axes="tyx")
    assert source.spec.scale == (1.0, 2.0, 2.0)
    assert any("2.0 along z is not used for t" in note for note in source.notes)


@pytest.mark.parametrize(
    ("names", "kinds", "letters"),
    [
        (["stage", "y", "x"], ["space", "space", "space"], "zyx"),
        (["cycle", "y", "x"], ["time", "space", "space"], "tyx"),
        (["probe", "y", "x"], ["channel", "space", "space"], "cyx"),
        (["a", "b"], ["space", "space"], "01"),
        (["a", "b", "y", "x"], ["time", "time", "space", "space"], "01yx"),
        (["y", "frame", "x"], ["space", "space", "space"], "y1x"),
    ],
)
def test_a_type_decides_only_where_one_letter_is_possible(names, kinds, letters):
    named = name_axes(names, (5,) * len(names), kinds)
    assert named.letters == letters
    assert bool(named.notes) == (names[0] in ("stage", "cycle", "probe"))


def test_two_words_for_one_axis_are_not_mixed_up(tmp_path):
    with pytest.raises(SourceError, match=r"frame, time, y, x.*'ttyx'.*no letter twice"):
        open_source(bare(str(tmp_path / "a"), ["frame", "time", "y", "x"], (3, 4, 20, 30)))
    source = open_source(bare(str(tmp_path / "b"), ["frame", "time", "y", "x"], (1, 4, 20, 30)))
    assert source.spec.axes == ("t", "y", "x")


def test_letters_of_tiff_have_their_names(tmp_path):
    stack = np.zeros((4, 20, 30), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, metadata={"axes": "AYX"}, photometric="minisblack")
    with pytest.raises(SourceError, match=r"'a' \(angle\)"):
        open_source(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "e.tif", stack, metadata={"axes": "EYX"}, photometric="minisblack")
    source = open_source(tmp_path / "e.tif")
    assert source.spec.axes == ("c", "y", "x")
    assert any("wavelength" in note for note in source.notes)


@pytest.mark.parametrize(
    ("name", "n", "rgb"), [("rgb", 3, True), ("sample", 4, True), ("color", 3, True), ("color", 5, 0)]
)
def test_colour_samples_have_three_or_four_values(name, n, rgb):
    xarray = pytest.importorskip("xarray")
    pixels = np.random.default_rng(0).integers(0, 9, (20, 30, n))
    spec = open_source(xarray.DataArray(pixels, dims=("y", "x", name))).spec
    assert spec.rgb == rgb
    assert spec.axes == ("c", "y", "x")
