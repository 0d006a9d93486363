"""Why, again, accept and undo: tiles over a result, what was thought of them, and drawing one anew."""

from types import SimpleNamespace

import numpy as np
from skimage import data

from napari_s1omni.results import Result


def click(viewer, page, where):
    """Press and release the mouse over a place of the world, as napari tells its callbacks."""
    event = SimpleNamespace(type="mouse_press", position=where)
    going = page._clicked(viewer, event)
    next(going)
    event.type = "mouse_release"
    assert next(going, None) is None


def test_a_tile_is_tried_accepted_and_undone(viewer, panel, until, settle, errors, picture):
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
    why._hovered(viewer, SimpleNamespace(position=(100.0, 20.0)))
    assert why.hover.text().startswith("tile 1/0: drawn")
    click(viewer, why, (10.0, 20.0))
    assert (why.tile.row, why.tile.col) == (0, 0)
    until(lambda: "thought of" in why.trace.toPlainText())
    assert "seed 0" in why.trace.toPlainText()
    for by in ("seam", "confidence"):
        why.colour.setCurrentIndex(why.colour.findData(by))
        shown = why.overlay.layer.data.copy()
        why._recolour()
        until(lambda shown=shown: not np.array_equal(why.overlay.layer.data, shown))
        assert "dark is little" in why.legend.text()
    picture("why")
    why.search.setText("smoothing")
    why.search.returnPressed.emit()
    until(lambda: why.hits.count() > 0)
    assert "smoothing" in why.hits.item(0).text()
    why.wording.setText("segment the coins, about 12 px")
    why._another_wording()
    until(why.accept.isEnabled)
    assert "Tried again" in why.trace.toPlainText()
    picture("again")
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
    assert not errors()
