"""Where results go and how they are found again, by mouse and keyboard: the field, its answers, the list of results."""

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox
from skimage import data
from skimage.io import imsave

import napari_s1omni
from napari_s1omni.frontends.session.run_history import history, remember


def press(button):
    assert button.isVisible(), button.text()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def enter(line, text):
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, text)
    QTest.keyClick(line, Qt.Key.Key_Return)


def answer(words):
    """Press a button of the question that is asked next, whenever it is asked; return the list that then has it."""
    pressed = []

    def look():
        boxes = [one for one in QApplication.topLevelWidgets() if isinstance(one, QMessageBox) and one.isVisible()]
        if boxes:
            button = next(one for one in boxes[0].buttons() if one.text() == words)
            pressed.append(button)
            press(button)
        else:
            QTimer.singleShot(100, look)

    QTimer.singleShot(100, look)
    return pressed


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def coins(tmp_path):
    imsave(tmp_path / "coins.png", data.coins()[:160, :200])
    return tmp_path / "coins.png"


@pytest.fixture
def finished(coins):
    """A result that another session made."""
    out = coins.with_name("coins.zarr")
    prompt = "segment the coins, about 45 px"
    napari_s1omni.segment(str(coins), out, prompt=prompt, engine="reference")
    remember(out, f"{prompt} · coins", "coins")
    return out


def test_a_folder_that_holds_a_result_is_a_question(viewer, panel, until, settle, errors, finished, coins, picture):
    before = contents(finished)
    viewer.window.resize(1280, 720)
    viewer.open(str(coins))
    settle()
    page, choice = panel.job_page, panel.job_page.output_choice
    page.prompt.selectAll()
    QTest.keyClicks(page.prompt, "segment the dark gaps, about 12 px")
    enter(choice.line, str(finished))
    until(lambda: choice.new_button.isVisible())
    assert not page.run_button.isEnabled()
    assert "coins.zarr holds another result" in choice.note.text()
    # What keeps Run from starting is in view on a small screen, where "Save to" itself is scrolled away.
    until(lambda: choice.replace_button.isVisible() and not choice.replace_button.visibleRegion().isEmpty())
    assert not choice.note.visibleRegion().isEmpty()
    picture("output-held")
    press(choice.open_button)
    until(lambda: panel.link.layers_of(finished))
    assert [type(layer).__name__ for layer in viewer.layers] == ["Image", "Labels"], "the image was open already"
    press(choice.new_button)
    assert choice.line.text() == str(finished.with_name("coins-2.zarr"))
    until(lambda: page.run_button.isEnabled() and not choice.note.isVisible())
    press(page.run_button)
    until(lambda: any(run.path.name == "coins-2.zarr" for run in panel.controller.queue.runs))
    run = panel.controller.queue.runs[-1]
    # A second run into the same folder must wait for another name.
    until(lambda: not page.run_button.isEnabled())
    until(lambda: not run.alive)
    assert run.status.state == "complete"
    count = run.status.objects
    assert f"{count} dark gaps in" in panel.runs_page.rows[run].state.text()
    assert "saved in coins-2.zarr" in panel.runs_page.rows[run].state.text()
    until(lambda: "holds the result of this job already" in choice.note.text())
    assert contents(finished) == before
    assert not errors()


def test_a_result_is_replaced_and_put_back(viewer, panel, until, settle, errors, finished, coins, picture):
    before = napari_s1omni.Result.open(finished).array[...]
    viewer.open(str(coins))
    settle()
    page, choice = panel.job_page, panel.job_page.output_choice
    enter(choice.line, str(finished))
    until(lambda: choice.replace_button.isVisible())
    press(choice.open_button)
    until(lambda: panel.link.layers_of(finished))
    (old,) = panel.link.layers_of(finished)
    press(choice.replace_button)
    until(lambda: page.run_button.isEnabled())
    assert "Run replaces the result" in choice.note.text()
    press(page.run_button)
    until(lambda: any(run.replace for run in panel.controller.queue.runs))
    run = panel.controller.queue.runs[-1]
    until(lambda: not run.alive)
    assert run.status.state == "complete"
    until(lambda: old not in viewer.layers)
    assert list(panel.runs_page.rows) == [run]
    assert napari_s1omni.Result.open(finished).plan.digest == run.plan.digest
    panel.tabs.setCurrentWidget(page)
    until(lambda: choice.put_back_button.isVisible())
    picture("result-replaced")
    answer("&Yes")
    press(choice.put_back_button)
    until(lambda: len(panel.runs_page.rows) == 1 and run not in panel.runs_page.rows)
    assert np.array_equal(napari_s1omni.Result.open(finished).array[...], before)
    until(lambda: choice.replace_button.isVisible())
    assert not errors()


def test_fields_of_a_layer_stay_with_it(viewer, panel, until, settle, coins, picture):
    first = viewer.add_image(np.stack([data.coins()[:96, :96]] * 2), name="first")
    settle()
    panel.job_page.sections["source"].fields["axes"].widget.setText("cyx")
    panel.job_page.sections["source"].fields["axes"].widget.editingFinished.emit()
    settle(lambda plan: "".join(plan.source.axes) == "cyx")
    more = panel.job_page._more["segmentation"].fields["channels"].widget
    more.setText("1")
    more.editingFinished.emit()
    enter(panel.job_page.output, "first.zarr")
    until(lambda: "axes cyx" in panel.job_page.changed.text() and "channels 1" in panel.job_page.changed.text())
    assert panel.job_page.changed.isVisible()
    picture("fields-of-a-layer")
    second = viewer.add_image(data.coins()[:96, :96], name="second")
    until(lambda: panel.link.layer is second)
    assert not panel.job_page.changed.isVisible()
    assert panel.job_page.output.text() == ""
    settle(lambda plan: "".join(plan.source.axes) == "yx")
    viewer.layers.selection.active = first
    settle(lambda plan: "".join(plan.source.axes) == "cyx" and plan.job.operation.channels == (1,))
    assert panel.job_page.output.text() == "first.zarr"


def test_results_are_listed_opened_and_removed(finished, viewer, panel, until, settle, errors, picture):
    panel.tabs.setCurrentWidget(panel.runs_page)
    until(lambda: finished in panel.runs_page.results)
    row = panel.runs_page.results[finished]
    until(lambda: row.picture.pixmap() is not None and not row.picture.pixmap().isNull())
    assert "coins in" in row.words.text()
    assert "today" in row.words.text()
    picture("results-list")
    press(row.open_button)
    until(lambda: len(viewer.layers) == 2)
    image, labels = viewer.layers
    assert (image.name, isinstance(labels, Labels)) == ("coins", True)
    until(lambda: np.asarray(labels.data).max() > 0)
    until(lambda: not panel.runs_page.results)
    (run,) = panel.runs_page.rows
    until(lambda: "saved in coins.zarr" in panel.runs_page.rows[run].state.text())
    picture("result-opened")
    remove_button = panel.runs_page.rows[run].buttons["forget"]
    # A new row is shown at the next turn of the window.
    until(remove_button.isVisible)
    answered = answer("Cancel")
    press(remove_button)
    until(lambda: answered and not QApplication.activeModalWidget())
    assert finished.exists()
    answer("Delete folder")
    press(remove_button)
    until(lambda: not finished.exists())
    assert list(viewer.layers) == [image]
    until(lambda: not history())
    assert not panel.runs_page.rows
    assert not errors()
