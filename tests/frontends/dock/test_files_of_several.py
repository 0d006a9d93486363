"""Files of several images in a real napari: asked once, with pictures; a run reads the file."""

import pytest
from napari._app_model import get_app_model
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_s1omni.errors import SourceError
from napari_s1omni.frontends.dock.image_choice import ImageChoice
from napari_s1omni.frontends.napari_layers.reader import read
from napari_s1omni.frontends.views.thumbnail import thumbnail
from napari_s1omni.planning.job import Job


@pytest.fixture
def scan(scans, tmp_path):
    stain = {"channels": [{"name": "a", "color": "FF0000"}, {"name": "b"}], "axes": "cyx", "shape": [2, 80, 80]}
    return scans(tmp_path / "my scan.scan", {"name": "B/3/R1"}, {"name": "Größe", **stain}, {"name": "c"})


@pytest.fixture
def answer(qtbot, until):
    """Answers the dialog that comes up: a function works on it, and it must be closed afterwards."""
    asked = []

    def prepare(work):
        def look():
            dialogs = [
                one for one in QApplication.topLevelWidgets() if isinstance(one, ImageChoice) and one.isVisible()
            ]
            if not dialogs:
                QTimer.singleShot(20, look)
                return
            asked.append(dialogs[0])
            work(dialogs[0])

        QTimer.singleShot(0, look)

    prepare.asked = asked
    return prepare


def click(qtbot, dialog, row, modifier=Qt.KeyboardModifier.NoModifier):
    place = dialog.list.visualItemRect(dialog.list.item(row)).center()
    qtbot.mouseClick(dialog.list.viewport(), Qt.MouseButton.LeftButton, modifier, place)


@pytest.fixture
def open_file(viewer, monkeypatch):
    """Opens a file by the menu of napari, as far as the dialog of the system lets a test."""

    def choose(path):
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *given, **named: (str(path), ""))
        get_app_model().commands.execute_command("napari_s1omni.open_images").result()

    return choose


def test_opening_asks_once_with_pictures(viewer, open_file, scan, answer, qtbot, until):
    shown = []

    def choose(dialog):
        until(
            lambda: any(
                not dialog.list.item(0).icon().pixmap(8, 8).toImage().pixelColor(x, 4).alpha() == 0 for x in range(8)
            )
        )
        shown.append(dialog.list.item(1).text())
        click(qtbot, dialog, 1)
        click(qtbot, dialog, 2, Qt.KeyboardModifier.ControlModifier)
        qtbot.mouseClick(dialog.open_button, Qt.MouseButton.LeftButton)

    answer(choose)
    open_file(scan)
    assert shown == ["Größe\nc 2, y 80, x 80"]
    assert [layer.name for layer in viewer.layers] == ["my scan-Größe", "my scan-c"]
    assert len(answer.asked) == 1
    [(_, options, _)] = read(f"{scan}::0")
    assert options["name"] == "my scan-0"


def test_cancelling_opens_nothing(viewer, open_file, scan, answer, qtbot):
    answer(lambda dialog: qtbot.keyClick(dialog, Qt.Key.Key_Escape))
    open_file(scan)
    assert len(viewer.layers) == 0


def test_a_part_of_a_name_narrows_the_choice(scan, scans, tmp_path, qtbot):
    from napari_s1omni.storage.listing.image_headers import list_images

    many = scans(tmp_path / "many.scan", *({"name": f"{row}/{n}/R1"} for row in "AB" for n in range(200)))
    dialog = ImageChoice(str(many), list_images(many), one=True)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.keyClicks(dialog.filter, "B/17/")
    assert not dialog.open_button.isEnabled()
    row = next(i for i in range(400) if not dialog.list.item(i).isHidden())
    click(qtbot, dialog, row)
    assert dialog.chosen() == ["B/17/R1"]
    dialog.shut()


def test_a_run_on_such_a_layer_reads_the_file(panel, open_file, settle, scan, answer, qtbot, until):
    answer(lambda dialog: (click(qtbot, dialog, 0), qtbot.keyClick(dialog.list, Qt.Key.Key_Return), dialog.accept()))
    open_file(scan)
    plan = settle(lambda plan: plan.source.source is not None)
    assert plan.source.source == f"{scan}::B/3/R1"
    assert panel.controller.source.array is None


def test_loading_a_job_asks_which_image_is_meant(viewer, panel, settle, scan, answer, qtbot, until):
    def choose(dialog):
        click(qtbot, dialog, 2)
        qtbot.mouseClick(dialog.open_button, Qt.MouseButton.LeftButton)

    answer(choose)
    panel.load(
        Job(source=str(scan), operation={"type": "segmentation", "prompt": "segment the discs"}, engine="reference")
    )
    plan = settle(lambda plan: plan.job.operation.prompt == "segment the discs")
    assert plan.source.source == f"{scan}::c"
    assert len(answer.asked) == 1


def test_pictures_come_from_a_level_that_is_sharp_enough(scans, tmp_path):
    huge = {"name": "huge", "axes": "zcyx", "shape": [3, 2, 2**17, 2**17], "levels": 11}
    one, flat = scans(tmp_path / "a.scan", huge), scans(tmp_path / "b.scan", {"name": "flat", "shape": [2**16, 2**15]})
    assert thumbnail(str(one)).size == (128, 128)
    assert thumbnail(str(flat)).size == (64, 128)
    with pytest.raises(SourceError):
        thumbnail(str(tmp_path / "gone.scan"))
