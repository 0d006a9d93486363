"""Jobs copied from the dock resolve to the same plan to the byte, and job files that napari opens fill the form."""

import json
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication
from skimage import data

from napari_s1omni.frontends.napari_layers.reader import get_reader
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.planning.job import Job
from napari_s1omni.storage.source import open_source


def written(plan):
    """The plan without the notes on the layer, which only the dock sees."""
    data = plan.to_json()
    data["notes"] = [note for note in data["notes"] if not note.startswith("layer '")]
    return json.dumps(data, sort_keys=True)


def drop(widget, path):
    """Drag a file over a widget and let it fall; whether it was taken."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    rest = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, QDragEnterEvent(QPoint(5, 5), *rest))
    event = QDropEvent(QPointF(5, 5), *rest)
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


def test_dock_python_and_command_line_make_one_plan_to_the_byte(viewer, panel, settle, tmp_path):
    tifffile.imwrite(tmp_path / "coins.tif", data.coins())
    viewer.open(str(tmp_path / "coins.tif"), scale=(0.5, 0.5), units=("um", "um"))
    edits = {
        "operation.prompt": "segment the coins, it's about 45 px",
        "operation.min_size": 30,
        "operation.fill_holes": False,
        "tiling.tile_size": 128,
        "tiling.overlap": 32,
        "sampling.seed": 7,
        "sampling.think": "once",
        "region": {"type": "box", "y": [0, 200], "x": [10, 300]},
    }
    for name, value in edits.items():
        panel.controller.edit(name, value)
    panel.controller.output = str(tmp_path / "out.zarr")
    panel.controller.refresh()
    plan = settle(lambda plan: plan.job.region is not None and plan.job.output)
    assert plan.source.scale == (0.5, 0.5)
    assert "while its file says 1 x 1 without unit (y, x); the size of the layer is used" in plan.notes[0]
    dock = written(plan)

    panel.copy("yaml")
    (tmp_path / "job.yaml").write_text(QApplication.clipboard().text(), encoding="utf-8")
    assert written(prepare(Job.load(tmp_path / "job.yaml")).plan) == dock

    panel.copy("python")
    heard = []
    code = QApplication.clipboard().text().replace("napari_s1omni.segment(", "caught(")
    exec(code, {"caught": lambda *given, **options: heard.append((given, options))})
    from napari_s1omni.jobs.options import make_job

    (source, output), options = heard[0]
    job, array = make_job("segmentation", source, output, options)
    assert written(prepare(job, array).plan) == dock

    panel.copy("command")
    words = shlex.split(QApplication.clipboard().text())
    done = subprocess.run(
        [sys.executable, "-m", "napari_s1omni", *words[1:], "--dry-run", "--json"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert json.dumps(json.loads(done.stdout)["plan"], sort_keys=True) == dock


def test_a_layer_in_memory_is_copied_as_a_file_that_others_can_open(
    viewer, panel, settle, until, told, errors, tmp_path
):
    viewer.add_image(data.coins()[:96, :128], name="coins", scale=(0.5, 0.5), units=("um", "um"))
    settle()
    clipboard = QApplication.clipboard()
    uris = set()
    for kind, start in (("yaml", "schema_version"), ("python", "import napari_s1omni"), ("command", "s1omni segment")):
        clipboard.setText("")
        told.clear()
        panel.copy(kind)
        until(told)
        assert told() == ["The job is on the clipboard."]
        text = clipboard.text()
        assert text.startswith(start)
        assert "memory:" not in text
        uris |= set(re.findall(r"/[^\s'\"]*/layers/[^\s'\"]*\.zarr", text))
        if kind == "yaml":
            (tmp_path / "job.yaml").write_text(text, encoding="utf-8")
    plan = prepare(Job.load(tmp_path / "job.yaml")).plan
    assert plan.source.scale == (0.5, 0.5)
    (uri,) = uris
    assert np.array_equal(open_source(uri).read((slice(None), slice(None))), data.coins()[:96, :128])
    assert not errors()


def test_dropping_a_job_on_the_canvas_fills_the_form_and_opens_its_image(
    viewer, panel, settle, until, tmp_path, errors
):
    tifffile.imwrite(tmp_path / "tissue.tif", data.immunohistochemistry()[:200, :240], photometric="rgb")
    job = Job(
        source={"uri": str(tmp_path / "tissue.tif"), "scale": (0.25, 0.25, 1.0), "units": "micrometer"},
        output=str(tmp_path / "out.zarr"),
        engine="reference",
        operation={"type": "segmentation", "prompt": "segment the nuclei, about 14 px"},
        tiling={"tile_size": 96},
    )
    (tmp_path / "job.yaml").write_text(job.dump(), encoding="utf-8")
    panel.tabs.setCurrentIndex(1)
    canvas = viewer.window._qt_viewer
    taken = drop(canvas, tmp_path / "job.yaml")
    assert taken
    settle(lambda plan: plan.grid.tile_size == 96)
    assert panel.tabs.currentWidget() is panel.job_page
    assert panel.job_page.prompt.toPlainText() == "segment the nuclei, about 14 px"
    assert panel.job_page.output.text() == job.output
    layer = panel.link.layer
    assert layer.rgb
    assert tuple(layer.scale) == (0.25, 0.25)
    assert (layer.data[0] if layer.multiscale else layer.data)[...].shape == (200, 240, 3)
    assert written(panel.controller.prepared.plan) == written(prepare(job).plan)
    # A second drop finds the layer that is there.
    panel.controller.edit("tiling.tile_size", 128)
    settle(lambda plan: plan.grid.tile_size == 128)
    drop(canvas, tmp_path / "job.yaml")
    settle(lambda plan: plan.grid.tile_size == 96)
    assert len(viewer.layers) == 1
    assert not errors()


def test_a_dropped_file_that_is_no_job_is_one_notification(viewer, panel, tmp_path, errors):
    (tmp_path / "other.yaml").write_text("operation: {type: segmantation}\n", encoding="utf-8")
    drop(viewer.window._qt_viewer, tmp_path / "other.yaml")
    assert len(errors()) == 1
    assert "Traceback" not in errors()[0].message


@pytest.mark.parametrize("is_open", [False, True], ids=["closed", "open"])
def test_a_job_that_napari_opens_fills_the_dock(viewer, until, tmp_path, told, errors, request, is_open):
    tifffile.imwrite(tmp_path / "coins.tif", data.coins()[:96, :128])
    job = Job(
        source={"uri": str(tmp_path / "coins.tif"), "scale": (0.25, 0.25), "units": "micrometer"},
        engine="reference",
        operation={"type": "super_resolution"},
        tiling={"tile_size": 96},
    )
    (tmp_path / "job.yaml").write_text(job.dump(), encoding="utf-8")
    (tmp_path / "other.yaml").write_text("operation: {type: segmentation}\n", encoding="utf-8")
    assert get_reader(str(tmp_path / "other.yaml")) is None
    panel = request.getfixturevalue("panel") if is_open else None
    if is_open:
        viewer.open(str(tmp_path / "job.yaml"), plugin="napari_s1omni")
    else:
        drop(viewer.window._qt_viewer, tmp_path / "job.yaml")
    (layer,) = viewer.layers
    assert tuple(layer.scale) == (0.25, 0.25)
    assert ["to run this job" in words for words in told()] == [True] * (not is_open)
    if not is_open:
        from napari.utils.notifications import notification_manager

        ((words, act),) = notification_manager.records[-1].actions
        assert words == "Open the dock"
        act(None)
        panel = request.getfixturevalue("panel")
    controller = panel.controller
    until(lambda: controller.prepared is not None and controller.prepared.plan.grid.tile_size == 96)
    assert panel.link.layer is layer
    assert controller.source.array is None, "it is read from its own file, not from the job's"
    assert written(controller.prepared.plan) == written(prepare(job).plan)
    assert len(viewer.layers) == 1
    assert not errors()
