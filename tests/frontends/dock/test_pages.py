"""The page "Why" by its tab, previews that are stale, and one contrast for source, preview and result."""

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest


def test_source_preview_and_result_look_alike_and_why_is_a_click_away(warm, viewer, panel, settle, until, errors):
    source = viewer.add_image(
        np.random.default_rng(0).normal(100, 9, (64, 64)), name="cells", contrast_limits=(40, 130)
    )
    panel.choose_operation("super_resolution")
    settle(lambda plan: plan.job.operation.type == "super_resolution")
    panel.preview()
    until(lambda: panel.previews.layer is not None)
    preview, event = panel.previews.layer, panel.controller.preview
    assert tuple(preview.contrast_limits) == (40, 130)
    source.contrast_limits = (50, 120)
    assert tuple(preview.contrast_limits) == (50, 120)

    panel.run()
    until(lambda: panel.controller.queue.runs)
    run = panel.controller.queue.runs[0]
    assert preview not in viewer.layers
    panel._on_preview(event)
    assert panel.previews.layer is None, "a preview that comes after its run began is stale"
    result = panel.results.layer_of(run)
    assert tuple(result.contrast_limits) == (50, 120)
    result.contrast_limits = (60, 110)
    assert tuple(source.contrast_limits) == (60, 110)

    bar = panel.tabs.tabBar()

    def turn_to(page):
        place = bar.tabRect(panel.tabs.indexOf(page)).center()
        QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=place)

    turn_to(panel.why_page)
    until(lambda: panel.why_page.overlay.visible)
    assert panel.why_page.overlay.run is run
    tiles = panel.why_page.overlay.layer
    turn_to(panel.job_page)
    assert not tiles.visible, "what explains a result does not cover it on other pages"
    turn_to(panel.why_page)
    assert tiles.visible
    other = viewer.add_image(np.zeros((32, 32)), name="other")
    assert panel.link.layer is other
    turn_to(panel.job_page)
    turn_to(panel.why_page)
    assert "No result of 'other' is open" in panel.why_page.hover.text()
    until(lambda: not run.alive)
    viewer.layers.remove(source)
    assert not errors()
