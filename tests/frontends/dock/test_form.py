"""The form of the dock: it edits the job on every kind of layer, and reports each error once."""

import dask.array
import numpy as np
import pytest
import zarr
from qtpy.QtWidgets import QApplication
from skimage import data


def test_the_form_writes_the_job(viewer, panel, settle, picture):
    viewer.add_image(data.coins(), name="coins")
    settle()
    page = panel.job_page
    page.sections["tiling"].fields["tile_size"]._shown.value = "128"
    page.sections["sampling"].fields["think"]._shown.value = "once"
    page.sections["sampling"].fields["seed"]._shown.value = 5
    page._more["segmentation"].fields["fill_holes"]._shown.value = False
    page._more["segmentation"].fields["channels"]._shown.value = "0"
    page.prompt.setPlainText("segment the coins, about 45 px")
    settle(lambda plan: plan.grid.tile_size == 128 and "45" in plan.job.operation.prompt)
    job = panel.controller.prepared.plan.job
    assert (job.sampling.think, job.sampling.seed, job.operation.fill_holes) == ("once", 5, False)
    assert job.operation.channels == (0,)
    assert "20 tiles" in page.card.line.text()
    page.sections["tiling"].fields["tile_size"].show(None)
    assert page.sections["tiling"].fields["tile_size"].widget.text() == ""
    assert page.sections["tiling"].fields["tile_size"].widget.placeholderText() == "auto"
    assert page.sections["tiling"].fields["tile_size"].widget.toolTip() == "Edge of a tile in source px."


def test_fields_of_stacks_are_shown_for_stacks(viewer, panel, settle):
    viewer.add_image(np.random.default_rng(0).random((5, 64, 80)), name="stack", axis_labels=("z", "y", "x"))
    settle()
    form = panel.job_page._more["segmentation"]
    assert form.layout().isRowVisible(form.fields["link_z"].widget)
    form.fields["link_z"]._shown.value = "yes"
    form.fields["z_gap"]._shown.value = True
    form.fields["min_planes"]._shown.value = "3"
    operation = settle(lambda plan: plan.job.operation.z_gap and plan.job.operation.min_planes == 3).job.operation
    assert operation.link_z
    assert operation.prompt
    assert "In volumes, about" in panel.job_page.card.request.text()
    viewer.add_image(np.random.default_rng(0).random((64, 80)), name="plane")
    settle(lambda plan: plan.source.size("z") == 1)
    assert not form.layout().isRowVisible(form.fields["link_z"].widget)
    assert "volumes" not in panel.job_page.card.request.text()


def test_text_being_typed_is_part_of_the_run(viewer, panel, settle, until):
    viewer.add_image(data.coins()[:128, :128], name="coins")
    settle()
    panel.job_page.prompt.setPlainText("segment the coins, about 40 px")
    panel.job_page.output.setText("")
    panel.run()
    until(lambda: panel.controller.queue.runs)
    run = panel.controller.queue.runs[0]
    assert run.job.operation.prompt == run.plan.job.operation.prompt == "segment the coins, about 40 px"
    until(lambda: not run.alive)


def test_the_current_view_is_taken_when_the_run_starts(viewer, panel, settle, until):
    layer = viewer.add_image(np.random.default_rng(0).random((2000, 2000)), name="noise")

    def look_at(place):
        viewer.scene.camera.zoom = 4
        viewer.scene.camera.center = (0, place, place)
        # napari finds out what is in view when it draws.
        until(lambda: abs(layer.corner_pixels.mean() - place) < 20)

    panel.controller.edit("tiling.tile_size", 128)
    settle(lambda plan: plan.grid.tile_size == 128)
    look_at(300)
    panel.job_page.region.setCurrentIndex(1)
    panel.set_region("view")
    first = settle(lambda plan: plan.job.region is not None).grid
    assert first.y[0] < 300 < first.y[1] < 1000
    look_at(1500)
    panel.run()
    until(lambda: panel.controller.queue.runs)
    run = panel.controller.queue.runs[0]
    assert run.plan.grid.y[0] < 1500 < run.plan.grid.y[1]
    assert run.job.region == run.plan.job.region
    run.cancel()
    until(lambda: not run.alive)


class Untouchable:
    """An array of which only small pieces may be had: what would read it whole is an error."""

    def __init__(self, shape):
        self.shape, self.ndim, self.dtype = shape, len(shape), np.dtype("uint16")
        self.size = int(np.prod(shape))

    def __getitem__(self, key):
        pixels = np.broadcast_to(np.uint16(7), self.shape)[key]
        assert pixels.size < 2**24, "a whole layer was read"
        return np.array(pixels)

    def __array__(self, dtype=None, copy=None):
        assert self.size < 2**24, "a whole layer was read"
        return self[...]


rng = np.random.default_rng(0)
PIXELS = {
    "float64": rng.random((64, 80)),
    "bool": rng.random((64, 80)) > 0.5,
    "big-endian": np.arange(64 * 80, dtype=">u2").reshape(64, 80),
    "int64": np.arange(64 * 80, dtype=np.int64).reshape(64, 80),
    "5D with singletons": rng.random((1, 1, 1, 64, 80)).astype(np.float32),
    "time and planes": rng.random((2, 3, 64, 80)).astype(np.float32),
    "zarr": zarr.array(rng.random((64, 80)).astype(np.float32), chunks=(32, 32)),
    "dask": dask.array.from_array(rng.random((64, 80)), chunks=(32, 32)),
    "levels": [np.kron(rng.random((64, 80)), np.ones((8, 8))), rng.random((64, 80))],
    "huge": [Untouchable((40000, 40000)), Untouchable((400, 400))],
}


