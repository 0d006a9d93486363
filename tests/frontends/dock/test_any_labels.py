"""Labels made by any program are corrected and measured as those of a run."""

import dask.array
import numpy as np
import pytest
import zarr
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from skimage.measure import regionprops_table

MADE = {
    "numpy": lambda pixels: pixels.copy(),
    "zarr": lambda pixels: zarr.array(pixels, chunks=(32, 32)),
    "dask": lambda pixels: dask.array.from_array(pixels, chunks=(32, 32)),
    "levels": lambda pixels: [pixels.copy(), pixels[::2, ::2].copy()],
}


def drawn():
    labels = np.zeros((64, 80), np.int64)
    labels[5:15, 5:25], labels[30:50, 40:60], labels[58:64, 70:80] = 3, 7, 9
    return labels


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def finest(layer):
    return np.asarray(layer.data[0] if layer.multiscale else layer.data)


def test_a_new_object_gets_a_label_that_none_has_also_outside_of_the_crop(viewer, panel, until):
    layer = viewer.add_labels(drawn(), name="theirs")
    page = panel.correct_page
    panel.tabs.setCurrentWidget(page)
    viewer.window._qt_window.resize(1280, 800)
    viewer.scene.camera.zoom = 60
    viewer.scene.camera.center = (4, 4)
    until(lambda: page.result_layer() is layer and layer.corner_pixels[1][0] < 30)
    click(page.open_button)
    until(lambda: page.crop is not None)
    assert page.crop.data.max() < 9, "the last object is not in the crop"
    assert page.crop.selected_label == 10


@pytest.mark.parametrize("made", MADE)
def test_any_labels_are_painted_in_merged_and_restored(viewer, panel, until, made, errors):
    pixels = drawn()
    layer = viewer.add_labels(MADE[made](pixels), name="theirs", multiscale=made == "levels", scale=(0.5, 0.5))
    page = panel.correct_page
    panel.tabs.setCurrentWidget(page)
    viewer.window._qt_window.resize(1280, 800)
    viewer.scene.camera.zoom = 5
    viewer.scene.camera.center = (16, 20)
    until(lambda: page.result_layer() is layer and tuple(layer.corner_pixels[1]) == (63, 79))
    click(page.open_button)
    until(lambda: page.crop is not None)
    assert not layer.visible
    viewer.layers.remove(page.crop)
    assert layer.visible, "without its crop, what it covered is shown again"
    assert page.crop is None
    assert not page.merge_button.isEnabled()
    click(page.open_button)
    until(lambda: page.crop is not None)
    crop = page.crop
    assert crop.selected_label == 10
    assert np.allclose(crop.extent.world, layer.extent.world)
    crop.data[20:24, 0:4] = crop.selected_label
    click(page.merge_button)
    until(lambda: page.list.count() == 1)
    assert layer.visible
    expected = pixels.copy()
    expected[20:24, 0:4] = 10
    assert np.array_equal(finest(layer), expected)
    if made == "levels":
        assert np.array_equal(np.asarray(layer.data[1]), expected[::2, ::2])
    page.list.setCurrentRow(0)
    click(page.undo_button)
    until(lambda: "undone" in page.list.item(0).text())
    assert np.array_equal(finest(layer), pixels)
    if made == "levels":
        assert np.array_equal(np.asarray(layer.data[1]), pixels[::2, ::2])
    assert not errors()


def test_any_labels_are_measured_in_the_units_of_their_layer(viewer, until, errors):
    pixels, image = drawn(), np.random.default_rng(0).random((64, 80))
    viewer.add_image(image, name="cells", units=("um", "um"))
    layer = viewer.add_labels(pixels, name="theirs", scale=(0.5, 0.5), translate=(3, 4), units=("um", "um"))
    movie = np.zeros((2, 8, 8), np.uint8)
    movie[:, 2:4, 2:4] = 1
    series = viewer.add_labels(movie, name="series", axis_labels=("t", "y", "x"), units=("s", "um", "um"))
    _, table = viewer.window.add_plugin_dock_widget("napari_s1omni", "Measurements")
    assert [table.layers.itemText(i) for i in range(table.layers.count())] == ["theirs", "series"]
    table.layers.setCurrentText("theirs")
    click(table.measure_button)
    until(lambda: table._model is not None and table.measure_button.isEnabled())
    found = table._model.columns
    wanted = regionprops_table(
        pixels, image, properties=("label", "area", "perimeter", "intensity_mean"), spacing=(0.5, 0.5)
    )
    for name, values in wanted.items():
        assert np.allclose(found[name], values), name
    assert set(found["unit"]) == {"micrometer"}
    assert "intensities are those of 'cells'" in table.state.text()
    assert list(layer.features["index"]) == [3, 7, 9]
    table.table.selectRow(1)
    assert layer.selected_label == 7
    centre = layer.data_to_world((39.5, 49.5))
    until(lambda: np.allclose(viewer.scene.camera.center[-2:], centre, atol=0.3))
    table.layers.setCurrentText("series")
    table._model = None
    click(table.measure_button)
    until(lambda: table._model is not None)
    assert list(table._model.columns["t"]) == [0, 1], "a number at two time points is two objects"
    assert list(table._model.columns["num_pixels"]) == [4, 4]
    assert series in viewer.layers
    table.shut()
    assert not errors()
