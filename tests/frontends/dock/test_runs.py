"""Runs in the dock: shown at once, filled in, paused, killed, left running, out of disk space."""

import threading
import time

import numpy as np
import psutil
import pytest
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QApplication, QMessageBox
from skimage import data

from napari_s1omni.errors import JobError
from napari_s1omni.execution.run.watch import status
from napari_s1omni.frontends.dock.close_dialog import CloseDialog
from napari_s1omni.frontends.napari_layers.open_labels import open_labels
from napari_s1omni.frontends.views.live_pyramid import LivePyramid
from napari_s1omni.results.result import Result


def in_small_blocks(panel, settle):
    """Plan 16 blocks; the thought about the whole image, which would come first, is left out."""
    panel.controller.edit("tiling.block_size", 192)
    panel.controller.edit("sampling.think", "off")
    settle(lambda plan: plan.grid.block_size == 192 and plan.sampling.think == "off")


def test_a_large_result_fills_in_while_it_runs(viewer, panel, until, settle, errors):
    viewer.open("synthetic://nuclei?shape=768,768&seed=4&scale=0.5,0.5", plugin="napari_s1omni")
    in_small_blocks(panel, settle)
    assert panel.controller.source.array is None
    panel.run()
    until(lambda: panel.controller.queue.runs)
    run = panel.controller.queue.runs[0]
    layer = panel.results.layer_of(run)
    assert layer.multiscale
    assert isinstance(layer.data[-1], np.ndarray)
    until(lambda: run.status.blocks_done >= 3)
    assert layer.data[-1].max() > 0, "objects are shown before they are joined"
    fine = np.asarray(layer.data[0][:192, :192])
    assert fine.shape == (192, 192)
    panel.act(run, "pause")
    until(lambda: run.status.state == "paused")
    done = run.status.tiles_done
    panel.act(run, "resume")
    until(lambda: not run.alive)
    assert done < run.status.tiles_total
    result = Result.open(run.path)
    assert np.array_equal(np.asarray(layer.data[0]), result.array[...])
    assert np.array_equal(np.asarray(layer.data[-1]), result.levels[-1][...])
    assert tuple(layer.scale) == (0.5, 0.5)
    assert not errors()


def test_layers_may_be_renamed_and_removed_while_they_run(viewer, panel, until, settle, errors):
    layer = viewer.add_image(data.coins()[:200, :200], name="coins")
    settle()
    panel.run()
    until(lambda: panel.controller.queue.runs)
    run = panel.controller.queue.runs[0]
    layer.name = "renamed"
    assert panel.job_page.layer.currentText() == "renamed"
    viewer.layers.remove(panel.results.layer_of(run))
    viewer.layers.remove(layer)
    until(lambda: not run.alive)
    assert run.status.state == "complete"
    panel.act(run, "show")
    assert np.asarray(panel.results.layer_of(run).data).max() > 0
    assert not errors()


def test_runs_wait_for_their_turn_say_so_and_are_copied(viewer, panel, until, begun, errors):
    first = begun()
    panel.run()
    until(lambda: len(panel.controller.queue.runs) == 2)
    second = panel.controller.queue.runs[1]
    assert second.queued
    row = panel.runs_page.rows[second]
    assert f"waiting for '{first.title}'" in row.state.text()
    # What is asked of a result that is still to come is answered in plain words.
    waiting = panel.results.layer_of(second)
    viewer.layers.selection.active = waiting
    panel.correct_page.open_crop()
    with pytest.raises(JobError, match="has not begun"):
        open_labels(waiting, viewer.layers).measure()
    until(errors)
    assert "the page 'Runs' says how many were found" in errors()[0].message
    until(lambda: first.status.state == "running")
    panel.act(first, "pause")
    until(lambda: "is paused: resume or cancel it" in row.state.text())
    panel.act(first, "resume")
    until(lambda: "paused" not in row.state.text())
    assert row.buttons["cancel"].isVisibleTo(row)
    assert not row.buttons["pause"].isVisibleTo(row)
    panel.copy("yaml", first)
    assert QApplication.clipboard().text() == first.job.dump(prompt=True)
    panel.copy("command", first)
    assert str(first.path) in QApplication.clipboard().text()
    panel.act(first, "cancel")
    until(lambda: not second.queued)
    assert first.status.state == "cancelled"
    panel.act(second, "cancel")
    until(lambda: not second.alive)


