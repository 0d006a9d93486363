"""The functions that Dask workers run, submitted by the scheduler."""

from __future__ import annotations

from napari_s1omni.execution.executors.leases import Lease
from napari_s1omni.execution.executors.worker_context import LeaseReport, WorkerContext

PLUGIN = "s1omni-worker-context"
"""Name under which the plugin is registered with Dask."""


def prepare_worker() -> None:
    """Open everything and load the engine in the worker that runs this."""
    _context()


def run_lease(lease: Lease, attempts: dict[int, int]) -> LeaseReport:
    """Run a lease in the worker that runs this, see :meth:`WorkerContext.run`."""
    return _context().run(lease, attempts)


def _context() -> WorkerContext:
    import distributed

    context: WorkerContext = distributed.get_worker().plugins[PLUGIN].context()
    return context
