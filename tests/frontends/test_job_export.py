"""A job copied from the dock, in every format, resolves to the same plan to the byte."""

import json
import shlex

import numpy as np
import pytest
import tifffile

from napari_s1omni.frontends.cli.main import main
from napari_s1omni.frontends.session.job_export import as_command, as_python, as_yaml
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.planning.job import Job

JOBS = {
    "plain": {"operation": {"type": "segmentation"}},
    "words": {"operation": {"type": "segmentation", "prompt": "it's 'about' 20 px -- $HOME", "fill_holes": False}},
    "sizes": {
        "operation": {"type": "super_resolution", "factor": [2, 1], "channels": [0]},
        "tiling": {"tile_size": 64, "overlap": 16},
        "sampling": {"seed": 3, "think": "once"},
    },
    "region": {
        "operation": {"type": "modality_translation", "target": "inverted contrast"},
        "region": {"type": "box", "y": [0, 100], "x": [10, 90]},
        "engine": "reference",
    },
    "source": {"operation": {"type": "segmentation"}, "source": {"scale": [0.5, 0.25], "units": "um"}},
}


def make(name, folder):
    path = folder / "image with space.tif"
    if not path.exists():
        tifffile.imwrite(path, np.random.default_rng(0).integers(0, 255, (160, 200), np.uint8))
    entry = JOBS[name]
    source = {"uri": str(path), **entry.get("source", {})}
    return Job.read({"engine": "reference", **entry, "source": source, "output": str(folder / "out.zarr")})


def plan_of(job):
    return json.dumps(prepare(job, memory=2**40).plan.to_json(), sort_keys=True)


@pytest.mark.parametrize("name", JOBS)
def test_yaml_python_and_api_make_one_plan(name, tmp_path, monkeypatch):
    job = make(name, tmp_path)
    (tmp_path / "job.yaml").write_text(as_yaml(job), encoding="utf-8")
    assert plan_of(Job.load(tmp_path / "job.yaml")) == plan_of(job)
    heard = []
    monkeypatch.setattr("napari_s1omni.api.run", lambda made, array=None, **_: heard.append(made))
    exec(as_python(job), {})
    assert plan_of(heard[0]) == plan_of(job)


@pytest.mark.parametrize("name", ["words", "sizes", "region", "source"])
def test_the_command_line_makes_the_same_plan(name, tmp_path, capsys):
    job = make(name, tmp_path)
    words = shlex.split(as_command(job))
    assert words[0] == "s1omni"
    with pytest.raises(SystemExit) as end:
        main([*words[1:], "--dry-run", "--json"])
    out, err = capsys.readouterr()
    assert end.value.code == 0, err
    said = json.loads(out)
    assert json.dumps(said["plan"], sort_keys=True) == plan_of(job)
    assert said["digest"] == prepare(job).plan.digest


def test_a_region_that_is_not_a_box_is_written_to_a_job_file():
    job = Job.read(
        {
            "source": "a.tif",
            "output": "b.zarr",
            "operation": {"type": "segmentation"},
            "region": {"type": "polygon", "uri": "roi.geojson"},
        }
    )
    assert as_command(job).startswith("cat > job.yaml")
    assert "roi.geojson" in as_command(job)
