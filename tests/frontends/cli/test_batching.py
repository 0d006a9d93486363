import json
import subprocess
import sys

import numpy as np
import pytest


def cli(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "napari_s1omni", *map(str, arguments)], capture_output=True, text=True, timeout=200
    )


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "images"
    home.mkdir()
    for i in range(3):
        image = np.full((40, 50), 20, "uint8")
        image[10:20, 10 + 8 * i : 20 + 8 * i] = 200
        np.save(home / f"field {i}.npy", image)
    (home / "torn.npy").write_bytes(b"\x93NUMPY")
    return home


def test_a_folder_is_run_image_by_image_and_a_failed_image_gives_exit_code_3(folder, tmp_path):
    dry = cli("segment", folder, tmp_path / "out", "--engine", "reference", "--dry-run", "--json")
    assert dry.returncode == 3
    assert [row["state"] for row in json.loads(dry.stdout)] == ["would run", "would run", "would run", "would fail"]
    assert not (tmp_path / "out").exists()
    run = cli("segment", folder, tmp_path / "out", "--engine", "reference", "--no-durable")
    assert run.returncode == 3, run.stderr
    assert "torn: failed, SourceError" in run.stderr
    assert (tmp_path / "out" / "batch.csv").exists()
    assert "already done" not in run.stderr


def test_a_job_file_runs_on_other_sources(folder, tmp_path):
    job = tmp_path / "job.yaml"
    job.write_text("source: somewhere\nengine: reference\noperation: {type: super_resolution}\n", encoding="utf-8")
    first = cli("run", job, "--source", str(folder / "field*.npy"), "--output", tmp_path / "out", "--no-durable")
    assert first.returncode == 0, first.stderr
    again = cli("run", job, "--source", str(folder / "field*.npy"), "--output", tmp_path / "out", "--no-durable")
    assert again.stderr.count("already done") == 3
    nowhere = cli("run", job, "--source", str(folder / "*.nd2"), "--output", tmp_path / "out")
    assert nowhere.returncode == 66
    assert "holds no images" in nowhere.stderr