@pytest.mark.slow
def test_a_killed_worker_is_one_notification_and_can_be_resumed(panel, until, begun, errors, picture):
    run = begun()
    until(lambda: run.status.blocks_done > 0)
    psutil.Process(run.status.pid).kill()
    until(lambda: not run.alive)
    until(errors)
    assert len(errors()) == 1
    assert "resume it" in errors()[0].message.lower()
    assert panel.runs_page.rows[run].buttons["resume"].isVisibleTo(panel.runs_page)
    picture("killed")
    done = run.status.blocks_done
    panel.act(run, "resume")
    until(lambda: run.status.blocks_done > done)
    panel.act(run, "cancel")
    until(lambda: not run.alive)
    assert run.status.state == "cancelled"
    assert len(errors()) == 1


def test_tiles_are_nested_under_their_run_and_the_button_cancels(panel, until, begun):
    from napari.utils.progress import cancelable_progress, progress

    run = begun()
    until(lambda: len(progress._all_instances) == 2)
    whole = next(bar for bar in progress._all_instances if isinstance(bar, cancelable_progress))
    (tiles,) = [bar for bar in progress._all_instances if bar is not whole]
    assert tiles.nest_under is whole
    assert tiles.total == run.status.tiles_total
    whole.cancel()
    until(lambda: not run.alive)
    assert run.status.state == "cancelled"
    until(lambda: not progress._all_instances)


def answer(words):
    """Press a button of the question that is asked next."""

    def press():
        (box,) = [one for one in QApplication.topLevelWidgets() if isinstance(one, QMessageBox) and one.isVisible()]
        next(one for one in box.buttons() if one.text() == words).click()

    QTimer.singleShot(200, press)


def test_closing_asks_while_a_run_is_at_work(viewer, panel, until, begun):
    (dialog,) = [one for one in panel._window_guests if isinstance(one, CloseDialog)]
    assert not dialog.eventFilter(None, QEvent(QEvent.Type.Close)), "nobody asks while nothing runs"
    run = begun()
    window = panel.window()
    answer("Stay in napari")
    assert not window.close()
    assert window.isVisible()
    assert run.alive
    until(lambda: run.status.state == "running")
    event = QEvent(QEvent.Type.Close)
    answer("Keep running")
    assert not dialog.eventFilter(None, event)
    assert status(run.path).alive
    answer("Cancel runs")
    assert not dialog.eventFilter(None, event)
    until(lambda: not run.alive)
    assert run.status.state == "cancelled"
    assert run.status.resumable


@pytest.mark.slow
def test_closing_in_the_middle_leaves_the_run_and_the_next_dock_offers_it(viewer, panel, until, begun, told):
    run = begun()
    until(lambda: run.status.blocks_done > 0)
    panel.shut()
    viewer.window.remove_dock_widget(panel)
    # napari gives the widget back to whoever made it.
    panel.deleteLater()
    assert status(run.path).alive, "the run is a process of its own"
    _, again = viewer.window.add_plugin_dock_widget("napari_s1omni", "Think and generate")
    try:
        until(lambda: again.controller.queue.runs)
        found = again.controller.queue.runs[0]
        assert found.path == run.path
        assert any("unfinished" in words for words in told())
        until(lambda: found.status.blocks_done > 0)
        again.act(found, "show")
        layer = again.results.layer_of(found)
        until(lambda: layer.data[-1].max() > 0)
        found.cancel()
        until(lambda: not found.alive)
    finally:
        again.shut()


def test_a_full_disk_is_one_notification(viewer, panel, until, settle, errors, small_share):
    viewer.open("synthetic://nuclei?shape=2048,2048&seed=1", plugin="napari_s1omni")
    (small_share / "filler").write_bytes(bytes(700_000))
    panel.controller.output = str(small_share / "out.zarr")
    settle()
    panel.run()
    until(errors)
    until(lambda: not panel.controller.queue.alive)
    assert len(errors()) == 1
    words = errors()[0].message
    assert "small share" in words
    assert "Traceback" not in words
    assert panel.job_page.run_button.isEnabled()


