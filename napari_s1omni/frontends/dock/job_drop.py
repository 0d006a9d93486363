"""A job file that is dropped on napari, or opened in it, fills the form."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import yaml
from napari.utils.notifications import Notification, NotificationSeverity, notification_manager
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.run.status import describe_failure
from napari_s1omni.frontends.dock.notifications import show_error
from napari_s1omni.frontends.napari_layers.reader import JOBS, WRITTEN
from napari_s1omni.planning.job import Job


class JobDrop(QObject):
    """Looks at what is dropped on a window before napari does.

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
        """Leave drops to napari."""
        for widget in self._widgets:
            # Some of them may have been deleted with their window.
            with contextlib.suppress(RuntimeError):
                widget.removeEventFilter(self)
        self._widgets = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take job files, leave everything else."""
        if event.type() != QEvent.Type.Drop:
            return False
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls()]
        if len(paths) != 1 or paths[0].suffix.lower() not in JOBS:
            return False
        try:
            self._on_job(Job.load(paths[0]))
        except S1OmniError as error:
            show_error(describe_failure(error))
        event.acceptProposedAction()
        return True


class JobLayers:
    """Takes over the jobs of layers that napari opened from a job file, those that are there already first.

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
        """Listen no more."""
        self._viewer.layers.events.inserted.disconnect(self._inserted)

    def _inserted(self, event: Any) -> None:
        self._take(event.value)

    def _take(self, layer: Any) -> None:
        text = layer.metadata.pop(WRITTEN, None)
        if text is None:
            return
        try:
            self._on_job(Job.read(yaml.safe_load(text)), layer.name)
        except (S1OmniError, yaml.YAMLError) as error:
            show_error(describe_failure(error))


def offer_dock() -> None:
    """Offer to open the dock for a job that napari reads; one that is open takes it by itself."""
    from napari_s1omni.frontends.dock.commands import is_open, panel

    viewer = napari.current_viewer()
    if viewer is not None and not is_open(viewer):
        act = ("Open the dock", lambda shown: panel(viewer))
        words = "The job fills the dock of think and generate when that is opened."
        notification_manager.dispatch(Notification(words, NotificationSeverity.INFO, (act,)))
