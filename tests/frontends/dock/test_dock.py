"""The dock in a real napari window: from a layer to a corrected, measured, saved result."""

import csv

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog
from skimage import data

from napari_s1omni.engine.registry import describe
from napari_s1omni.errors import EngineUnavailable
from napari_s1omni.evaluation.metrics import average_precision, pearson
from napari_s1omni.frontends.session.preview.events import PreviewResult
from napari_s1omni.results.result import Result
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.source import open_source

SCENE = "shape=4096,4096&seed=4&diameter=24&scale=0.5,0.5"


def test_from_preview_to_measured_correction(
    warm, viewer, panel, until, settle, told, errors, picture, tmp_path, monkeypatch
):
    layer = viewer.add_image(
        data.coins(), name="coins", scale=(0.5, 0.5), translate=(3, 4), units=("um", "um"), axis_labels=("y", "x")
    )
    panel.controller.edit("operation.prompt", "segment the coins, about 45 px")
    panel.controller.edit("tiling.tile_size", 128)
    settle(lambda plan: plan.grid.tile_size == 128)
    assert "loads with the first preview" in panel.job_page.engine_state.text()
    panel.preview()
    until(lambda: isinstance(panel.controller.preview, PreviewResult))
    assert "loaded" in panel.job_page.engine_state.text()
    until(lambda: "preview" in viewer.layers)
    shown = viewer.layers["preview"]
    width = shown.data.shape[1]
    panel.job_page.preview.slider.setValue(100)
    assert shown.data.shape[1] == round(width / 2)
    assert "objects" in panel.job_page.preview.trace.toPlainText().lower()

    picture("preview")
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
    until(lambda: any("coins in" in words and "saved in" in words for words in told()))

    viewer.layers.selection.active = result
    panel.correct_page.open_crop()
    until(lambda: panel.correct_page.crop is not None)
    crop = panel.correct_page.crop
    assert crop.selected_label == stored.summary["objects"] + 1
    crop.data[5:25, 5:25] = crop.selected_label
    crop.refresh()
    until(lambda: panel.correct_page.merge_button.isEnabled())
    panel.tabs.setCurrentWidget(panel.correct_page)
    picture("correct")
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
    column = table._model.names.index("area")
    table.table.sortByColumn(column, Qt.SortOrder.DescendingOrder)
    areas = [table._sorted.index(i, column).data(Qt.ItemDataRole.UserRole) for i in range(table._model.rowCount())]
    assert areas == sorted(areas, reverse=True)
    picture("measure")
    result.selected_label = int(table._model.columns["label"][5])
    (chosen,) = table.table.selectionModel().selectedRows()
    assert table._sorted.mapToSource(chosen).row() == 5
    path = tmp_path / "objects.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    table.save()
    until(path.exists)
    until(lambda: any("rows saved in" in words for words in told()))
    with path.open(newline="") as file:
        saved = list(csv.DictReader(file))
    assert [int(line["label"]) for line in saved] == list(table._model.columns["label"])
    assert float(saved[2]["area"]) == pytest.approx(table._model.columns["area"][2], rel=1e-5)
    table.shut()
    assert not errors()


def opened(viewer, panel, settle, engine, box, **edits):
    """Open the large image, put it elsewhere in the world, and write a job on a box of it."""
    viewer.open(f"synthetic://nuclei?{SCENE}", plugin="napari_s1omni")
    layer = viewer.layers[0]
    assert layer.multiscale
    assert layer.data[0].shape == (4096, 4096)
    layer.translate, layer.rotate = (30, -20), 10
    panel.controller.edit("engine", engine)
    for name, value in edits.items():
        panel.controller.edit(name.replace("__", "."), value)
    panel.controller.edit("region", {"type": "box", "y": list(box[0]), "x": list(box[1])})
    settle(lambda plan: plan.engine.name == engine and plan.job.region is not None)
    return layer


def carried_out(panel, until, seconds=150):
    panel.run()
    until(lambda: panel.controller.queue.runs)
    run = panel.controller.queue.runs[0]
    layer = panel.results.layer_of(run)
    assert layer is not None, "the layer is there at once"
    until(lambda: not run.alive, seconds)
    assert run.status.state == "complete", run.status
    until(lambda: run.pyramid.complete)
    return run, layer, Result.open(run.path)


