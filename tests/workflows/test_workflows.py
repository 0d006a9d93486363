"""The Snakemake workflow runs, and so does every job template."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fake_slurm import write_slurm
from skimage import data
from skimage.io import imsave

from napari_s1omni.jobs.run import run
from napari_s1omni.planning.job import Job

HOME = Path(__file__).parents[2] / "workflows"
TEMPLATES = sorted(HOME.glob("jobs/*.yaml"))


def sample(name):
    """A small real image for the task."""
    if name in {"he_nuclei", "stain_to_stain"}:
        return data.immunohistochemistry()[:96, :120]
    return data.coins()[:96, :120]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda p: p.stem)
def test_every_template_runs(template, tmp_path):
    imsave(tmp_path / "image.png", sample(template.stem), check_contrast=False)
    job = Job.load(template)
    where = {
        "source": {**job.source.model_dump(), "uri": str(tmp_path / "image.png")},
        "output": str(tmp_path / "out.zarr"),
    }
    result = run(job.replace(**where, engine="reference"), durable=False)
    assert result.complete
    assert result.array[:].any()


def test_the_readme_names_every_template():
    text = (HOME / "README.md").read_text(encoding="utf-8")
    assert TEMPLATES
    for template in TEMPLATES:
        assert f"jobs/{template.name}" in text


@pytest.fixture
def snakemake(tmp_path):
    pytest.importorskip("snakemake", reason="snakemake is not installed (extra 'workflows')")
    home = tmp_path / "lab"
    (home / "images").mkdir(parents=True)
    imsave(home / "images" / "first coin.png", data.coins()[:90, :110], check_contrast=False)
    np.save(home / "images" / "zweite-münze.npy", data.coins()[90:180, :110])
    (home / "images" / "notes.txt").write_text("no image")
    job = home / "job.yaml"
    job.write_text(
        "source: x\nengine: reference\noperation: {type: segmentation, prompt: bright coins}\n", encoding="utf-8"
    )
    (home / "my.yaml").write_text(f"job: job.yaml\nimages: {home}/images/*\nresults: results\n", encoding="utf-8")
    tools = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}

    def call(*more, path=None):
        command = [sys.executable, "-m", "snakemake", "--snakefile", HOME / "Snakefile", "--configfile", "my.yaml"]
        tools["PATH"] = f"{path}{os.pathsep}{tools['PATH']}" if path else tools["PATH"]
        environment = {**os.environ, **tools}
        return subprocess.run(
            [*command, *(more or ("--cores", "1"))],
            cwd=home,
            capture_output=True,
            text=True,
            timeout=500,
            env=environment,
        )

    return home, call


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_snakemake_runs_once_and_writes_deleted_files_again(snakemake):
    home, call = snakemake
    first = call()
    assert first.returncode == 0, first.stderr
    results = home / "results"
    assert {p.name for p in results.glob("*.html")} == {"first coin.html", "zweite-münze.html"}
    with (results / "objects.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["image"] for row in rows} == {"first coin", "zweite-münze"}
    assert all(float(row["area"]) > 0 for row in rows)
    second = call()
    assert second.returncode == 0
    assert "Nothing to be done" in second.stderr
    before = (results / "zweite-münze.json").stat().st_mtime_ns
    page = results / "first coin.html"
    page.unlink()
    third = call()
    assert third.returncode == 0, third.stderr
    assert page.is_file()
    assert (results / "zweite-münze.json").stat().st_mtime_ns == before
    assert "rule run:" not in third.stderr


@pytest.mark.parametrize(
    ("images", "said"),
    [("images: images/*.nd2", "no image matches"), pytest.param("image: images/*", "image", marks=pytest.mark.slow)],
)
def test_a_wrong_configuration_is_refused(snakemake, images, said):
    home, call = snakemake
    (home / "my.yaml").write_text(f"job: job.yaml\n{images}\nresults: results\n", encoding="utf-8")
    wrong = call()
    assert wrong.returncode != 0
    assert said in wrong.stderr


@pytest.mark.slow
def test_the_profile_requests_a_gpu_per_image(snakemake, tmp_path):
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="needs the extra 'workflows'")
    home, call = snakemake
    slurm = write_slurm(tmp_path / "slurm")
    wanted = "results/zweite-münze.json"
    made = call("--profile", HOME / "slurm", "--slurm-init-seconds-before-status-checks", "1", wanted, path=slurm)
    assert made.returncode == 0, made.stderr + "".join(log.read_text() for log in slurm.glob("*.log"))
    assert (home / wanted).is_file()
    (submitted,) = (json.loads(job.read_text()) for job in slurm.glob("*.job"))
    words = " ".join(word for word in submitted if not word.startswith("--wrap"))
    assert "--gpus=1" in words
    assert "--mem 16000" in words
    assert "-t 720" in words
