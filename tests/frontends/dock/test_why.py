"""The page "Why": tiles over a result, their thoughts, and redoing one of them."""

from types import SimpleNamespace

import numpy as np
from skimage import data

import napari_s1omni
from napari_s1omni.results.result import Result


def click(viewer, page, where):
    """Press and release the mouse over a place of the world, as napari tells its callbacks."""
    event = SimpleNamespace(type="mouse_press", position=where)
    going = page._on_click(viewer, event)
    next(going)
    event.type = "mouse_release"
    assert next(going, None) is None


def test_a_tile_is_tried_accepted_and_undone(warm, viewer, panel, until, settle, errors, picture):
    viewer.add_image(data.coins()[:256, :256], name="coins")
    panel.controller.edit("operation.prompt", "segment the coins, about 45 px")
    panel.controller.edit("tiling.tile_size", 128)
    settle(lambda plan: plan.grid.tile_size == 128)
    panel.run()
    until(lambda: panel.controller.queue.runs and not panel.controller.queue.runs[0].alive)
    run = panel.controller.queue.runs[0]
    before = Result.open(run.path).array[...]
    why = panel.why_page
    why.choose(run)
    until(lambda: why.overlay.visible)
    panel.tabs.setCurrentWidget(why)
    why._on_hover(viewer, SimpleNamespace(position=(100.0, 20.0)))
    assert why.hover.text().startswith("tile 1/0: drawn")
    click(viewer, why, (10.0, 20.0))
    assert (why.tile.row, why.tile.col) == (0, 0)
    until(lambda: "thought for" in why.trace.toPlainText())
    assert "seed 0" in why.trace.toPlainText()
    for by in ("seam", "confidence"):
        why.colour.setCurrentIndex(why.colour.findData(by))
        shown = why.overlay.layer.data.copy()
        why._on_colour()
        until(lambda shown=shown: not np.array_equal(why.overlay.layer.data, shown))
        assert "dark = low" in why.legend.text()
    picture("why")
    why.search.line.setText("smoothing")
    why.search.line.returnPressed.emit()
    until(lambda: why.search.hits.count() > 0)
    assert "smoothing" in why.search.hits.item(0).text()
    # Whatever is written for the next run, a tile is tried as its own run drew it.
    panel.controller.edit("tiling.tile_size", 64)
    panel.controller.edit("operation.prompt", "segment the holes")
    viewer.add_image(data.camera()[:64, :64], name="other")
    settle(lambda plan: plan.grid.tile_size == 64 and plan.source.shape == (64, 64))
    why.redo.try_seed.click()
    until(why.redo.accept.isEnabled)
    assert "Tried again" in why.trace.toPlainText()
    tried = panel.controller.preview.plan
    assert (tried.grid.tile_size, tried.sampling.seed, tried.source.shape) == (128, 1, (256, 256))
    assert tried.job.operation.prompt == "segment the coins, about 45 px"
    why.redo.prompt.setText("segment the coins, about 12 px")
    why.redo.try_prompt.click()
    assert not why.redo.accept.isEnabled()
    until(why.redo.accept.isEnabled)
    assert "seed 1" in why.trace.toPlainText()
    why.redo.use_for_job.click()
    assert panel.controller.document["operation"]["prompt"] == "segment the coins, about 12 px"
    assert panel.controller.document["sampling"]["seed"] == 1
    picture("again")
    why.redo.accept.click()
    until(lambda: run.status.state == "complete" and why.redo.undo.isEnabled())
    until(lambda: "redone in round 1" in why.trace.toPlainText())
    assert "12 px" in Result.open(run.path).thought_at(10, 10)[1].text
    assert "seed 1" in why.trace.toPlainText()
    after = Result.open(run.path).array[...]
    assert not np.array_equal(before, after)
    viewer.layers.selection.active = panel.results.layer_of(run)
    until(panel.correct_page.restore_button.isEnabled)
    panel.correct_page.restore()
    until(lambda: panel.correct_page.list.count() == 1)
    assert np.array_equal(Result.open(run.path).array[...] > 0, before > 0)
    why.redo.undo.click()
    until(lambda: np.array_equal(Result.open(run.path).array[...], before))
    assert not errors()


def test_a_thought_that_was_searched_for_is_brought_into_view(viewer, panel, until, settle, errors):
    """Its plane and its channel, where a run has several."""
    noisy = np.random.default_rng(1).integers(0, 4000, (3, 128, 128))
    soft = np.linspace(0, 4000, 128 * 128).reshape(1, 128, 128).repeat(3, 0)
    viewer.add_image(np.stack([soft, noisy]).astype("uint16"), name="two", axis_labels=("c", "z", "y", "x"))
    panel.controller.choose_operation("super_resolution")
    panel.controller.edit("sampling.think", "per_tile")
    settle(lambda plan: plan.grid.groups == 2)
    panel.run()
    until(lambda: panel.controller.queue.runs and not panel.controller.queue.runs[0].alive)
    run, why = panel.controller.queue.runs[0], panel.why_page
    wanted = "t0/z2/g1/tile/0/0"
    words = run.thoughts.read()[wanted].text.splitlines()[0]
    why.search.line.setText(words)
    why.search.line.returnPressed.emit()
    until(lambda: why.search.hits.count() > 1)
    items = [why.search.hits.item(i) for i in range(why.search.hits.count())]
    (found,) = [item for item in items if item.data(256) == wanted]
    why.search.hits.itemClicked.emit(found)
    until(lambda: "channel 1" in why.trace.toPlainText() and "seed 0" in why.trace.toPlainText())
    assert why.tile.place == (0, 2, 1, 0, 0)
    assert why.overlay.plane() == (2, 0, 1)
    assert run.plan.target.size("c") == 2
    assert [viewer.dims.current_step[i] for i in (0, 1)] == [1, 2]
    assert not errors()


def test_the_page_follows_the_chosen_result_also_one_that_was_opened_like_a_file(
    viewer, panel, until, tmp_path, errors
):
    for name, size in (("first", 45), ("second", 40)):
        prompt = f"segment the coins, about {size} px"
        napari_s1omni.segment(data.coins()[:96, :128], tmp_path / f"{name}.zarr", prompt=prompt, engine="reference")
    (first,) = viewer.open(tmp_path / "first.zarr", plugin="napari_s1omni")
    viewer.layers.selection.active = first
    why = panel.why_page
    panel.tabs.setCurrentWidget(why)
    until(lambda: why.overlay.visible)
    assert why.overlay.run.path == tmp_path / "first.zarr"
    assert panel.results.layer_of(why.overlay.run) == first
    (second,) = viewer.open(tmp_path / "second.zarr", plugin="napari_s1omni")
    viewer.layers.selection.active = second
    until(lambda: why.overlay.visible and why.overlay.run.path == tmp_path / "second.zarr")
    click(viewer, why, (10.0, 20.0))
    until(lambda: "thought for" in why.trace.toPlainText())
    viewer.layers.selection.active = first
    until(lambda: why.overlay.visible and why.overlay.run.path == tmp_path / "first.zarr")
    assert len([layer for layer in viewer.layers if layer.name.startswith("tiles")]) == 1
    assert not errors()