BOXES = [
    pytest.param(((1152, 1536), (1920, 2432)), id="a region", marks=pytest.mark.slow),
    pytest.param(((0, 2048), (0, 2048)), id="a quarter", marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
]


@pytest.mark.parametrize("box", BOXES)
def test_the_reference_engine_on_a_large_pyramid(viewer, panel, until, settle, errors, box):
    edits = {"operation__prompt": "segment the nuclei, about 24 px", "tiling__tile_size": 192, "tiling__overlap": 64}
    edits["tiling__block_size"] = 256
    source = opened(viewer, panel, settle, "reference", box, **edits)
    run, layer, stored = carried_out(panel, until, 1200)
    grid = run.plan.grid
    assert len(grid) >= 4
    pixels = stored.array[...]
    levels = list(layer.data) if layer.multiscale else [layer.data]
    same = [np.array_equal(np.asarray(shown), level[...]) for shown, level in zip(levels, stored.levels, strict=False)]
    assert all(same)
    truth = open_source(f"synthetic://nuclei-labels?{SCENE}").read((slice(*grid.y), slice(*grid.x)))
    middle = (slice(128, 384), slice(128, 384))
    assert average_precision([(truth[middle], pixels[middle])], (0.5,))[0.5] > 0.7
    # The same px of result and source lie at the same place of the world.
    for at in ((0, 0), (100, 200)):
        assert np.allclose(layer.data_to_world(at), source.data_to_world((at[0] + grid.y[0], at[1] + grid.x[0])))
    assert layer.units == source.units
    assert layer.axis_labels == source.axis_labels
    assert np.allclose(layer.rotate, source.rotate)
    about = layer.metadata["s1omni"]
    assert (about["output"], about["digest"], about["generated"]) == (str(run.path), run.plan.digest, False)
    assert about["prompt"] == "segment the nuclei, about 24 px"
    until(lambda: len(layer.features) > 0)
    assert sorted(layer.features["index"]) == sorted(set(np.unique(pixels)) - {0})
    assert not errors()


@pytest.mark.slow
def test_the_bundled_engine_on_a_large_pyramid(viewer, panel, until, settle, errors):
    pytest.importorskip("torch", reason="the bundled checkpoint needs the extra 'models'")
    try:
        describe("nano", "super_resolution")
    except EngineUnavailable as error:
        pytest.skip(f"the bundled checkpoint is not there: {error}")
    panel.choose_operation("super_resolution")
    small = {"tiling__tile_size": 128, "tiling__overlap": 32}
    source = opened(viewer, panel, settle, "nano", ((1536, 1632), (1536, 1632)), **small)
    run, layer, stored = carried_out(panel, until, 250)
    grid = run.plan.grid
    assert isinstance(layer, Image)
    pixels = stored.array[...]
    assert np.array_equal(np.asarray(layer.data[0] if layer.multiscale else layer.data), pixels)
    before = source.data[0][grid.y[0] : grid.y[1], grid.x[0] : grid.x[1]]
    assert pixels.shape == tuple(2 * n for n in before.shape)
    averaged = pixels.reshape(before.shape[0], 2, before.shape[1], 2).mean((1, 3))
    assert pearson(before, averaged) > 0.8
    # Half as large px over the same field: px 0.5, 0.5 of the result is the middle of the first px.
    assert tuple(layer.scale) == (0.25, 0.25)
    assert np.allclose(layer.data_to_world((0.5, 0.5)), source.data_to_world((grid.y[0], grid.x[0])))
    assert layer.units == source.units
    assert tuple(layer.contrast_limits) == tuple(source.contrast_limits)
    assert "[generated]" in layer.name
    assert layer.metadata["s1omni"]["generated"] is True
    assert ResultStore.open(run.path).attributes["generated"] is True
    status = layer.get_status(layer.data_to_world((9, 9)), view_direction=None, dims_displayed=[0, 1], world=True)
    assert "[generated]" in str(status), "the status bar says so"
    assert not errors()


def test_super_resolution_of_colours_lies_over_its_source(viewer, panel, until, settle):
    layer = viewer.add_image(data.immunohistochemistry()[:128, :160], name="ihc", rgb=True, scale=(2, 2))
    panel.choose_operation("super_resolution")
    settle(lambda plan: plan.job.operation.type == "super_resolution")
    panel.run()
    until(lambda: panel.controller.queue.runs and not panel.controller.queue.runs[0].alive)
    result = panel.results.layer_of(panel.controller.queue.runs[0])
    assert isinstance(result, Image)
    assert result.rgb
    assert tuple(result.scale) == (1, 1)
    assert tuple(result.translate) == (-0.5, -0.5)
    assert np.allclose(result.extent.world, layer.extent.world, atol=1.01)
    assert np.asarray(result.data).mean() == pytest.approx(np.asarray(layer.data).mean(), rel=0.1)
