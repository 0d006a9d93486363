"""A run whose process takes long to say that it lives, on a busy machine, is not taken for one that stopped."""

import contextlib
import json
import socket
import sys
import time

import pytest

from napari_s1omni.errors import StoreLocked
from napari_s1omni.execution.run.control import write_control
from napari_s1omni.execution.run.launch import launch
from napari_s1omni.execution.run.watch import status, watch
from napari_s1omni.planning.job import Job
from napari_s1omni.system.locks import owner_lock
from napari_s1omni.system.processes import kill_detached


@pytest.fixture
def job(tmp_path):
    document = {"source": "synthetic://nuclei?shape=64,64", "output": str(tmp_path / "out.zarr"), "engine": "reference"}
    return Job.read({**document, "operation": {"type": "segmentation"}}, "test")


@pytest.fixture
def late(tmp_path):
    """An interpreter that begins when a file is there, as a child of the process that was started."""
    interpreter, ready = tmp_path / "python", tmp_path / "ready"
    interpreter.write_text(f"#!/bin/sh\nwhile [ ! -e '{ready}' ]; do sleep 0.05; done\n{sys.executable} \"$@\"\n")
    interpreter.chmod(0o755)
    return interpreter, ready


def edit(path, name="status.json", **changes):
    file = path / ".s1omni" / name
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.fixture
def launched(job, late):
    """A run whose interpreter does nothing yet, launched an hour ago as far as its status tells."""
    run = launch(job, python=late[0])
    edit(run.path, updated=time.time() - 3600)
    yield run
    with contextlib.suppress(ProcessLookupError):
        kill_detached(run.pid)
    run.process.wait()


def test_it_is_starting_for_everybody_while_its_process_lives(launched, late, job):
    assert launched.status().state == status(launched.path).state == "starting"
    with pytest.raises(StoreLocked):
        launch(job)
    changes = watch(launched.path)
    assert next(changes).status.state == "starting"
    late[1].touch()
    assert [change.status.state for change in changes][-1] == "complete"


def test_it_has_stopped_once_its_process_is_gone(launched):
    launched.process.kill()
    launched.process.wait()
    assert launched.status().state == status(launched.path).state == "stopped"


def test_a_request_to_a_starting_run_is_obeyed(launched, late):
    write_control(launched.path, cancel=True)
    late[1].touch()
    assert [change.status.state for change in watch(launched.path)][-1] == "cancelled"


def test_of_another_machine_it_is_said_when_it_was_last_heard_of(job):
    run = launch(job)
    run.process.wait()
    heard = time.time() - 3600
    edit(run.path, state="running", host="NODE", updated=heard)
    found = status(run.path)
    assert found.alive
    assert found.is_silent
    assert found.last_heard.endswith(time.strftime("at %H:%M on NODE", time.localtime(heard)))
    edit(run.path, updated=time.time())
    assert status(run.path).last_heard == ""
    with pytest.raises(StoreLocked):
        launch(job)
    edit(run.path, updated=heard)
    with owner_lock(run.path / ".s1omni" / "lock"), pytest.raises(StoreLocked):
        launch(job)
    again = launch(job)
    assert [change.status.state for change in watch(run.path)][-1] == "complete"
    again.process.wait()
    assert status(run.path).host == socket.gethostname()


def test_a_status_without_any_process_has_stopped(launched):
    (launched.path / ".s1omni" / "launch.json").unlink()
    assert status(launched.path).state == "stopped"


@pytest.mark.slow
def test_a_start_of_45_seconds_is_a_start(job, tmp_path):
    interpreter = tmp_path / "python"
    interpreter.write_text(f'#!/bin/sh\nsleep 45\nexec {sys.executable} "$@"\n')
    interpreter.chmod(0o755)
    run = launch(job, python=interpreter)
    states = [change.status.state for change in watch(run.path)]
    run.process.wait()
    assert "stopped" not in states
    assert (states[0], states[-1]) == ("starting", "complete")
