"""The region in a real window: drawn with the mouse, shown on the canvas, kept to the pixel, gone when it is deleted."""

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from skimage import data

from napari_s1omni.results.result import Result


def outline(viewer):
    """The corners of the box that is shown, (y, x) at the edges of its pixels; None if none is shown."""
    if "region" not in viewer.layers:
        return None
    layer = viewer.layers["region"]
    corners = np.array([layer.data_to_world(point) for point in layer.data[:, 0]])
    return corners.min(axis=0).tolist(), corners.max(axis=0).tolist()


def choose(panel, key):
    """Choose an entry of the field "Region" as a hand does, with the keyboard."""
    box = panel.job_page.region
    box.setFocus()
    wanted = box.findData(key)
    while box.currentIndex() != wanted:
        QTest.keyClick(box, Qt.Key.Key_Down if wanted > box.currentIndex() else Qt.Key.Key_Up)
    box.activated.emit(wanted)


def draw(viewer, low, high):
    """Draw a rectangle in a new Shapes layer."""
    shapes = viewer.add_shapes(name="drawn")
    shapes.add_rectangles(np.array([low, high], float))
    return shapes


def test_a_rectangle_is_run_to_the_pixel_and_shown(viewer, panel, until, settle, errors):
    viewer.add_image(data.coins(), name="coins")
    panel.controller.edit("tiling.tile_size", 128)
    settle(lambda plan: plan.grid.tile_size == 128)
    draw(viewer, (20.4, 30.4), (133.4, 218.4))
    choose(panel, "shape")
    plan = settle(lambda plan: plan.job.region is not None)
    assert (plan.grid.y, plan.grid.x) == ((21, 134), (31, 219))
    until(lambda: outline(viewer) == ([20.5, 30.5], [133.5, 218.5]))
    forecast = panel.controller.prepared.cost.tiles_computed
    assert f"{forecast:,} tiles" in panel.job_page.card.line.text()
    panel.run()
    until(lambda: panel.controller.queue.runs)
    run = panel.controller.queue.runs[0]
    until(lambda: not run.alive)
    result = Result.open(run.path)
    assert result.array.shape == (113, 188)
    assert (run.status.tiles_done, run.status.tiles_total) == (forecast, forecast)
    layer = panel.results.layer_of(run)
    assert tuple(layer.data_to_world((0, 0))) == (21, 31)
    # The tiles of the run are laid over it on the lattice of the whole layer.
    run.tiles.add(result.records)
    assert run.tiles.corner == (0, 0)
    assert run.tiles.at(25, 35).state == "drawn"
    assert run.tiles.at(20, 35) is None
    assert not errors()


def test_a_deleted_shape_is_gone_for_every_later_job(viewer, panel, until, settle, told):
    viewer.add_image(data.coins(), name="coins")
    settle()
    shapes = draw(viewer, (20, 30), (120, 200))
    choose(panel, "shape")
    settle(lambda plan: plan.job.region is not None)
    until(lambda: "region" in viewer.layers)
    # A shape that is moved is the region where it is now.
    shapes.data = [shapes.data[0] + 10]
    panel._commit()
    settle(lambda plan: plan.grid.y == (30, 130))
    viewer.layers.selection.active = shapes
    shapes.selected_data = {0}
    shapes.remove_selected()
    settle(lambda plan: plan.job.region is None)
    assert panel.job_page.region.currentData() == "whole"
    assert panel.controller.document.get("region") is None
    until(lambda: outline(viewer) is None)
    assert any("shape was deleted" in words for words in told())


def test_what_is_seen_is_what_is_run(viewer, panel, until, settle):
    viewer.add_image(np.tile(data.coins(), (3, 3)), name="coins", scale=(0.5, 0.5))
    settle()
    viewer.scene.camera.zoom *= 4
    until(lambda: panel.link.spans_in_view()["y"][0] > 0)
    choose(panel, "view")
    plan = settle(lambda plan: plan.job.region is not None)
    seen = panel.link.spans_in_view()
    for axis in "yx":
        first, last = getattr(plan.grid, axis)
        assert (first, last) == tuple(int(v) for v in seen[axis])
    until(lambda: outline(viewer) is not None)
    (top, left), (bottom, right) = outline(viewer)
    assert (bottom - top, right - left) == (
        (plan.grid.y[1] - plan.grid.y[0]) * 0.5,
        (plan.grid.x[1] - plan.grid.x[0]) * 0.5,
    )


def press_delete(viewer):
    """Press the bin below napari's list of layers."""
    QTest.mouseClick(viewer.window._qt_viewer.layerButtons.deleteButton, Qt.MouseButton.LeftButton)


def test_a_deleted_layer_of_shapes_is_gone_for_the_jobs_of_all_layers(viewer, panel, until, settle, told, errors):
    first = viewer.add_image(data.coins(), name="first")
    settle()
    shapes = draw(viewer, (20, 30), (120, 200))
    choose(panel, "shape")
    settle(lambda plan: plan.job.region is not None)
    second = viewer.add_image(data.coins()[::-1], name="second")
    until(lambda: panel.link.layer is second)
    settle(lambda plan: plan.job.region is None)
    # What is edited now has no region: a shape that is moved is none of its business.
    shapes.data = [shapes.data[0] + 10]
    panel._commit()
    assert panel.controller.document.get("region") is None
    assert panel.job_page.region.currentData() == "whole"
    viewer.layers.selection.active = first
    settle(lambda plan: plan.grid.y == (20, 120))
    panel._commit()
    settle(lambda plan: plan.grid.y == (30, 130))
    viewer.layers.selection.active = second
    settle(lambda plan: plan.job.region is None)
    choose(panel, "shape")
    settle(lambda plan: plan.job.region is not None)
    viewer.layers.selection = {shapes}
    press_delete(viewer)
    assert shapes not in viewer.layers
    settle(lambda plan: plan.job.region is None)
    until(lambda: len([words for words in told() if "shape was deleted" in words]) == 2)
    until(lambda: "region" not in viewer.layers)
    viewer.layers.selection.active = first
    settle(lambda plan: plan.job.region is None and plan.grid.y == (0, 303))
    assert panel.job_page.region.currentData() == "whole"
    # The canvas is drawn as before, with another layer of shapes too.
    draw(viewer, (20, 30), (120, 200))
    viewer.screenshot(canvas_only=True, flash=False)
    choose(panel, "shape")
    settle(lambda plan: plan.grid.y == (20, 120))
    assert not errors()
