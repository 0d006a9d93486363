"""The Dask plugin that gives every worker its context, including workers that join later or restart."""

from __future__ import annotations

import threading
from typing import Any

from distributed import WorkerPlugin

from napari_s1omni.errors import RunInterrupted
from napari_s1omni.execution.executors.worker_context import WorkerContext, WorkerSetup


class WorkerContextPlugin(WorkerPlugin):
    """Creates the context of a worker when it is first needed.

    Parameters
    ----------
    setup : WorkerSetup
    """

    idempotent = True

    def __init__(self, setup: WorkerSetup) -> None:
        self._setup = setup
        self._context: WorkerContext | None = None
        self._lock: threading.Lock | None = None

    def setup(self, worker: Any) -> None:
        """Install the plugin in a worker; nothing is loaded yet, so that the worker answers at once."""
        self._lock = threading.Lock()

    def teardown(self, worker: Any) -> None:
        """Close the context when the worker ends."""
        if self._context is not None:
            self._context.close()
            self._context = None

    def context(self) -> WorkerContext:
        """Return the context; the first call opens everything and loads the engine.

        Raises
        ------
        RunInterrupted
            If the plugin is not installed in a worker.
        """
        if self._lock is None:
            raise RunInterrupted("worker not set up", "a plugin that Dask has installed in a worker")
        with self._lock:
            if self._context is None:
                self._context = WorkerContext(self._setup)
            return self._context
