"""A run whose process takes long to say that it lives, on a busy machine, is not taken for one that stopped."""

import json

import pytest

from napari_s1omni.execution.run.launch import launch
from napari_s1omni.execution.run.watch import status
from napari_s1omni.planning.job import Job


@pytest.fixture
def launched(tmp_path):
    """A run whose interpreter does nothing yet, launched an hour ago as far as its status tells."""
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\nexec sleep 600\n")
    interpreter.chmod(0o755)
    job = {"source": "synthetic://nuclei?shape=64,64", "output": str(tmp_path / "out.zarr"), "engine": "reference"}
    run = launch(Job.read({**job, "operation": {"type": "segmentation"}}, "test"), python=interpreter)
    file = run.path / ".s1omni" / "status.json"
    said = json.loads(file.read_text())
    file.write_text(json.dumps({**said, "updated": said["updated"] - 3600}))
    yield run
    run.process.kill()
    run.process.wait()


def test_it_is_starting_while_its_process_lives(launched):
    assert launched.status().state == "starting"
    launched.process.kill()
    launched.process.wait()
    assert launched.status().state == "stopped"


def test_who_does_not_know_the_process_goes_by_the_time(launched):
    assert status(launched.path).state == "stopped"
