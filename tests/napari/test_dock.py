"""The dock in a real napari window: from a layer to a corrected, measured result."""

import threading
import time

import numpy as np
import pytest
from napari.layers import Image
from skimage import data

from napari_s1omni.api import prepare
from napari_s1omni.frontends.previewing import Previewed
from napari_s1omni.results import Result


def settle(panel, until, check):
    until(lambda: panel.controller.prepared is not None and check(panel.controller.prepared.plan))


def test_the_form_writes_the_job(viewer, panel, until):
    viewer.add_image(data.coins(), name="coins")
    settle(panel, until, lambda plan: True)
    page = panel.job_page
    page.sections["tiling"].fields["tile_size"]._shown.value = "128"
    page.sections["sampling"].fields["think"]._shown.value = "once"
    page.sections["sampling"].fields["seed"]._shown.value = 5
    page._more["segmentation"].fields["fill_holes"]._shown.value = False
    page._more["segmentation"].fields["channels"]._shown.value = "0"
    page.prompt.setPlainText("segment the coins, about 45 px")
    settle(panel, until, lambda plan: plan.grid.tile_size == 128 and "45" in plan.job.operation.prompt)
    job = panel.controller.prepared.plan.job
    assert (job.sampling.think, job.sampling.seed, job.operation.fill_holes) == ("once", 5, False)
    assert job.operation.channels == (0,)
    assert "20 tiles" in page.card.line.text()
    page.sections["tiling"].fields["tile_size"].show(None)
    assert page.sections["tiling"].fields["tile_size"].widget.text() == ""
    assert page.sections["tiling"].fields["tile_size"].widget.placeholderText() == "auto"
    assert page.sections["tiling"].fields["tile_size"].widget.toolTip() == "Edge of a tile in source px."


