"""JobDrop: a job file that is dropped on napari fills the form."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.status import failure
from napari_s1omni.frontends.dock.telling import tell
from napari_s1omni.job import Job


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
        if len(paths) != 1 or paths[0].suffix.lower() not in (".yaml", ".yml"):
            return False
        try:
            self._on_job(Job.load(paths[0]))
        except S1OmniError as error:
            tell(failure(error))
        event.acceptProposedAction()
        return True
