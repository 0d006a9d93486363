"""The dock on a busy machine: runs that start late, answers at once, previews tile by tile."""

import json
import sys
import time

import numpy as np
import psutil
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from skimage import data

from napari_s1omni.execution.run.launch import launch
from napari_s1omni.frontends.session.preview.events import PreviewPart, PreviewProgress, PreviewResult


def press(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture
def late_interpreter(tmp_path, monkeypatch):
    """An interpreter for runs that begins only when a file is there."""
    interpreter, ready = tmp_path / "python", tmp_path / "ready"
    interpreter.write_text(f"#!/bin/sh\nwhile [ ! -e '{ready}' ]; do sleep 0.05; done\n{sys.executable} \"$@\"\n")
    interpreter.chmod(0o755)
    monkeypatch.setenv("S1OMNI_PYTHON", str(interpreter))
    return ready


def test_a_run_that_starts_late_is_starting_and_its_layer_is_filled(
    late_interpreter, viewer, panel, until, settle, errors
):
    viewer.add_image(data.coins()[:200, :200], name="coins")
    settle()
    press(panel.job_page.run_button)
    until(lambda: panel.controller.queue.runs and panel.controller.queue.runs[0]._thread)
    run = panel.controller.queue.runs[0]
    file = run.path / ".s1omni" / "status.json"
    said = json.loads(file.read_text())
    file.write_text(json.dumps({**said, "updated": said["updated"] - 3600, "started": said["started"] - 3600}))
    end = time.monotonic() + 1.5
    until(lambda: time.monotonic() > end)
    assert run.status.state == "starting"
    assert "starting" in panel.runs_page.rows[run].state.text()
    late_interpreter.touch()
    until(lambda: run.status.state == "complete")
    assert np.asarray(panel.results.layer_of(run).data).max() > 0
    assert not errors()


def test_requests_are_acknowledged_and_a_run_that_is_resumed_elsewhere_is_alive_again(panel, until, begun, errors):
    run = begun()
    until(lambda: run.status.blocks_done > 0)
    row = panel.runs_page.rows[run]
    panel.tabs.setCurrentWidget(panel.runs_page)
    press(row.buttons["pause"])
    until(lambda: run.asked or run.status.state == "paused")
    until(lambda: run.status.state == "paused")
    assert "paused" in row.state.text()
    psutil.Process(run.status.pid).kill()
    until(lambda: not run.alive)
    assert "stopped" in row.state.text()
    launch(run.job)
    until(lambda: run.status.state == "running")
    assert row.buttons["cancel"].isVisibleTo(row)
    done = run.status.blocks_done
    until(lambda: run.status.blocks_done > done)
    press(row.buttons["cancel"])
    until(lambda: not run.alive)
    assert run.status.state == "cancelled"
    assert not run.asked


def test_of_a_run_on_another_machine_the_row_says_when_it_was_last_heard_of(panel, until, begun):
    run = begun()
    until(lambda: run.status.blocks_done > 0)
    psutil.Process(run.status.pid).kill()
    until(lambda: not run.alive)
    file = run.path / ".s1omni" / "status.json"
    said = json.loads(file.read_text())
    file.write_text(json.dumps({**said, "state": "running", "host": "NODE", "updated": time.time() - 3600}))
    until(lambda: run.alive)
    row = panel.runs_page.rows[run]
    assert "last heard of" in row.state.text()
    assert "on NODE" in row.state.text()
    assert row.buttons["resume"].isVisibleTo(row)
    panel.tabs.setCurrentWidget(panel.runs_page)
    press(row.buttons["resume"])
    until(lambda: run.status.state == "running" and run.status.is_here)
    press(row.buttons["cancel"])
    until(lambda: not run.alive)


def test_a_preview_is_shown_tile_by_tile_and_its_button_cancels(viewer, panel, until, settle, errors):
    viewer.add_image(data.coins(), name="coins")
    panel.controller.edit("tiling.tile_size", 128)
    settle(lambda plan: plan.grid.tile_size == 128)
    shown = []

    def look(event):
        if isinstance(event, PreviewPart):
            shown.append(np.asarray(panel.previews.layer.data).copy())

    panel.controller.preview_changed.connect(look)
    press(panel.job_page.preview_button)
    until(lambda: isinstance(panel.controller.preview, PreviewResult))
    assert len(shown) == 4
    assert (shown[0] > 0).sum() < (shown[-1] > 0).sum()
    view = panel.job_page.preview
    assert not view.cancel.isVisibleTo(panel.job_page)

    def cancel(event):
        if isinstance(event, PreviewProgress):
            assert view.cancel.isVisibleTo(panel.job_page)
            view.cancel.click()

    panel.controller.preview_changed.connect(cancel)
    panel.controller.edit("sampling.seed", 1)
    press(panel.job_page.preview_button)
    until(lambda: "cancelled" in view.state.text())
    assert not view.cancel.isVisibleTo(panel.job_page)
    panel.controller.preview_changed.disconnect(cancel)
    # A preview goes with its layer, and one that comes late is not laid over another layer.
    until(lambda: panel.controller.is_planned)
    before = panel.previews.layer
    press(panel.job_page.preview_button)
    other = viewer.add_image(data.coins()[:64, :64], name="other")
    assert panel.link.layer is other
    panel.controller.preview = None
    until(lambda: isinstance(panel.controller.preview, PreviewResult))
    assert panel.previews.layer is before
    viewer.layers.remove("coins")
    until(lambda: "preview" not in viewer.layers)
    assert not errors()
