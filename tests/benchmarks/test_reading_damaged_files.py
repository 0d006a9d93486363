"""Damaged files give an error of this package, the right image or a note; and the fuzzing itself finds faults."""

from __future__ import annotations

import json
import random
import sys

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_s1omni.benchmarks.fuzzing import fuzz as fuzzing
from napari_s1omni.benchmarks.fuzzing.damage import Original, damaged
from napari_s1omni.benchmarks.fuzzing.damaged_bytes import ANY
from napari_s1omni.benchmarks.fuzzing.damaged_headers import nifti_field, png_size, tiff_tag
from napari_s1omni.benchmarks.fuzzing.damaged_json import damage_json
from napari_s1omni.benchmarks.fuzzing.fuzz import FAULTS, OUTCOMES, fuzz
from napari_s1omni.benchmarks.fuzzing.originals import originals


@pytest.fixture
def picture(tmp_path):
    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(tmp_path / "a.png")
    return Original(tmp_path / "a.png")


@pytest.fixture
def store(tmp_path):
    group = zarr.create_group(tmp_path / "a.zarr")
    group.create_array("0", data=np.arange(400, dtype=np.uint16).reshape(20, 20), chunks=(10, 10))
    axes = [{"name": a, "type": "space"} for a in "yx"]
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0, 1.0]}]}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    return Original(tmp_path / "a.zarr")


@pytest.mark.slow
def test_damaged_files_end_in_no_fault(tmp_path):
    found = originals(tmp_path, None, generated=10, seed=0)
    assert len(found) > 15
    trials = list(fuzz(found, seed=0, count=150))
    assert {t.outcome for t in trials} <= set(OUTCOMES)
    assert not [f"{t.outcome}: {t.original}, {'; '.join(t.changes)}: {t.text}" for t in trials if t.outcome in FAULTS]


def test_the_same_seed_does_the_same_damage(tmp_path, picture, store):
    for original in (picture, store):
        kept = []
        for name in ("first", "second"):
            folder = tmp_path / name / original.root.name
            folder.mkdir(parents=True)
            path, changes = damaged(original, folder, random.Random("1:2"))
            files = sorted(p for p in folder.rglob("*") if p.is_file())
            kept.append((changes, [(p.relative_to(folder), p.read_bytes()) for p in files]))
        assert kept[0] == kept[1]


def test_a_hanging_reader_is_stopped_and_the_next_image_is_read(picture):
    outcomes = [trial.outcome for trial in fuzz([picture], count=1, seconds=0.01)]
    assert outcomes == ["hang"]


def test_a_process_that_ends_is_a_crash(picture, monkeypatch, tmp_path):
    (tmp_path / "ending_process.py").write_text("import sys\nsys.stdin.readline()\nsys.exit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(fuzzing.reading_process, "__name__", "ending_process")
    trials = list(fuzz([picture], count=2, keep=tmp_path / "kept"))
    assert [(t.outcome, t.text) for t in trials] == [("crash", "exit code 3")] * 2
    kept = sorted((tmp_path / "kept").iterdir())
    assert [folder.name for folder in kept] == ["crash-000000", "crash-000001"]
    assert json.loads((kept[0] / "trial.json").read_text())["original"] == str(picture.root)
    assert (kept[0] / "a.png").exists()


def test_an_undamaged_image_is_right(picture, store, monkeypatch):
    monkeypatch.setattr(fuzzing, "damaged", lambda original, folder, rng: (original.path, []))
    assert {t.outcome for t in fuzz([picture, store], count=4)} == {"equal"}


def test_time_is_a_limit_too(picture):
    assert len(list(fuzz([picture], minutes=0))) == 0


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=12,
    ),
    st.integers(0, 10**6),
)
def test_damaged_json_is_still_json(document, seed):
    text, told = damage_json(json.dumps(document), random.Random(seed))
    assert told
    if "deep" not in told:
        json.loads(text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 10**6))
def test_any_bytes_can_be_damaged(data, seed):
    for change in (*ANY, tiff_tag, png_size, nifti_field):
        assert change(bytearray(data), random.Random(seed))


def test_a_tag_is_changed_where_it_stands(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 9), np.uint8), photometric="minisblack")
    data = (tmp_path / "a.tif").read_bytes()
    changed = bytearray(data)
    told = tiff_tag(changed, random.Random(1))
    assert "of tag" in told
    assert len(changed) == len(data)
    assert changed != data


def test_the_reading_process_bounds_its_memory():
    import subprocess

    program = (
        "import numpy as np\nfrom napari_s1omni.system.memory import limit_own_memory\nlimit_own_memory(2**28)\n"
        "np.ones(2**24)\ntry:\n    np.ones(2**27)\nexcept MemoryError:\n    print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "refused"
