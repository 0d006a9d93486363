"""Job files that are dropped on napari or opened in it fill the form."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_s1omni.frontends.dock.notifications import errors_shown
from napari_s1omni.frontends.napari_layers.job_files import JOB_KEY, is_job_path
from napari_s1omni.planning.job import Job


class JobDrop(QObject):
    """Takes job files that are dropped on a window before napari does.

    Parameters
    ----------
    window : QMainWindow
    on_job : callable
        Called with the job.
    """

    def __init__(self, window: QMainWindow, on_job: Callable[[Job], None]) -> None:
        super().__init__()
        self._on_job = on_job
        self._widgets = [one for one in (window, *window.findChildren(QWidget)) if one.acceptDrops()]
        for widget in self._widgets:
            widget.installEventFilter(self)

    def close(self) -> None:
        """Stop listening to the window."""
        for widget in self._widgets:
            # Some of them may have been deleted with their window.
            with contextlib.suppress(RuntimeError):
                widget.removeEventFilter(self)
        self._widgets = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take job files; leave everything else to napari."""
        if event.type() != QEvent.Type.Drop:
            return False
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls()]
        if len(paths) != 1 or not is_job_path(str(paths[0])):
            return False
        with errors_shown():
            self._on_job(Job.load(paths[0]))
        event.acceptProposedAction()
        return True


class JobLayers:
    """Takes the jobs of layers that napari opened from job files, including layers that are open already.

    Parameters
    ----------
    viewer : napari.Viewer
    on_job : callable
        Called with the job and the name of its layer.
    """

    def __init__(self, viewer: Any, on_job: Callable[[Job, str], None]) -> None:
        self._viewer = viewer
        self._on_job = on_job
        viewer.layers.events.inserted.connect(self._inserted)
        for layer in list(viewer.layers):
            self._take(layer)

    def close(self) -> None:
        """Stop listening to the viewer."""
        self._viewer.layers.events.inserted.disconnect(self._inserted)

    def _inserted(self, event: Any) -> None:
        self._take(event.value)

    def _take(self, layer: Any) -> None:
        text = layer.metadata.pop(JOB_KEY, None)
        if text is None:
            return
        with errors_shown():
            self._on_job(Job.read(yaml.safe_load(text)), layer.name)
