"""``s1omni bench readers`` and ``s1omni bench fuzz``: tables, JSON and exit codes."""

import json

import numpy as np
import tifffile

from napari_s1omni.benchmarks.fuzzing.fuzz import Trial
from napari_s1omni.benchmarks.reading.agreement import Finding
from napari_s1omni.frontends.cli.bench import fuzz as fuzz_command
from napari_s1omni.frontends.cli.bench import readers as readers_command


def folder_of_images(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for i in range(3):
        tifffile.imwrite(folder / f"{i}.tif", np.eye(9 + i, dtype=np.uint8), photometric="minisblack")
    return folder


def test_equal_files_end_with_0(s1omni, tmp_path):
    folder_of_images(tmp_path)
    ended = s1omni("bench", "readers", "--data", "data", "--generated", 0, "--most", 2)
    assert ended.code == 0, ended.out + ended.err
    assert "| format | files | equal | noted | refused | silent | failed | no reference |" in ended.out
    assert "| TIFF | 2 | 2 | 0 | 0 | 0 | 0 | 0 |" in ended.out
    told = json.loads(s1omni("bench", "readers", "--data", "data", "--generated", 0, "--json").out)
    assert told["formats"]["all"]["equal"] == 3
    assert told["faults"] == []


def test_a_silent_difference_ends_with_1_and_is_shown(s1omni, tmp_path, monkeypatch):
    found = [Finding("a.tif", "TIFF", "silent", ("units (tifffile): x: None against µm",))]
    monkeypatch.setattr(readers_command, "measure", lambda *given: found)
    ended = s1omni("bench", "readers", "--data", tmp_path)
    assert ended.code == 1
    assert "silent: TIFF, a.tif: units (tifffile): x: None against µm" in ended.out
    ended = s1omni("bench", "readers", "--data", tmp_path, "--json")
    assert ended.code == 1
    assert json.loads(ended.out)["faults"][0]["outcome"] == "silent"


def test_a_missing_folder_is_refused_and_without_one_generated_files_are_read(s1omni, tmp_path, monkeypatch):
    ended = s1omni("bench", "readers", "--data", "nowhere", "--generated", 1)
    assert (ended.code, "there is no folder nowhere" in ended.err) == (2, True)
    monkeypatch.delenv("S1OMNI_DATA", raising=False)
    ended = s1omni("bench", "readers", "--generated", 1, "--keep", "kept", "--json")
    assert "only generated files are measured" in ended.err
    assert json.loads(ended.out)["formats"]["all"]["files"] == 1
    assert list((tmp_path / "kept" / "0000").iterdir())


def test_faults_of_damaged_files_end_with_1_and_are_shown(s1omni, tmp_path, monkeypatch):
    trial = Trial(7, "a.tif", ("truncated to 9 bytes",), "failed", "KeyError at tiff.py:3: 'x'")
    right = Trial(8, "a.tif", (), "equal", "")
    monkeypatch.setattr(fuzz_command, "originals", lambda *given: [])
    monkeypatch.setattr(fuzz_command, "read_damaged", lambda found, **options: iter([trial, right]))
    ended = s1omni("bench", "fuzz", "--data", tmp_path)
    assert ended.code == 1
    assert "other exception" in ended.out
    assert "failed: a.tif, truncated to 9 bytes: KeyError at tiff.py:3: 'x'" in ended.out
    told = json.loads(s1omni("bench", "fuzz", "--data", tmp_path, "--json").out)
    assert (told["outcomes"]["failed"], told["outcomes"]["equal"], told["faults"][0]["number"]) == (1, 1, 7)
    monkeypatch.setattr(fuzz_command, "read_damaged", lambda found, **options: iter([right]))
    assert s1omni("bench", "fuzz", "--data", tmp_path).code == 0
