"""What a plan says of the quality of volumes."""

import json

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_s1omni.engine.registry import describe
from napari_s1omni.evaluation.volumes import STACKS
from napari_s1omni.frontends.cli.main import app
from napari_s1omni.frontends.session.request_line import request_line
from napari_s1omni.jobs import volume_quality
from napari_s1omni.jobs.options import make_job
from napari_s1omni.jobs.prepare import prepare

IMAGE = np.random.default_rng(0).integers(0, 255, (4, 64, 64)).astype(np.uint8)


def prepared(axes="zyx", **options):
    job, array = make_job("segmentation", IMAGE, None, options={"engine": "reference", "axes": axes, **options})
    return prepare(job, array)


def test_card_and_plan_say_what_was_measured():
    found = prepared()
    stacks = json.loads(volume_quality.SCORES.read_text("utf-8"))["reference"]["stacks"]
    right, objects = (sum(stack[key] for stack in stacks.values()) for key in ("right", "objects"))
    assert f"In volumes, about {right / objects:.0%} of nuclei are found" in request_line(found)
    (said,) = (note for note in found.plan.notes if f"found {right} of {objects} nuclei" in note)
    assert "check objects before you count them" in said


@pytest.mark.parametrize(
    "options", [{"axes": "tyx"}, {"link_z": False}, {"instances": False}, {"region": {"z": (1, 2)}}]
)
def test_nothing_is_said_where_nothing_is_linked(options):
    assert "volumes" not in request_line(prepared(**options))


def test_an_engine_that_was_not_measured_is_named(monkeypatch):
    monkeypatch.setattr(volume_quality, "_scores", dict)
    assert "How well engine 'reference' finds whole objects in volumes was not measured." in request_line(prepared())


@pytest.mark.parametrize("engine", ["reference", "nano"])
def test_all_stacks_were_measured_with_each_engine(engine):
    scores = json.loads(volume_quality.SCORES.read_text("utf-8"))[engine]
    assert set(scores["stacks"]) == set(STACKS)
    assert describe(engine, "segmentation").name == engine


def test_the_command_prints_it(tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", IMAGE, photometric="minisblack")
    words = ["plan", str(tmp_path / "stack.tif"), "--axes", "zyx", "--engine", "reference"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "public stacks, engine 'reference' found" in " ".join(done.output.split())
