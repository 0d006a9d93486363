import json

import numpy as np
import pytest


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


def test_a_folder_is_run_image_by_image_and_a_failed_image_gives_exit_code_3(folder, tmp_path, s1omni):
    dry = s1omni("segment", folder, tmp_path / "out", "--engine", "reference", "--dry-run", "--json")
    assert dry.code == 3
    assert [row["state"] for row in json.loads(dry.out)] == ["would run", "would run", "would run", "would fail"]
    assert not (tmp_path / "out").exists()
    run = s1omni("segment", folder, tmp_path / "out", "--engine", "reference", "--no-durable")
    assert run.code == 3, run.err
    assert "torn: failed, SourceError" in run.err
    assert (tmp_path / "out" / "batch.csv").exists()
    assert "already done" not in run.err


def test_a_job_file_runs_on_other_sources(folder, tmp_path, s1omni):
    job = tmp_path / "job.yaml"
    job.write_text("source: somewhere\nengine: reference\noperation: {type: super_resolution}\n", encoding="utf-8")
    first = s1omni("run", job, "--source", str(folder / "field*.npy"), "--output", tmp_path / "out", "--no-durable")
    assert first.code == 0, first.err
    again = s1omni("run", job, "--source", str(folder / "field*.npy"), "--output", tmp_path / "out", "--no-durable")
    assert again.err.count("already done") == 3
    nowhere = s1omni("run", job, "--source", str(folder / "*.nd2"), "--output", tmp_path / "out")
    assert nowhere.code == 66
    assert "holds no images" in nowhere.err
