"""The card and its two buttons: what was understood, keys that work everywhere, and room for all of it."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QAction, QKeySequence
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel, QMenu, QToolButton
from skimage import data

from napari_s1omni.frontends.dock.shortcuts import CROP_KEYS, MERGE_KEYS, PREVIEW_KEYS, RUN_KEYS
from napari_s1omni.frontends.dock.widgets.parts import DOUBT


@pytest.fixture
def written(panel, until):
    """Replace the text of the prompt by typing, and wait until it is planned or refused."""

    def write(text):
        page = panel.job_page
        page.prompt.offer()
        QTest.keyClicks(page.prompt, text) if text else QTest.keyClick(page.prompt, Qt.Key.Key_Delete)
        until(
            lambda: (
                not page._typing.isActive()
                and panel.controller.is_planned
                and panel.controller.document["operation"]["prompt"] == text
            )
        )
        return page.card

    return write


def is_whole(widget, window):
    """Whether a widget lies in a window with all of its text."""
    place = widget.mapTo(window, QPoint(0, 0))
    fits = not isinstance(widget, QLabel) or widget.height() >= widget.heightForWidth(widget.width())
    inside = window.rect().contains(place) and window.rect().contains(place + QPoint(*_size(widget)))
    return widget.isVisible() and inside and fits and widget.visibleRegion().boundingRect() == widget.rect()


def _size(widget):
    return widget.width() - 1, widget.height() - 1


def test_the_card_says_what_was_understood_before_the_run(viewer, panel, settle, until, written, picture):
    fluorescence = np.random.default_rng(0).normal(100, 5, (128, 128))
    fluorescence[40:70, 40:70] += 900
    viewer.add_image(fluorescence, name="cells")
    settle()
    assert panel.job_page.prompt.textCursor().selectedText() == "segment the nuclei", "typing replaces it"
    card = written("find the bright nuclei, about 12 px")
    assert card.request.text() == "Understood: nuclei, bright, about 12 px."
    assert card.request.styleSheet() != DOUBT
    for prompt, words in (
        ("find the dark nuclei", "Most of this image is dark"),
        ("nuclei, about 12 um", "'12 um' is not used: the image has no pixel size."),
        ("nuclei, about 5000 px", "5000 px is larger than the image."),
        ("segment the round nuclei", "'round' is not understood."),
    ):
        card = written(prompt)
        assert "Understood: nuclei" in card.request.text()
        assert words in card.request.text().replace("&#x27;", "'")
        assert card.request.styleSheet() == DOUBT
        assert panel.job_page.run_button.isEnabled()
    picture("doubt")
    for prompt in ("asdf qwer", "do not segment anything", ""):
        card = written(prompt)
        assert "What should be segmented?" in card.line.text()
        assert card.line.styleSheet() == DOUBT
        assert not card.request.isVisible()
        assert not panel.job_page.run_button.isEnabled()
    picture("question")


def test_a_series_in_memory_is_a_question_and_one_click_answers_it(viewer, panel, settle, until):
    viewer.add_image(np.random.default_rng(0).random((7, 64, 64)), name="movie")
    settle()
    card = panel.job_page.card
    assert "Is this a stack of 7 planes?" in card.request.text()
    assert card.request.styleSheet() == DOUBT
    card.request.linkActivated.emit("tyx")
    settle(lambda plan: plan.source.axes == ("t", "y", "x"))
    until(lambda: "stack" not in card.request.text())
    assert panel.job_page.sections["source"].fields["axes"].widget.text() == "tyx"


def test_keys_work_in_the_dock_and_in_the_canvas_and_open_no_menu(viewer, panel, settle, until):
    viewer.add_image(data.coins()[:64, :64], name="coins")
    settle()
    page, correct = panel.job_page, panel.correct_page
    pressed = []
    panel.job_page.preview_requested.disconnect()
    panel.job_page.run_requested.disconnect()
    for keys, button in (
        (PREVIEW_KEYS, page.preview_button),
        (RUN_KEYS, page.run_button),
        (CROP_KEYS, correct.open_button),
        (MERGE_KEYS, correct.merge_button),
    ):
        button.clicked.disconnect()
        button.clicked.connect(lambda _=False, keys=keys: pressed.append(keys))
        button.setEnabled(True)
    window = viewer.window._qt_window
    others = [
        (action.text(), keys.toString())
        for action in window.findChildren(QAction)
        for keys in action.shortcuts()
        if keys.toString() in (PREVIEW_KEYS, RUN_KEYS, CROP_KEYS, MERGE_KEYS)
    ]
    menus = {QKeySequence.mnemonic(one.title()).toString() for one in window.menuBar().findChildren(QMenu)}
    assert not others
    assert not menus & {PREVIEW_KEYS, RUN_KEYS, CROP_KEYS, MERGE_KEYS}
    window.activateWindow()
    until(window.isActiveWindow)
    for focused in (page.prompt, page.layer, viewer.window._qt_viewer.canvas.native):
        focused.setFocus()
        until(focused.hasFocus)
        for keys in (PREVIEW_KEYS, RUN_KEYS, CROP_KEYS, MERGE_KEYS):
            QTest.keyClick(focused, getattr(Qt.Key, f"Key_{keys[-1]}"), Qt.KeyboardModifier.AltModifier)
        until(lambda: len(pressed) >= 4)
        assert pressed == [PREVIEW_KEYS, RUN_KEYS, CROP_KEYS, MERGE_KEYS]
        pressed.clear()
    assert page.prompt.toPlainText() == "segment the nuclei"


def test_card_and_buttons_stay_in_view_and_text_follows_the_font(
    viewer, panel, settle, until, written, appearance, picture
):
    viewer.add_image(data.coins(), name="coins")
    settle()
    window = viewer.window._qt_window
    window.resize(1280, 720)
    written("find the dark round coins, about 12 um")
    page = panel.job_page
    everything = (page.card.request, page.card.line, page.card.small, page.preview_button, page.run_button)
    sizes = {}
    for theme, size in (("dark", 9), ("light", 9), ("light", 16), ("dark", 16)):
        appearance.theme = theme
        appearance.font_size = size
        until(lambda size=size: page.prompt.font().pointSize() == size + 1)
        until(lambda: all(is_whole(one, window) for one in everything))
        assert (window.width(), window.height()) == (1280, 720)
        tool = page.findChildren(QToolButton)[0]
        texts = [page.prompt, tool, page.card.line, page.engine_state, page.preview_button, panel.why_page.search.line]
        for one in texts:
            one.ensurePolished()
        sizes[size] = [one.font().pointSize() for one in texts]
        picture(f"card-{theme}-{size}")
    assert all(large >= small + 6 for small, large in zip(sizes[9], sizes[16], strict=True)), sizes
    for i in range(panel.tabs.count()):
        panel.tabs.setCurrentIndex(i)
        assert panel.minimumSizeHint().width() < 460