def test_from_preview_to_measured_correction(viewer, panel, until, told):
    layer = viewer.add_image(
        data.coins(), name="coins", scale=(0.5, 0.5), translate=(3, 4), units=("um", "um"), axis_labels=("y", "x")
    )
    panel.controller.edit("operation.prompt", "segment the coins, about 45 px")
    panel.controller.edit("tiling.tile_size", 128)
    settle(panel, until, lambda plan: plan.grid.tile_size == 128)
    panel.preview()
    until(lambda: isinstance(panel.controller.preview, Previewed))
    until(lambda: "preview" in viewer.layers)
    shown = viewer.layers["preview"]
    width = shown.data.shape[1]
    panel.job_page.preview.curtain.setValue(100)
    assert shown.data.shape[1] == round(width / 2)
    assert "objects" in panel.job_page.preview.trace.toPlainText().lower()

    panel.run()
    until(lambda: panel.controller.queue.runs)
    run = panel.controller.queue.runs[0]
    result = panel.results.layer_of(run)
    assert "preview" not in viewer.layers
    until(lambda: not run.alive)
    assert run.status.state == "complete", run.status
    assert type(result).__name__ == "Labels"
    assert tuple(result.scale) == (0.5, 0.5)
    assert tuple(result.translate) == (3, 4)
    assert result.units == layer.units
    assert result.axis_labels == ("y", "x")
    assert result.metadata["s1omni"]["generated"] is False
    stored = Result.open(run.path)
    assert np.array_equal(np.asarray(result.data), stored.array[...])
    until(lambda: any("is complete" in words for words in told()))

    panel.why_page.choose(run)
    tile = panel.why_page.overlay.tile_at((3 + 30, 4 + 40))
    assert (tile.row, tile.col) == (60 // run.plan.grid.step, 80 // run.plan.grid.step)
    panel.why_page.open_tile(tile)
    until(lambda: "thought of" in panel.why_page.trace.toPlainText())
    panel.why_page.search.setText("threshold")
    panel.why_page._search()
    until(lambda: panel.why_page.hits.count() > 0)
    panel.why_page.overlay.clear()

    viewer.layers.selection.active = result
    panel.correct_page.open_crop()
    until(lambda: panel.correct_page.crop is not None)
    crop = panel.correct_page.crop
    assert crop.selected_label == stored.summary["objects"] + 1
    crop.data[5:25, 5:25] = crop.selected_label
    until(lambda: panel.correct_page.merge_button.isEnabled())
    at = crop.data_to_world((10, 10))
    panel.correct_page.merge()
    until(lambda: panel.correct_page.crop is None)
    until(lambda: result.get_value(at, world=True) == stored.summary["objects"] + 1)
    until(lambda: panel.correct_page.list.count() == 1)
    panel.correct_page.list.setCurrentRow(0)
    panel.correct_page.undo()
    until(lambda: result.get_value(at, world=True) != stored.summary["objects"] + 1)

    _, table = viewer.window.add_plugin_dock_widget("napari_s1omni", "Measurements")
    table.measure()
    until(lambda: table._model is not None)
    assert table._model.rowCount() == len(np.unique(stored.array[...])) - 1
    assert len(result.features) == table._model.rowCount()
    table.table.selectRow(2)
    assert result.selected_label == int(
        table._model.columns["label"][table._sorted.mapToSource(table._sorted.index(2, 0)).row()]
    )
    table.shut()


def test_a_large_image_fills_in_while_one_looks(viewer, panel, until, told):
    viewer.open("synthetic://nuclei?shape=1536,1536&seed=4&scale=0.5,0.5", plugin="napari_s1omni")
    panel.controller.edit("tiling.block_size", 384)
    settle(panel, until, lambda plan: plan.grid.block_size == 384)
    assert panel.controller.source.array is None
    panel.run()
    until(lambda: panel.controller.queue.runs)
    run = panel.controller.queue.runs[0]
    layer = panel.results.layer_of(run)
    assert layer.multiscale
    assert isinstance(layer.data[-1], np.ndarray)
    until(lambda: run.status.blocks_done >= 3)
    assert layer.data[-1].max() > 0, "objects are shown before they are joined"
    fine = np.asarray(layer.data[0][:384, :384])
    assert fine.shape == (384, 384)
    panel.act(run, "pause")
    until(lambda: run.status.state == "paused")
    done = run.status.tiles_done
    panel.act(run, "resume")
    until(lambda: not run.alive, 150)
    assert done < run.status.tiles_total
    result = Result.open(run.path)
    assert np.array_equal(np.asarray(layer.data[0]), result.array[...])
    assert np.array_equal(np.asarray(layer.data[-1]), result.levels[-1][...])
    assert tuple(layer.scale) == (0.5, 0.5)


def test_super_resolution_of_colours_lies_over_its_source(viewer, panel, until):
    layer = viewer.add_image(data.immunohistochemistry()[:128, :160], name="ihc", rgb=True, scale=(2, 2))
    panel.choose_operation("super_resolution")
    settle(panel, until, lambda plan: plan.job.operation.type == "super_resolution")
    panel.run()
    until(lambda: panel.controller.queue.runs and not panel.controller.queue.runs[0].alive)
    result = panel.results.layer_of(panel.controller.queue.runs[0])
    assert isinstance(result, Image)
    assert result.rgb
    assert tuple(result.scale) == (1, 1)
    assert tuple(result.translate) == (-0.5, -0.5)
    assert np.allclose(result.extent.world, layer.extent.world, atol=1.01)
    assert np.asarray(result.data).mean() == pytest.approx(np.asarray(layer.data).mean(), rel=0.1)


def test_bad_layers_are_one_notification(viewer, panel, until, told):
    viewer.add_points(np.zeros((3, 2)))
    viewer.add_labels(np.zeros((8, 8), np.uint8))
    assert panel.job_page.layer.count() == 0
    assert not panel.job_page.run_button.isEnabled()
    panel.run()
    assert len(told()) == 1
    viewer.add_shapes()
    viewer.add_image(np.random.default_rng(0).random((64, 64)), name="noise")
    settle(panel, until, lambda plan: True)
    panel._region("shape")
    assert "no shape is drawn" in told()[-1].lower()
    assert len(told()) == 2
    assert "Traceback" not in "".join(told())


def test_a_drawn_shape_is_a_region(viewer, panel, until):
    viewer.add_image(np.random.default_rng(0).random((600, 600)), name="noise", scale=(2, 2))
    settle(panel, until, lambda plan: True)
    shapes = viewer.add_shapes([[400, 440], [400, 800], [700, 800], [700, 440]], shape_type="rectangle")
    panel._region("shape")
    settle(panel, until, lambda plan: plan.job.region is not None)
    region = panel.controller.prepared.plan.job.region
    assert (region.y, region.x) == ((200, 350), (220, 400))
    shapes.add([[0, 0], [0, 300], [300, 0]], shape_type="polygon")
    shapes.selected_data = {1}
    viewer.layers.selection.active = shapes
    panel._region("shape")
    settle(panel, until, lambda plan: plan.job.region.type == "polygon")
    grid = panel.controller.prepared.plan.grid
    assert grid.y[1] < 350, "the outline bounds the region"


def test_layers_may_be_renamed_and_removed_while_they_run(viewer, panel, until):
    layer = viewer.add_image(data.coins(), name="coins")
    settle(panel, until, lambda plan: True)
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


def test_a_killed_worker_is_one_notification_and_can_be_resumed(viewer, panel, until, told):
    import psutil

    viewer.open("synthetic://nuclei?shape=1024,1024&seed=1", plugin="napari_s1omni")
    panel.controller.edit("tiling.block_size", 192)
    settle(panel, until, lambda plan: plan.grid.block_size == 192)
    panel.run()
    until(lambda: panel.controller.queue.runs)
    run = panel.controller.queue.runs[0]
    until(lambda: run.status.blocks_done > 0)
    psutil.Process(run.status.pid).kill()
    until(lambda: not run.alive)
    until(lambda: any("resume it" in words.lower() for words in told()))
    assert panel.runs_page.rows[run].buttons["resume"].isVisibleTo(panel.runs_page)
    panel.act(run, "resume")
    until(lambda: run.status.state == "complete", 150)


def test_dropping_a_job_fills_the_form(viewer, panel, until, tmp_path, told):
    import tifffile

    from napari_s1omni.job import Job

    tifffile.imwrite(tmp_path / "coins.tif", data.coins())
    job = Job(
        source=str(tmp_path / "coins.tif"),
        output=str(tmp_path / "out.zarr"),
        engine="reference",
        operation={"type": "segmentation", "prompt": "segment the coins"},
        tiling={"tile_size": 96},
    )
    viewer.open(job.source.uri)
    settle(panel, until, lambda plan: True)
    panel.load(job)
    settle(panel, until, lambda plan: plan.grid.tile_size == 96)
    assert panel.job_page.prompt.toPlainText() == "segment the coins"
    assert panel.job_page.output.text() == job.output
    assert panel.controller.prepared.plan.digest == prepare(job).plan.digest
    panel.copy("yaml")
    from qtpy.QtWidgets import QApplication

    assert QApplication.clipboard().text() == job.dump()


def begun(viewer, panel, until, shape=1024):
    """A run of many small blocks, at work."""
    viewer.open(f"synthetic://nuclei?shape={shape},{shape}&seed=1", plugin="napari_s1omni")
    panel.controller.edit("tiling.block_size", 192)
    settle(panel, until, lambda plan: plan.grid.block_size == 192)
    panel.run()
    until(lambda: panel.controller.queue.runs)
    return panel.controller.queue.runs[0]


def test_closing_asks_while_a_run_is_at_work(viewer, panel, until, monkeypatch):
    from qtpy.QtCore import QEvent

    from napari_s1omni.frontends.dock.farewell import Farewell

    window = panel.window()
    farewell = Farewell(window, panel.controller.queue)
    try:
        assert not farewell.eventFilter(None, QEvent(QEvent.Type.Close)), "nobody asks while nothing runs"
        run = begun(viewer, panel, until)
        asked = []
        monkeypatch.setattr(farewell, "ask", lambda: asked.append(1) or "stay")
        event = QEvent(QEvent.Type.Close)
        assert farewell.eventFilter(None, event)
        assert asked
        monkeypatch.setattr(farewell, "ask", lambda: "cancel")
        assert not farewell.eventFilter(None, event)
        until(lambda: not run.alive)
        assert run.status.state == "cancelled"
        assert run.status.resumable
    finally:
        farewell.close()


def test_closing_in_the_middle_leaves_the_run_and_the_next_dock_offers_it(viewer, panel, until, told):
    from napari_s1omni.execution.watching import status

    run = begun(viewer, panel, until)
    until(lambda: run.status.blocks_done > 0)
    panel.shut()
    viewer.window.remove_dock_widget(panel)
    assert status(run.path).alive, "the run is a process of its own"
    _, again = viewer.window.add_plugin_dock_widget("napari_s1omni", "Think and generate")
    try:
        until(lambda: again.controller.queue.runs)
        found = again.controller.queue.runs[0]
        assert found.path == run.path
        assert any("unfinished" in words for words in told())
        found.cancel()
        until(lambda: not found.alive)
    finally:
        again.shut()


def test_tiles_are_nested_under_their_run_and_the_button_cancels(viewer, panel, until):
    from napari.utils.progress import cancelable_progress, progress

    run = begun(viewer, panel, until)
    until(lambda: len(progress._all_instances) == 2)
    whole = next(bar for bar in progress._all_instances if isinstance(bar, cancelable_progress))
    (tiles,) = [bar for bar in progress._all_instances if bar is not whole]
    assert tiles.nest_under is whole
    assert tiles.total == run.status.tiles_total
    whole.cancel()
    until(lambda: not run.alive)
    assert run.status.state == "cancelled"
    until(lambda: not progress._all_instances)


def test_a_tile_is_tried_accepted_and_undone(viewer, panel, until, told):
    from napari_s1omni.frontends.runs import Run

    viewer.add_image(data.coins()[:256, :256], name="coins")
    panel.controller.edit("operation.prompt", "segment the coins, about 45 px")
    panel.controller.edit("tiling.tile_size", 128)
    settle(panel, until, lambda plan: plan.grid.tile_size == 128)
    panel.run()
    until(lambda: panel.controller.queue.runs and not panel.controller.queue.runs[0].alive)
    run = panel.controller.queue.runs[0]
    before = Result.open(run.path).array[...]
    why = panel.why_page
    why.choose(run)
    until(lambda: why.overlay.visible)
    why.open_tile(run.tiles.info(0, 0))
    until(lambda: "thought of" in why.trace.toPlainText())
    assert "seed 0" in why.trace.toPlainText()
    why.wording.setText("segment the coins, about 12 px")
    why._another_wording()
    until(why.accept.isEnabled)
    assert "Tried again" in why.trace.toPlainText()
    why.accept.click()
    until(lambda: run.status.state == "complete" and why.undo.isEnabled(), 120)
    until(lambda: "redone in round 1" in why.trace.toPlainText())
    assert "12 px" in Result.open(run.path).thought_at(10, 10)[1].text
    after = Result.open(run.path).array[...]
    assert not np.array_equal(before, after)
    viewer.layers.selection.active = panel.results.layer_of(run)
    until(panel.correct_page.restore_button.isEnabled)
    panel.correct_page.restore()
    until(lambda: panel.correct_page.list.count() == 1)
    assert np.array_equal(Result.open(run.path).array[...] > 0, before > 0)
    why.undo.click()
    until(lambda: np.array_equal(Result.open(run.path).array[...], before))
    assert isinstance(run, Run)
    assert not any("Traceback" in words for words in told())


def test_our_callbacks_are_short(viewer, panel, until):
    """What runs for us on the thread of the widgets while a job runs, less what napari itself takes to add a layer."""
    taken, added, insert = [], [], panel.link.insert

    def inserted(layer):
        start = time.thread_time()
        insert(layer)
        added.append(time.thread_time() - start)

    panel.link.insert = inserted
    panel.bridge.on_done = lambda seconds: (taken.append(seconds - sum(added)), added.clear())
    viewer.open("synthetic://nuclei?shape=768,768&seed=2", plugin="napari_s1omni")
    settle(panel, until, lambda plan: True)
    panel.run()
    until(lambda: panel.controller.queue.runs and not panel.controller.queue.runs[0].alive)
    assert threading.current_thread() is threading.main_thread()
    assert len(taken) > 3
    # The first layer of a kind loads napari's classes for it.
    assert sorted(taken)[-2] < 0.05, [round(1000 * t) for t in sorted(taken)[-5:]]
