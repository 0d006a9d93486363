"""Where a job reads and writes, however its paths are written and wherever it is run."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import napari_s1omni
from napari_s1omni import Job, Result
from napari_s1omni.__main__ import main
from napari_s1omni.errors import JobError, SourceError

OPERATION = {"type": "segmentation", "prompt": "nuclei, 20 px"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("home", "work", "other"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    pixels = napari_s1omni.open_source("synthetic://nuclei?shape=90,100&seed=3").read()
    for place in ("work/a.npy", "home/my cells.npy", "home/a%20b.npy"):
        np.save(tmp_path / place, pixels)
    ring = [[0, 0], [64, 0], [64, 64], [0, 64], [0, 0]]
    (tmp_path / "home/area.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    return tmp_path


def command(monkeypatch, capsys, *words, code=0):
    monkeypatch.setattr(sys, "argv", ["s1omni", *map(str, words)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    assert end.value.code == code, said.err
    return said.out + said.err


def test_a_job_is_run_in_another_folder_than_it_was_made(home, monkeypatch):
    job = Job(source="a.npy", output="out.zarr", region="~/area.geojson", engine="reference", operation=OPERATION)
    assert job.output == "out.zarr"
    os.chdir(home / "other")
    assert job.replace(engine="reference").full_output == str(home / "work/out.zarr")
    result = napari_s1omni.run(job)
    assert result.path == home / "work/out.zarr"
    os.chdir(home / "work")
    opened = Result.open("out.zarr")
    os.chdir(home / "other")
    assert opened.array[:].any()
    assert opened.plan.job.source.uri == opened.plan.source.source == str(home / "work/a.npy")
    assert opened.plan.job.region.uri == str(home / "home/area.geojson")
    assert not list((home / "other").iterdir())
    assert len(opened.table()["label"]) == opened.summary["objects"]


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("~/my cells.npy", "~/out.zarr"),
        (Path("~/my cells.npy"), Path("~/out.zarr/")),
        ("file://{home}/home/my%20cells.npy", "file://{home}/home/out.zarr"),
        ("file://localhost{home}/home/my cells.npy", "file://localhost{home}/home/out%2Ezarr"),
        ("~/a%20b.npy", "../home/out.zarr/"),
        ("file://{home}/home/a%20b.npy", "{home}/work/../home/out.zarr"),
    ],
)
def test_every_form_of_source_and_output(home, source, output):
    source, output = (s.format(home=home) if isinstance(s, str) else s for s in (source, output))
    made = napari_s1omni.segment(source, output, prompt="nuclei, 20 px", engine="reference")
    assert made.path == home / "home/out.zarr"
    assert sorted(p.name for p in (home / "work").iterdir()) == ["a.npy"]
    assert Path(made.plan.job.source.uri).parent == home / "home"


def test_the_command_line_and_job_files(home, monkeypatch, capsys):
    (home / "home/job.yaml").write_text(
        "schema_version: 1\nsource: {uri: a.npy}\noutput: ~/out.zarr\nregion: ~/area.geojson\nengine: reference\n"
        "operation: {type: segmentation, prompt: 'nuclei, 20 px'}\n"
    )
    command(monkeypatch, capsys, "run", "~/job.yaml", "-q")
    out = f"file://{home}/home/out.zarr"
    assert "complete" in command(monkeypatch, capsys, "show", out)
    command(monkeypatch, capsys, "measure", "~/out.zarr", "~/cells.csv")
    command(monkeypatch, capsys, "export", out, f"file://{home}/home/my%20cells.geojson")
    command(monkeypatch, capsys, "report", "~/out.zarr/")
    command(monkeypatch, capsys, "evaluate", "~/out.zarr", "--truth", out)
    assert "complete" in command(monkeypatch, capsys, "status", out)
    made = {p.name for p in (home / "home").iterdir()}
    assert made >= {"out.zarr", "cells.csv", "my cells.geojson", "out.html"}
    assert [p.name for p in (home / "work").iterdir()] == ["a.npy"]


@pytest.mark.parametrize(
    "words",
    [
        ("segment", "a.npy", "URL"),
        ("measure", "out.zarr", "URL/t.csv"),
        ("export", "out.zarr", "URL/t.tif"),
        ("report", "out.zarr", "URL/t.html"),
        ("resume", "URL"),
        ("redo", "URL", "--accept"),
        ("pause", "URL"),
        ("focus", "URL", "1,1"),
        ("attach", "URL"),
        ("demo", "URL"),
    ],
)
def test_urls_that_would_be_written_are_refused_as_they_were_given(home, monkeypatch, capsys, words):
    url = "s3://bucket/x.zarr"
    said = command(monkeypatch, capsys, *(word.replace("URL", url) for word in words), code=2)
    assert f"{url}" in " ".join(said.split())
    assert [p.name for p in (home / "work").iterdir()] == ["a.npy"]


def test_the_folder_of_a_checkpoint(home):
    (home / "work/models/mine").mkdir(parents=True)
    forms = {
        "reference": "reference",
        "owner/name": "owner/name",
        "models/mine": f"{home}/work/models/mine",
        "~/mine": f"{home}/home/mine",
        f"file://{home}/my%20model": f"{home}/my model",
        Path("models/mine"): f"{home}/work/models/mine",
    }
    for given, full in forms.items():
        assert Job(source="a.npy", engine=given, operation=OPERATION).engine == full


def test_paths_that_cannot_be_here_are_refused_before_anything_is_made(home):
    for output in (r"C:\out.zarr", "$SCRATCH/out.zarr", "~no-such-person/out.zarr", "file://server/out.zarr"):
        with pytest.raises(JobError):
            napari_s1omni.segment("a.npy", output, engine="reference")
        with pytest.raises(JobError):
            napari_s1omni.run(Job(source="a.npy", output=output, engine="reference", operation=OPERATION))
    for source in (r"C:\data\a.npy", "$DATA/a.npy"):
        with pytest.raises(SourceError):
            napari_s1omni.open_source(source)
    assert [p.name for p in (home / "work").iterdir()] == ["a.npy"]
