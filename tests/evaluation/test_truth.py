"""Ground truth as people store it: floats, -1 as ground, large ids, colours, axes of one pixel."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.io import imsave

import napari_s1omni
from napari_s1omni.__main__ import main
from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation import metrics
from napari_s1omni.evaluation.truth import as_labels

SMALL = arrays.arrays(np.int16, arrays.array_shapes(min_dims=2, max_dims=3, max_side=9), elements=st.integers(0, 7))


def same_objects(a, b):
    """Whether two label arrays have the same objects, whatever their numbers are."""
    return ((a > 0) == (b > 0)).all() and metrics.match(a, b, (1.0,))[0].average_precision == 1


@settings(max_examples=60, deadline=None)
@given(SMALL, st.sampled_from(["f2", "f4", "f8", "u8", "i8", "large", "minus1", "nan", "colours", "bool"]))
def test_the_same_objects_in_every_form(labels, form):
    stored, rgb = labels.astype(form if form in ("f2", "f4", "f8", "u8", "i8") else "i8"), False
    match form:
        case "large":
            stored = labels.astype(np.uint64) * np.uint64(2**61 - 1)
        case "minus1":
            stored = np.where(labels > 0, labels, -1)
        case "nan":
            stored = np.where(labels > 0, labels, np.nan).astype(np.float32)
        case "bool":
            stored, labels = labels > 0, (labels > 0).astype(np.int16)
        case "colours":
            table = np.array(
                [[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9], [1, 0, 0], [0, 1, 0], [8, 0, 8]]
            )
            plane = np.zeros((40, 40), np.int16)
            plane[:9, :9].flat[: labels[:1].size] = labels[:1].ravel()[:81]
            labels, rgb = plane, True
            stored = np.moveaxis(table[plane].astype(np.uint8), -1, 0)
    read, notes = as_labels(stored, "the truth", rgb=rgb)
    assert read.dtype.kind in "iu"
    assert same_objects(read, labels)
    assert bool(notes) == ((form in ("minus1", "nan") and not (labels > 0).all()) or rgb)


@pytest.mark.parametrize(
    ("pixels", "rgb", "words"),
    [
        (np.array([[0.5, 1]]), False, r"holds 0\.5"),
        (np.array([[1e30, 1]]), False, "holds 1e\\+30"),
        (np.array([["a"]]), False, "whole numbers"),
        (np.full((3, 9, 9), 255, np.uint8), True, "without black"),
        (np.arange(300, dtype=np.uint8).reshape(3, 10, 10) - np.uint8(100), True, "like a photograph|without black"),
        (np.zeros((3, 9, 9), np.float32), True, "8 or 16 bits"),
    ],
)
def test_what_is_no_label_image_is_refused(pixels, rgb, words):
    with pytest.raises(SourceError, match=words):
        as_labels(pixels, "the truth", rgb=rgb)


def test_zero_beside_minus_one_is_said():
    _, notes = as_labels(np.array([[-1, 0, 1]]), "the truth")
    assert "so does 0" in notes[0]
    _, notes = as_labels(np.array([[0, 2**25]], np.float32), "the truth")
    assert "neighbouring ids are one" in notes[0]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("truth")
    made = napari_s1omni.segment(
        "synthetic://nuclei?shape=90,120&noise=0", folder / "o.zarr", prompt="nuclei, 20 px", engine="reference"
    )
    return made, np.asarray(made.array[...]), folder


def evaluate(result, truth, monkeypatch, capsys, code=0):
    monkeypatch.setattr(sys, "argv", ["s1omni", "evaluate", str(result.path), "--truth", str(truth), "--json"])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    assert end.value.code == code, said.err
    return (json.loads(said.out)["AP at IoU 0.5"] if code == 0 else None), said.err


def test_every_form_scores_alike_on_the_command_line(result, monkeypatch, capsys):
    made, labels, folder = result
    colours = np.random.default_rng(0).integers(1, 255, (labels.max() + 1, 3)).astype(np.uint8)
    colours[0] = 0
    imsave(folder / "colours.png", colours[labels], check_contrast=False)
    forms = {
        "f4": labels.astype(np.float32),
        "minus": np.where(labels > 0, labels.astype(int), -1),
        "nan": np.where(labels > 0, labels, np.nan),
        "first": labels[None],
        "two": labels[None, None],
        "last": labels[..., None],
        "between": labels[:, None],
        "five": labels[None, None, None],
    }
    for name, pixels in forms.items():
        np.save(folder / f"{name}.npy", pixels)
    for name in (*(f"{name}.npy" for name in forms), "colours.png"):
        score, said = evaluate(made, folder / name, monkeypatch, capsys)
        assert score == 1, (name, said)
    np.save(folder / "mask.npy", labels > 0)
    score, said = evaluate(made, folder / "mask.npy", monkeypatch, capsys)
    assert "one object only" in said
    np.save(folder / "border.npy", labels[2:-2, 3:])
    _, said = evaluate(made, folder / "border.npy", monkeypatch, capsys, code=2)
    assert "-4 px along y, -3 px along x" in said


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Four time points of one disc each, of which the last two were segmented; the folder, and the labels."""
    folder = tmp_path_factory.mktemp("series")
    y, x = np.mgrid[:64, :64]
    centres = ((20, 20), (40, 20), (20, 40), (40, 44))
    labels = np.stack([(y - a) ** 2 + (x - b) ** 2 <= 64 for a, b in centres]).astype(np.uint16)
    image = napari_s1omni.open_source(200 + 2000 * labels, axes="tyx")
    napari_s1omni.segment(
        image, folder / "o.zarr", prompt="segment the discs, about 16 px", engine="reference", region={"t": (2, 4)}
    )
    return folder, labels


def evaluate_series(series, truth, monkeypatch, capsys):
    folder, _ = series
    np.save(folder / "truth.npy", truth)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(
        sys, "argv", ["s1omni", "evaluate", "o.zarr", "--truth", "truth.npy", "--axes", "tyx", "--json"]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err


def test_truth_of_a_series_is_cut_in_time_and_compared_at_each_time_point(series, monkeypatch, capsys):
    labels = series[1]
    for truth in (labels, labels[2:], labels * np.arange(1, 5, dtype=np.uint16)[:, None, None]):
        code, out, err = evaluate_series(series, truth, monkeypatch, capsys)
        assert code == 0, err
        assert json.loads(out)["true positives"] == 2
        assert json.loads(out)["AP at IoU 0.75"] == 1


@pytest.mark.parametrize("size", [(3, 64, 64), (2, 70, 64), (4, 64, 100), (2, 60, 64)])
def test_truth_that_lies_anywhere_is_refused(series, size, monkeypatch, capsys):
    code, _, err = evaluate_series(series, np.ones(size, np.uint16), monkeypatch, capsys)
    assert code == 2
    assert "the whole source" in err
