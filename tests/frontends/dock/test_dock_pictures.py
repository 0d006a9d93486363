"""Pages of the dock with real content: nothing is cut off. With ``S1OMNI_SCREENSHOTS`` their pictures are kept.

``S1OMNI_SCREENSHOTS=pictures xvfb-run -a -s "-screen 0 1600x1000x24" pytest tests/frontends/dock/test_dock_pictures.py``
makes the pictures of the documentation.
"""

import pytest
from qtpy.QtWidgets import QAbstractButton, QLabel, QLineEdit
from skimage import data

import napari_s1omni
from napari_s1omni.frontends.dock.widgets.parts import Section
from napari_s1omni.frontends.session.preview.events import PreviewResult
from napari_s1omni.frontends.session.run_history import remember

pytestmark = pytest.mark.slow


def cut_off(page):
    """Words of a page for which there is no room."""
    narrow = [one.text() for one in page.findChildren(QLineEdit) if one.isVisible() and one.width() < 20]
    return narrow + [
        one.text()
        for kind in (QAbstractButton, QLabel)
        for one in page.findChildren(kind)
        if one.isVisible() and one.text() and one.width() < one.minimumSizeHint().width()
    ]


@pytest.fixture
def tissue(viewer, panel, settle, until):
    viewer.open_sample("napari_s1omni", "tissue")
    panel.job_page.prompt.setPlainText("segment the nuclei, about 14 px")
    panel.controller.edit("tiling.tile_size", 128)
    settle(lambda plan: plan.grid.tile_size == 128 and "14 px" in plan.job.operation.prompt)


def carried_out(panel, until):
    panel.run()
    until(lambda: panel.controller.queue.runs and not panel.controller.queue.runs[0].alive)
    return panel.controller.queue.runs[0]


def test_the_form_and_all_its_sections(viewer, panel, settle, picture, qapp):
    viewer.open_sample("napari_s1omni", "volume")
    settle(lambda plan: plan.source.size("z") > 1)
    picture("form")
    assert not cut_off(panel.job_page)
    for section in panel.job_page.findChildren(Section):
        section.button.setChecked(True)
    qapp.processEvents()
    picture("form-open")
    assert not cut_off(panel.job_page)


def test_a_preview_under_its_curtain(viewer, panel, tissue, until, picture):
    viewer.scene.camera.zoom *= 2
    panel.preview()
    until(lambda: isinstance(panel.controller.preview, PreviewResult))
    until(lambda: panel.previews.layer is not None)
    panel.job_page.preview.slider.setValue(150)
    picture("napari-preview")
    assert not cut_off(panel.job_page)


def test_why_by_seams(viewer, panel, tissue, until, picture):
    run = carried_out(panel, until)
    panel.tabs.setCurrentWidget(panel.why_page)
    panel.why_page.colour.setCurrentIndex(panel.why_page.colour.findData("seam"))
    panel.why_page.choose(run)
    until(lambda: panel.why_page.overlay.visible)
    panel.why_page.open_tile(run.tiles.info(2, 3))
    until(lambda: "thought for" in panel.why_page.trace.toPlainText())
    viewer.reset_view()
    picture("napari-why")
    assert not cut_off(panel.why_page)


def test_a_run_filling_in(viewer, panel, settle, until, picture):
    viewer.open("synthetic://nuclei?shape=2048,2048&seed=3&diameter=28&scale=0.325,0.325", plugin="napari_s1omni")
    panel.job_page.prompt.setPlainText("segment the nuclei, about 28 px")
    for name, value in (("tile_size", 256), ("overlap", 64), ("block_size", 192)):
        panel.controller.edit(f"tiling.{name}", value)
    settle(lambda plan: plan.grid.block_size == 192 and "28 px" in plan.job.operation.prompt)
    panel.run()
    until(lambda: panel.controller.queue.runs)
    run = panel.controller.queue.runs[0]
    until(lambda: run.status.blocks_total and run.status.blocks_done > 0.3 * run.status.blocks_total)
    panel.act(run, "pause")
    until(lambda: run.status.state == "paused")
    picture("napari-running")
    assert not cut_off(panel.runs_page)
    run.cancel()
    until(lambda: not run.alive)
    picture("cancelled")
    assert not cut_off(panel.runs_page)


def test_painting_and_measuring(viewer, panel, settle, until, picture):
    viewer.open_sample("napari_s1omni", "coins")
    viewer.layers[0].scale, viewer.layers[0].units = (0.1, 0.1), ("mm", "mm")
    viewer.reset_view()
    panel.job_page.prompt.setPlainText("segment the coins, about 45 px")
    settle(lambda plan: "45 px" in plan.job.operation.prompt and plan.source.scale[0] == 0.1)
    carried_out(panel, until)
    panel.tabs.setCurrentWidget(panel.correct_page)
    panel.correct_page.open_crop()
    until(lambda: panel.correct_page.crop is not None)
    crop = panel.correct_page.crop
    crop.data[40:60, 40:60] = crop.selected_label
    crop.refresh()
    picture("correct")
    assert not cut_off(panel.correct_page)
    panel.correct_page.merge()
    until(lambda: panel.correct_page.list.count() == 1)
    _, table = viewer.window.add_plugin_dock_widget("napari_s1omni", "Measurements")
    table.measure()
    until(lambda: table._model is not None)
    table.table.selectRow(9)
    # The dock has made the canvas narrower.
    viewer.reset_view()
    picture("napari-measure")
    assert not cut_off(table)
    table.shut()


@pytest.fixture
def earlier(cache, tmp_path):
    """Results of earlier sessions, one with a long request."""
    for name, prompt in (
        ("coins", "coins, about 45 px"),
        ("large", "segment all the coins but " + "not the dark ones " * 4),
    ):
        out = tmp_path / f"{name} of a long day at the microscope.zarr"
        napari_s1omni.segment(data.coins()[:160, :200], out, prompt=prompt, engine="reference")
        remember(out, f"{prompt} · {name}", name)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_earlier_results_in_a_small_window_with_a_large_font(earlier, viewer, panel, until, picture, appearance, theme):
    appearance.theme, appearance.font_size = theme, 16
    viewer.window.resize(1280, 720)
    panel.tabs.setCurrentWidget(panel.runs_page)
    until(lambda: len(panel.runs_page.results) == 2)
    until(lambda: all(row.picture.pixmap() for row in panel.runs_page.results.values()))
    picture(f"earlier-{theme}")
    assert not cut_off(panel.runs_page)
