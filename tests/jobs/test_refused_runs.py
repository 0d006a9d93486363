"""A run that is refused leaves the folder of a finished result as it was, whoever starts it."""

import subprocess
import sys

import pytest

import napari_s1omni
from napari_s1omni.errors import PlanMismatch, S1OmniError, StoreError
from napari_s1omni.execution.run.launch import launch, launch_redo
from napari_s1omni.jobs.delete_result import delete_result, may_delete
from napari_s1omni.jobs.output_check import Held, check_output, next_free
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.planning.job import Job

SOURCE = "synthetic://nuclei?shape=96,96"


def job(output, **changes):
    operation = {"type": "segmentation", "prompt": "segment the nuclei, about 20 px", **changes}
    return Job.read({"source": {"uri": SOURCE}, "output": str(output), "engine": "reference", "operation": operation})


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "run.log"}


@pytest.fixture
def finished(tmp_path):
    napari_s1omni.run(job(tmp_path / "out.zarr"))
    return tmp_path / "out.zarr"


def ended(launched):
    launched.process.wait(120)
    return launched.failure()


def test_another_job_is_refused_before_anything_is_written(finished, tmp_path):
    other = job(finished, prompt="segment the cells, about 30 px")
    before = contents(finished)
    with pytest.raises(PlanMismatch):
        launch(other, plan=prepare(other).plan)
    with pytest.raises(PlanMismatch):
        napari_s1omni.run(other)
    # The starter may not know the plan: then its process is refused.
    blind = launch(other)
    assert ended(blind).exit_code == 73
    assert not blind.has_begun
    file = tmp_path / "other.yaml"
    file.write_text(other.dump())
    command = subprocess.run([sys.executable, "-m", "napari_s1omni", "run", file], capture_output=True)
    assert command.returncode == 73
    assert contents(finished) == before


def test_a_start_that_fails_leaves_the_finished_result_of_the_same_job(finished, tmp_path):
    same, before = job(finished), contents(finished)
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such module\nexit 7\n")
    broken.chmod(0o755)
    failure = ended(launch(same, plan=prepare(same).plan, python=broken))
    assert (failure.message, failure.exit_code) == ("no such module", 7)
    redone = launch_redo(finished, "77/77")
    assert "has no tile" in ended(redone).message
    assert contents(finished) == before


def test_a_run_that_is_not_finished_goes_on(tmp_path):
    waiting = job(tmp_path / "out.zarr")
    plan = prepare(waiting).plan
    assert check_output(plan, waiting).held is Held.NOTHING
    started = launch(waiting, plan=plan)
    assert ended(started) is None
    assert started.status().objects > 0
    assert (started.path / ".s1omni" / "job.yaml").is_file()
    assert check_output(plan, waiting).held is Held.FINISHED


def test_what_an_output_holds_is_said_in_words(finished, tmp_path):
    def held(output, **changes):
        made = job(output, **changes)
        return check_output(prepare(made).plan, made)

    other = held(finished, prompt="segment the cells, about 30 px")
    assert other.held is Held.OTHER
    assert "segment the nuclei" in other.words
    with pytest.raises(StoreError, match="another name"):
        other.require()
    other.require(replace=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("dear diary")
    foreign = held(tmp_path / "mine")
    assert foreign.held is Held.REFUSED
    with pytest.raises(S1OmniError):
        foreign.require(replace=True)
    assert next_free(finished) == tmp_path / "out-2.zarr"
    assert next_free(tmp_path / "out-2.zarr", [tmp_path / "out-3.zarr"]) == tmp_path / "out-4.zarr"


def test_only_folders_of_results_are_deleted(finished, tmp_path):
    (tmp_path / "mine").mkdir()
    assert not may_delete(tmp_path / "mine")
    with pytest.raises(StoreError, match="by hand"):
        delete_result(tmp_path / "mine")
    delete_result(finished)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
