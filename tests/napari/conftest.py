"""A real napari with our dock in it; skipped where there is no display or no napari."""

import gc
import os
import sys
import time

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

    def wait(condition, seconds=90):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            qapp.processEvents()
            time.sleep(0.005)

    return wait


@pytest.fixture
def viewer(make_napari_viewer):
    # Widgets that outlive their window are an error.
    return make_napari_viewer(strict_qt="raise")


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
def panel(viewer, qapp):
    from qtpy.QtCore import QCoreApplication, QEvent

    from napari_s1omni.frontends.dock.panel import Panel

    _, made = viewer.window.add_plugin_dock_widget("napari_s1omni", "Think and generate")
    made.controller.document["engine"] = "reference"
    yield made
    assert isinstance(made, Panel)
    made.shut()
    assert not [t for t in made.controller.queue.runs if t._thread is not None]
    # What is to be deleted goes now, and not when its window is half gone.
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()


@pytest.fixture
def ready(panel, until):
    """Wait for the plan of what was just edited."""

    def wait():
        number = panel.controller._newest
        until(lambda: panel.controller.prepared is not None and panel.controller._newest >= number)
        before = panel.controller.prepared
        until(lambda: panel.controller.prepared is not before or not panel.controller._timer.is_alive())
        return panel.controller.prepared

    return wait


@pytest.fixture
def told():
    """What napari's notifications say."""
    from napari.utils.notifications import notification_manager

    notification_manager.records.clear()
    yield lambda: [record.message for record in notification_manager.records]
    notification_manager.records.clear()
