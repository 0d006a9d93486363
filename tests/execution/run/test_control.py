"""A run is watched and controlled through its store, from other processes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from child_process import die_with_parent
from contents import contents
from plane_grids import plane

from napari_s1omni.errors import EngineUnavailable, JobError, StoreError, StoreLocked
from napari_s1omni.execution.executors.block_order import BlockOrder
from napari_s1omni.execution.run.control import Control, ControlState, write_control
from napari_s1omni.execution.run.launch import launch
from napari_s1omni.execution.run.watch import JournalTail, status, watch
from napari_s1omni.planning.job import Job
from napari_s1omni.results.result import Result
from napari_s1omni.storage.logs.journal import BlockRecord, Journal

SCRIPT = Path(__file__).parents[1] / "fake_dask.py"


@pytest.fixture
def begin(tmp_path):
    """Start a slow run in a process of its own."""
    begun = []

    def start(name="out.zarr", seconds=0.08, size=700, **settings):
        image = np.random.default_rng(0).integers(0, 60000, (size, size)).astype("uint16")
        np.save(tmp_path / "image.npy", image)
        settings = {
            "operation": "super_resolution",
            "source": str(tmp_path / "image.npy"),
            "output": str(tmp_path / name),
            "engine": {"seconds": seconds},
            **settings,
        }
        (tmp_path / "settings.json").write_text(json.dumps(settings))
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(tmp_path / "settings.json")],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        begun.append(process)
        return process, tmp_path / name

    yield start
    for process in begun:
        # The group: its workers, too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(path, condition, seconds=240):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found = status(path)
        except StoreError:
            found = None
        if found and condition(found):
            return found
        time.sleep(0.05)
    raise AssertionError(f"never came: {found}")


def wait_until_unchanged(read, seconds=0.7, most=240):
    """Wait until a value stays the same for a while, and return it."""
    value, since, end = read(), time.monotonic(), time.monotonic() + most
    while time.monotonic() - since < seconds:
        assert time.monotonic() < end, "it never stops changing"
        time.sleep(0.05)
        if (now := read()) != value:
            value, since = now, time.monotonic()
    return value


@pytest.mark.parametrize(
    "executor",
    [
        pytest.param({"serial": True}, id="serial"),
        pytest.param({"cluster": {"workers": 2}}, id="dask", marks=pytest.mark.slow),
    ],
)
def test_pause_go_on_cancel_and_resume(begin, executor):
    process, path = begin(**executor)
    wait_for(path, lambda s: s.state == "running" and s.tiles_done > 0)
    write_control(path, pause=True)
    wait_for(path, lambda s: s.state == "paused")
    # Blocks whose tiles were all generated are still written.
    before = wait_until_unchanged(lambda: len(Result.open(path).records))
    assert before < len(Result.open(path).plan.grid)
    assert status(path).state == "paused"
    write_control(path, pause=False)
    wait_for(path, lambda s: s.blocks_done > before)
    write_control(path, cancel=True)
    assert process.wait(240) == 130
    found = status(path)
    assert found.state == "cancelled"
    assert found.resumable
    assert not found.alive
    again, _ = begin(seconds=0.0, serial=True)
    assert again.wait(200) == 0
    assert status(path).state == "complete"
    whole, expected = begin("whole/out.zarr", seconds=0.0, serial=True)
    assert whole.wait(200) == 0
    assert {k: v for k, v in contents(path).items() if k != "zarr.json"} == {
        k: v for k, v in contents(expected).items() if k != "zarr.json"
    }


def test_a_killed_run_reads_as_stopped_and_its_records_as_they_were(begin):
    process, path = begin(serial=True)
    wait_for(path, lambda s: s.blocks_done > 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    found = status(path)
    assert found.state == "stopped"
    assert found.resumable
    [change] = list(watch(path))
    assert len(change.records) == len(Result.open(path).records) > 2
    assert all(record.pid == process.pid for record in change.records)


def test_watching_shows_every_block_once_and_ends(begin):
    process, path = begin(serial=True, seconds=0.02)
    wait_for(path, lambda s: True)
    changes = list(watch(path, interval=0.05))
    assert process.wait(240) == 0
    assert changes[-1].status.state == "complete"
    assert changes[-1].status.tiles_done == changes[-1].status.tiles_total
    blocks = [record.block for change in changes for record in change.records]
    assert len(blocks) == len(set(blocks)) == changes[-1].status.blocks_total


@pytest.mark.slow
def test_blocks_near_the_focus_come_first(begin):
    process, path = begin(serial=True, seconds=0.03, size=1300)
    wait_for(path, lambda s: s.blocks_done >= 1)
    write_control(path, focus=(0, 0, 1290, 1290))
    assert process.wait(200) == 0
    order = [record.block for record in JournalTail(path / ".s1omni" / "journal").read()]
    corner = max(order)
    # Some blocks were read ahead already when the point was named.
    assert len(order) == len(Result.open(path).plan.grid) > 30
    assert order.index(corner) < len(order) / 2
    whole, expected = begin("whole.zarr", seconds=0.0, size=1300, serial=True)
    assert whole.wait(200) == 0
    np.testing.assert_array_equal(Result.open(path).array[:], Result.open(expected).array[:])


def test_requests_of_several_add_up_and_wrong_ones_are_refused(tmp_path):
    with pytest.raises(StoreError, match="holds no run"):
        write_control(tmp_path, pause=True)
    with pytest.raises(StoreError, match="holds no run"):
        status(tmp_path)
    (tmp_path / ".s1omni").mkdir()
    write_control(tmp_path, pause=True)
    assert write_control(tmp_path, focus=(0, 1, 2, 3.5)) == ControlState(pause=True, focus=(0.0, 1.0, 2.0, 3.5))
    write_control(tmp_path, pause=False)
    assert Control(tmp_path).state == ControlState(focus=(0.0, 1.0, 2.0, 3.5))
    with pytest.raises(JobError, match="Four numbers"):
        write_control(tmp_path, focus=(1, 2))


def test_launched_runs_outlive_their_caller_and_tell_why_they_failed(tmp_path, monkeypatch):
    # An interpreter of its own for engines: this one, by another name that takes a note.
    other = tmp_path / "bin" / "python"
    other.parent.mkdir()
    other.write_text(f'#!/bin/sh\necho "$@" >>"{tmp_path}/called"\nexec "{sys.executable}" "$@"\n')
    other.chmod(0o755)
    monkeypatch.setenv("S1OMNI_PYTHON", str(other))
    np.save(tmp_path / "image.npy", np.random.default_rng(0).integers(0, 60000, (300, 300)).astype("uint16"))
    document = {
        "source": str(tmp_path / "image.npy"),
        "output": str(tmp_path / "out.zarr"),
        "operation": {"type": "super_resolution"},
        "engine": "reference",
    }
    monkeypatch.setenv("S1OMNI_NICENESS", "7")
    started = launch(Job.read(document, "test"))
    assert os.getpriority(os.PRIO_PROCESS, started.pid) == 7, "it yields to whoever watches it"
    with pytest.raises(StoreLocked):
        launch(Job.read(document, "test"))
    assert os.getsid(started.pid) == started.pid, "a session of its own"
    wait_for(started.path, lambda s: s.state == "complete", 240)
    assert "-m napari_s1omni run" in (tmp_path / "called").read_text()
    monkeypatch.setenv("S1OMNI_PYTHON", str(tmp_path / "nowhere" / "python"))
    with pytest.raises(EngineUnavailable, match="S1OMNI_PYTHON"):
        launch(Job.read({**document, "output": str(tmp_path / "none.zarr")}, "test"))
    monkeypatch.delenv("S1OMNI_PYTHON")
    missing = launch(Job.read({**document, "source": "nowhere.tif", "output": str(tmp_path / "none.zarr")}, "test"))
    failed = wait_for(missing.path, lambda s: s.state == "failed", 240)
    assert failed.error.kind == "SourceError"
    assert "nowhere.tif" in failed.error.message
    assert failed.error.remedy or failed.error.message
    assert missing.process.wait(240)
    assert missing.log.read_text()


def test_the_tail_of_a_journal_skips_what_is_torn_and_reads_it_once_whole(tmp_path):
    tail = JournalTail(tmp_path)
    with Journal(tmp_path, "a") as journal:
        journal.append(BlockRecord((0, 0), "written"))
        assert [r.block for r in tail.read()] == [(0, 0)]
        journal.append(BlockRecord((0, 1), "written"))
    whole = (tmp_path / "a.log").read_bytes()
    (tmp_path / "a.log").write_bytes(whole[:-5])
    assert list(tail.read()) == []
    (tmp_path / "a.log").write_bytes(whole)
    assert [r.block for r in tail.read()] == [(0, 1)]
    assert list(tail.read()) == []
    assert list(JournalTail(tmp_path, history=False).read()) == []


def test_order_takes_every_block_once_whatever_is_asked(small_grid):
    order = BlockOrder(small_grid, range(len(small_grid)))
    taken = order.take(5)
    assert taken == [0, 1, 2, 3, 4]
    near = order.take(3, (0, 0, 10_000, 10_000))
    assert near[0] == len(small_grid) - 1
    order.put_back([2, near[0]])
    rest = order.take(10_000)
    assert sorted([*taken, *near, *rest]) == sorted([*range(len(small_grid)), 2, near[0]])
    assert order.take(1) == []


@pytest.fixture
def small_grid():
    return plane((1000, 1000), overlap=16, block_size=192)
