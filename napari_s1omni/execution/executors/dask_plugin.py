"""DeskPlugin: Dask brings a desk to every worker, also to one that joins later or comes back after a crash."""

from __future__ import annotations

from typing import Any

from distributed import WorkerPlugin

from napari_s1omni.execution.executors.worker_context import LazyWorkerContext


class WorkerContextPlugin(WorkerPlugin):
    """Holds what a worker keeps between leases.

    Parameters
    ----------
    desk : LazyWorkerContext
    """

    idempotent = True

    def __init__(self, desk: LazyWorkerContext) -> None:
        self.desk = desk

    def setup(self, worker: Any) -> None:
        """Be placed in a worker."""
        self.desk.setup(worker)

    def teardown(self, worker: Any) -> None:
        """Leave it."""
        self.desk.teardown(worker)
