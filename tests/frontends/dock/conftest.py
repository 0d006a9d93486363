"""A real napari with the dock; skipped without a display or without napari."""

import gc
import os
import sys
import time

import psutil
import pytest

if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
    collect_ignore_glob = ["test_*.py"]
else:
    pytest.importorskip("napari")
    pytest.importorskip("pytestqt")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("S1OMNI_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def until(qapp):
    """Let the window live until something holds."""

    def wait(condition, seconds=240):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            qapp.processEvents()
            time.sleep(0.02)

    return wait


PICTURES = os.environ.get("S1OMNI_SCREENSHOTS")
"""Folder to keep screenshots in, to be looked at."""


@pytest.fixture
def viewer(make_napari_viewer):
    from qtpy.QtCore import QCoreApplication, QEvent

    # What is there before the window stays: to look through it at every end would take longer than most tests.
    gc.collect()
    gc.freeze()
    # Widgets that outlive their window are an error.
    made = make_napari_viewer(strict_qt="raise", show=True)
    if PICTURES:
        made.window.resize(1400, 900)
        made.theme = os.environ.get("S1OMNI_THEME", "dark")
    yield made
    # What is to be deleted goes now, and not when its window is half gone.
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()


@pytest.fixture
def picture(viewer, qapp):
    """Keep a picture of the window as it is now, where they are wanted."""

    def take(name):
        if PICTURES:
            for _ in range(40):
                qapp.processEvents()
                time.sleep(0.01)
            os.makedirs(PICTURES, exist_ok=True)
            viewer.window.screenshot(os.path.join(PICTURES, f"{name}.png"), canvas_only=False, flash=False)

    return take


_status = []


def pytest_sessionfinish(session, exitstatus):
    _status.append(int(exitstatus))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """End with pytest's own status, before Python and Qt are taken apart.

    napari's activity dialog looks through its widgets while they are destroyed, and in PySide6 that ends the process
    with a segmentation fault where Qt goes down with the interpreter; by now everything is reported and written.
    """
    if _status and "PySide6.QtWidgets" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_status[-1])


@pytest.fixture
def warm():
    """Let the dock start its process for previews at once, as users have it, and not with the first preview."""


@pytest.fixture(autouse=True)
def process_when_needed(request, monkeypatch):
    """Start no process beside the window before it is needed, unless a test takes `warm`; it costs more than most tests."""
    from napari_s1omni.frontends.session.preview.client import PreviewClient

    if "warm" not in request.fixturenames:
        monkeypatch.setattr(PreviewClient, "start", lambda self: None)


@pytest.fixture
def panel(viewer, qapp):
    from napari_s1omni.frontends.dock.panel import Panel

    _, made = viewer.window.add_plugin_dock_widget("napari_s1omni", "Think and generate")
    made.controller.document["engine"] = "reference"
    yield made
    assert isinstance(made, Panel)
    # Runs outlive the window, but not the tests.
    for run in made.controller.queue.alive:
        run.cancel()
    alive = [run.status.pid for run in made.controller.queue.alive if run.status.pid]
    made.shut()
    psutil.wait_procs([psutil.Process(pid) for pid in alive if psutil.pid_exists(pid)], 30)
    assert not [t for t in made.controller.queue.runs if t._thread is not None]


@pytest.fixture
def settle(panel, until):
    """Wait until the plan of what is written is there, and as it should be."""

    def wait(check=lambda plan: True):
        controller = panel.controller
        until(lambda: controller.prepared is not None and check(controller.prepared.plan))
        return controller.prepared.plan

    return wait


@pytest.fixture
def begun(viewer, panel, until, settle):
    """Begin a run that cannot end while a test lasts: a thousand small blocks."""

    def begin():
        viewer.open("synthetic://nuclei?shape=2048,2048&seed=1", plugin="napari_s1omni")
        panel.controller.edit("tiling", {"tile_size": 96, "overlap": 32, "block_size": 64})
        # One thought for the whole image would be longer than most of these tests.
        panel.controller.edit("sampling.think", "per_tile")
        settle(lambda plan: plan.grid.block_size == 64 and plan.sampling.think == "per_tile")
        panel.run()
        until(lambda: panel.controller.queue.runs)
        return panel.controller.queue.runs[-1]

    return begin


@pytest.fixture
def appearance():
    """The theme and the font size of napari, as they were before."""
    from napari.settings import get_settings

    settings = get_settings().appearance
    before = settings.theme, settings.font_size
    yield settings
    settings.theme, settings.font_size = before


@pytest.fixture
def told():
    """The messages of napari's notifications."""
    from napari.utils.notifications import notification_manager

    def told():
        return [record.message for record in notification_manager.records]

    told.clear = notification_manager.records.clear
    told.clear()
    yield told
    told.clear()


@pytest.fixture
def errors(told):
    """The notifications of errors."""
    from napari.utils.notifications import notification_manager

    return lambda: [one for one in notification_manager.records if str(one.severity) == "error"]