def test_a_full_cache_is_one_notification(viewer, panel, until, settle, errors, small_share, monkeypatch):
    monkeypatch.setenv("S1OMNI_CACHE", str(small_share))
    viewer.add_image(np.random.default_rng(0).random((1024, 1024)), name="noise")
    settle()
    panel.run()
    until(errors)
    assert len(errors()) == 1
    assert not panel.controller.queue.runs
    assert panel.job_page.run_button.isEnabled()


def test_a_scheduler_that_does_not_answer_is_one_notification(viewer, panel, until, settle, errors, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    panel.controller.queue.options = ("--scheduler", "tcp://127.0.0.1:9")
    viewer.add_image(data.coins()[:128, :128], name="coins")
    settle()
    panel.run()
    until(errors)
    assert len(errors()) == 1
    words = errors()[0].message
    assert "tcp://127.0.0.1:9 does not answer" in words
    assert "Traceback" not in words
    assert panel.controller.queue.runs[0].status.state == "failed"


def test_the_window_never_waits_for_a_store(viewer, panel, until, settle, monkeypatch):
    """Drawing, panning and refreshing read from memory; background threads fetch the pixels."""
    readers, fetch = [], LivePyramid.fetch

    def watched(levels, level, box):
        readers.append(threading.current_thread())
        return fetch(levels, level, box)

    monkeypatch.setattr(LivePyramid, "fetch", watched)
    viewer.open("synthetic://nuclei?shape=768,768&seed=2", plugin="napari_s1omni")
    in_small_blocks(panel, settle)
    panel.run()
    until(lambda: panel.controller.queue.runs)
    run = panel.controller.queue.runs[0]
    layer = panel.results.layer_of(run)
    viewer.scene.camera.zoom = 2
    until(lambda: layer.data_level == 0 and np.asarray(layer._slice.image.raw).any())
    viewer.scene.camera.center = (0, 400, 400)
    layer.refresh()
    assert readers
    assert threading.main_thread() not in readers
    panel.act(run, "cancel")
    until(lambda: not run.alive)


def test_callbacks_on_the_gui_thread_are_short(viewer, panel, until, settle):
    """Time of our functions on the GUI thread during a run, without what napari takes to add a layer or bars."""
    taken, added = [], []

    def timed(work):
        def do(*args):
            start = time.thread_time()
            done = work(*args)
            added.append(time.thread_time() - start)
            return done

        return do

    panel.link.insert = timed(panel.link.insert)
    panel.results.make_bars = timed(panel.results.make_bars)
    panel.main_thread.on_done = lambda seconds: (taken.append(seconds - sum(added)), added.clear())
    viewer.open("synthetic://nuclei?shape=768,768&seed=2", plugin="napari_s1omni")
    panel.controller.edit("sampling.think", "off")
    settle(lambda plan: plan.sampling.think == "off")
    panel.run()
    until(lambda: panel.controller.queue.runs and not panel.controller.queue.runs[0].alive)
    assert len(taken) > 3
    # The first layer of a kind loads napari's classes for it.
    assert sorted(taken)[-2] < 0.05, [round(1000 * t) for t in sorted(taken)[-5:]]


@pytest.mark.slow
def test_layers_go_while_a_second_run_works_and_shapes_are_drawn(viewer, panel, until, settle, begun, errors):
    """Where the driver draws in software, napari alone ends at the first frame after a Shapes layer was removed."""
    drawn = []
    viewer.window._qt_viewer.canvas._scene_canvas.events.draw.connect(lambda event: drawn.append(event))

    def draw():
        before = len(drawn)
        until(lambda: len(drawn) > before)

    first = begun()
    until(lambda: first.status.blocks_done > 0)
    panel.act(first, "cancel")
    until(lambda: not first.alive)
    panel.run()
    until(lambda: len(panel.controller.queue.runs) == 2)
    second = panel.controller.queue.runs[1]
    made = []
    panel.results.make_bars = lambda *args: made.append(args)
    for layer in list(viewer.layers):
        viewer.layers.remove(layer)
    until(lambda: second.status.blocks_done > 0)
    assert not made, "no bars for a run whose layer is gone"
    for _ in range(2):
        shapes = viewer.add_shapes()
        draw()
        shapes.add_rectangles(np.array([[20, 30], [120, 200]], float))
        draw()
        viewer.layers.remove(shapes)
        viewer.add_image(data.coins()[:64, :64])
        draw()
    assert second.alive
    assert not errors()
