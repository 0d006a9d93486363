"""Files are read as their reference readers read them, or a note says what differs; and the measurement of it finds faults."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.benchmarks.reading import agreement
from napari_s1omni.benchmarks.reading.agreement import Finding, check, judge, measure, table
from napari_s1omni.benchmarks.reading.differences import differences
from napari_s1omni.benchmarks.reading.generated.series import generate, writers
from napari_s1omni.benchmarks.reading.lengths import measure_of
from napari_s1omni.benchmarks.reading.references.registry import REFERENCES, missing
from napari_s1omni.benchmarks.reading.seen import NotComparable, Seen, arrange

DATA = Path(os.environ.get("S1OMNI_DATA", Path(__file__).parents[3] / "shared" / "data"))


def faults(findings):
    return [f"{f.outcome}: {f.format}, {f.path}: {'; '.join(f.texts)}" for f in findings if f.is_fault]


def seen(**changes):
    about = {
        "reader": "it",
        "axes": "cyx",
        "pixels": np.arange(2 * 4 * 5).reshape(2, 4, 5),
        "scale": {"y": 0.5, "x": 0.5},
        "units": {"y": "µm", "x": "micrometer"},
        "position": {"x": 2.0},
        "names": ("a", "b"),
    }
    return Seen(**{**about, **changes})


@pytest.mark.slow
def test_generated_files_are_read_as_they_were_written():
    count = len(writers())
    findings = list(measure(None, count))
    assert len(findings) == count
    assert not faults(findings)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no folder of real images at {DATA}; set S1OMNI_DATA")
def test_real_files_are_read_as_by_their_reference_readers():
    findings = list(measure(DATA, 0, most=2))
    assert len(findings) > 100
    assert not faults(findings)
    assert not table(findings)["all"]["no reference"]


def test_equal_images_in_other_words_do_not_differ():
    spelled = seen(scale={"y": 500.0, "x": 0.5e-3}, units={"y": "nm", "x": "millimeter"}, position={"x": 0.002})
    assert not differences(seen(), spelled)
    assert not differences(seen(), seen(axes="czyx", pixels=seen().pixels[:, None]))


@pytest.mark.parametrize(
    ("aspect", "changes"),
    [
        ("images", {"images": 2}),
        ("axes", {"axes": "zyx"}),
        ("axes", {"guessed": True}),
        ("pixels", {"pixels": seen().pixels + (seen().pixels == 7)}),
        ("type", {"pixels": seen().pixels.astype(np.int16)}),
        ("scale", {"scale": {"y": 0.5, "x": 0.51}}),
        ("units", {"units": {"y": "µm", "x": None}}),
        ("units", {"units": {"y": "µm", "x": "s"}}),
        ("position", {"position": {"x": 2.5}}),
        ("names", {"names": ("a", "c")}),
        ("names", {"names": ()}),
    ],
)
def test_each_difference_is_found(aspect, changes):
    assert {d.aspect for d in differences(seen(), seen(**changes))} == {aspect}


def test_what_a_reader_leaves_open_is_not_compared():
    assert not differences(seen(), seen(scale={}, units={}, position={}, names=None))


def test_pixels_beside_a_dropped_alpha_are_compared():
    four = np.arange(4 * 4 * 5).reshape(4, 4, 5)
    ours = seen(pixels=four[:3], names=())
    assert {d.aspect for d in differences(ours, seen(pixels=four, names=()))} == {"axes"}
    assert {d.aspect for d in differences(ours, seen(pixels=four + 1, names=()))} == {"axes", "pixels"}


def test_only_a_note_on_the_difference_excuses_it():
    ours, other = seen(), seen(units={"y": "µm", "x": None})
    assert judge(Path("a"), "F", ours, ("no unit is given along x",), [other]).outcome == "noted"
    assert judge(Path("a"), "F", ours, ("the alpha channel is left out",), [other]).outcome == "silent"
    assert judge(Path("a"), "F", ours, (), [seen()]).outcome == "equal"
    assert judge(Path("a"), "F", ours, (), []).outcome == "no reference"


def test_refusals_and_failures_are_kept_apart(tmp_path, monkeypatch):
    (tmp_path / "a.tif").write_bytes(b"no image")
    assert check(tmp_path / "a.tif", "TIFF").outcome == "refused"

    def broken(path):
        raise RuntimeError("broken")

    monkeypatch.setattr(agreement, "read_ours", broken)
    found = check(tmp_path / "a.tif", "TIFF")
    assert (found.outcome, found.is_fault) == ("failed", True)
    assert "RuntimeError at test_reading_agreement.py" in found.texts[0]


def test_the_table_counts_each_format():
    rows = table([Finding("a", "TIFF", "equal"), Finding("b", "TIFF", "silent"), Finding("c", "PNG", "refused")])
    assert list(rows) == ["PNG", "TIFF", "all"]
    assert (rows["TIFF"]["files"], rows["TIFF"]["silent"], rows["all"]["refused"]) == (2, 1, 1)


def test_a_seed_gives_the_same_files(tmp_path):
    first, second = (list(generate(tmp_path / name, 12, 5)) for name in "ab")
    for one, other in zip(first, second, strict=True):
        assert one.path.relative_to(tmp_path / "a") == other.path.relative_to(tmp_path / "b")
        assert not differences(one.truth, other.truth)


def test_every_reference_reader_has_its_library_here():
    # With the packages of the tests, nothing is skipped.
    assert missing() == []
    assert len({r.name for r in REFERENCES}) == len(REFERENCES)


def test_a_file_that_everybody_reads(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.eye(9, dtype=np.uint8), photometric="minisblack")
    assert check(tmp_path / "a.tif", "TIFF").outcome == "equal"


@settings(max_examples=60, deadline=None)
@given(st.permutations("tczyx"), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_dimensions_are_only_moved(order, count, seed):
    letters = "".join(a for a in order if a in ("y", "x", *"tcz"[: count - 2]))
    shape = [2 + "tczyx".index(a) for a in letters]
    pixels = np.random.default_rng(seed).integers(0, 99, shape)
    axes, moved, guessed = arrange(letters, pixels)
    assert axes == "".join(a for a in "tczyx" if a in letters)
    assert not guessed
    np.testing.assert_array_equal(moved.transpose([axes.index(a) for a in letters]), pixels)


@pytest.mark.parametrize(
    ("letters", "shape", "axes", "guessed"),
    [
        *(("??", (4, 5), "yx", True), ("?yx", (3, 4, 5), "zyx", True), ("qyx", (1, 4, 5), "yx", False)),
        *(("cyxs", (1, 4, 5, 3), "cyx", False), ("syx", (3, 4, 5), "cyx", False)),
    ],
)
def test_dimensions_without_a_known_letter(letters, shape, axes, guessed):
    found = arrange(letters, np.zeros(shape))
    assert (found[0], found[2]) == (axes, guessed)


def test_other_axes_are_not_compared():
    for letters, shape in (("qyx", (2, 4, 5)), ("cyxs", (2, 4, 5, 3)), ("zy", (2, 4))):
        with pytest.raises(NotComparable):
            arrange(letters, np.zeros(shape))


@pytest.mark.parametrize(
    ("unit", "measure", "size"),
    [
        *(("micrometer", "length", 1e-6), ("µm", "length", 1e-6), ("um", "length", 1e-6), ("Å", "length", 1e-10)),
        *(("mm", "length", 1e-3), ("Mm", "length", 1e6), ("inch", "length", 0.0254), ("ms", "time", 1e-3)),
        *(("min", "time", 60.0), ("hour", "time", 3600.0), ("pixel", "", 1.0), (None, "", 1.0), ("foo", "foo", 1.0)),
    ],
)
def test_units(unit, measure, size):
    found = measure_of(unit)
    assert found[0] == measure
    assert found[1] == pytest.approx(size)