@pytest.mark.parametrize("kinds", [tuple(PIXELS)[:5], tuple(PIXELS)[5:]], ids=["types", "arrays"])
def test_layers_of_every_kind_get_a_plan(viewer, panel, settle, until, errors, kinds):
    for kind in kinds:
        pixels = PIXELS[kind]
        options = {"contrast_limits": (0, 10)} if kind == "huge" else {}
        viewer.add_image(pixels, name=kind, multiscale=isinstance(pixels, list), **options)
        shape = pixels[0].shape if isinstance(pixels, list) else pixels.shape
        until(lambda kind=kind: panel.controller.source and panel.controller.source.view.name == kind)
        found = settle(lambda plan, kind=kind: panel.controller.is_planned)
        assert (found.source.size("y"), found.source.size("x")) == shape[-2:], kind
        assert panel.job_page.run_button.isEnabled()
    assert not errors()


def test_labels_of_every_kind_and_points_are_left_alone(viewer, panel, until, errors):
    for pixels in (
        np.zeros((8, 8), np.int64),
        np.zeros((8, 8), bool),
        np.zeros((8, 8), ">u2"),
        np.zeros((8, 8, 3), np.uint8),
    ):
        viewer.add_labels(pixels)
    viewer.add_points(np.zeros((3, 2)))
    assert panel.job_page.layer.count() == 0
    assert not panel.job_page.run_button.isEnabled()
    panel.run()
    until(errors)
    assert len(errors()) == 1
    assert "no image layer is chosen" in errors()[0].message.lower()
    panel.preview()
    until(lambda: len(errors()) == 2)


def test_a_colour_picture_of_labels_is_a_picture(viewer, panel, settle, errors):
    colours = rng.integers(0, 255, (20, 3)).astype(np.uint8)
    viewer.add_image(colours[np.kron(np.arange(16).reshape(4, 4), np.ones((20, 20), int))], name="colours", rgb=True)
    assert settle().source.rgb
    assert not errors()


def test_units_that_differ_are_one_length_for_the_job(viewer, panel, settle):
    layer = viewer.add_image(
        rng.random((4, 64, 80)),
        name="mixed",
        scale=(500, 0.5, 0.5),
        units=("nm", "um", "um"),
        axis_labels=("z", "y", "x"),
    )
    plan = settle()
    assert plan.source.scale == pytest.approx((0.5, 0.5, 0.5))
    assert set(plan.source.units) == {"micrometer"}
    assert tuple(layer.scale) == (500, 0.5, 0.5)


def test_an_empty_selection_of_shapes_is_one_notification(viewer, panel, settle, errors):
    viewer.add_image(rng.random((64, 64)), name="noise")
    viewer.add_shapes()
    settle()
    panel.set_region("shape")
    assert ["no shape is drawn" in one.message.lower() for one in errors()] == [True]
    assert panel.job_page.region.currentData() == "whole"


def test_a_drawn_shape_is_a_region(viewer, panel, settle, until):
    viewer.add_image(np.random.default_rng(0).random((600, 600)), name="noise", scale=(2, 2))
    settle()
    shapes = viewer.add_shapes([[400, 440], [400, 800], [700, 800], [700, 440]], shape_type="rectangle")
    panel.set_region("shape")
    settle(lambda plan: plan.job.region is not None)
    region = panel.controller.prepared.plan.job.region
    assert (region.y, region.x) == ((200, 350), (220, 400))
    shapes.add([[0, 0], [0, 300], [300, 0]], shape_type="polygon")
    shapes.selected_data = {1}
    viewer.layers.selection.active = shapes
    panel.set_region("shape")
    settle(lambda plan: plan.job.region.type == "polygon")
    grid = panel.controller.prepared.plan.grid
    assert grid.y[1] < 350, "the outline bounds the region"
    panel.preview()
    until(lambda: panel.controller.preview is not None)
    made = panel.controller.preview.plan.grid
    assert grid.y[0] <= made.y[0] < made.y[1] <= grid.y[1], "what is drawn is previewed, not what is in view"


def test_details_are_one_click_away_and_no_traceback(viewer, panel, qapp):
    from napari.utils.notifications import notification_manager

    from napari_s1omni.execution.run.status import Failure
    from napari_s1omni.frontends.dock.notifications import DetailsDialog, show_error

    show_error(
        Failure("DiskFull", "no space is left on /data", "free some, then resume", 75),
        "'nuclei' failed.",
        "12 MB short",
    )
    note = notification_manager.records[-1]
    assert note.message == "'nuclei' failed. No space is left on /data. Free some, then resume."
    ((words, act),) = note.actions
    assert words == "Details"
    act(viewer.window._qt_window)
    (shown,) = [one for one in QApplication.topLevelWidgets() if isinstance(one, DetailsDialog)]
    text = shown.text.toPlainText()
    assert "DiskFull" in text
    assert "12 MB short" in text
    assert "Traceback" not in text
    shown.close()
    qapp.processEvents()
