"""Leases blocks to the workers of a Dask cluster until none is left, and gives lost workers' blocks to others."""

from __future__ import annotations

import asyncio
import queue
import time
from typing import Any

import numpy as np

from napari_s1omni.errors import EngineError, S1OmniError, TileError
from napari_s1omni.execution.executors.dask_tasks import PLUGIN, prepare_worker, run_lease
from napari_s1omni.execution.executors.journal_reader import JournalReader
from napari_s1omni.execution.executors.leases import Lease, LeaseBook
from napari_s1omni.execution.executors.worker_context import LeaseReport, WorkerSetup
from napari_s1omni.execution.executors.worker_monitor import WorkerMonitor
from napari_s1omni.execution.pipeline.region_mask import RegionMask
from napari_s1omni.execution.run.control import Control, write_control
from napari_s1omni.execution.run.events import OnEvent, RunNoted, RunPaused, RunStarted
from napari_s1omni.execution.run.run_output import RunOutput
from napari_s1omni.planning.tile_sharing import TileSharing
from napari_s1omni.storage.logs.journal import BlockRecord

_POLL_INTERVAL = 0.25
"""Seconds between two looks at journal and workers."""
_RESULT_TIMEOUT = 5.0
"""Seconds to fetch the report of a finished lease."""
_STOP_TIMEOUT = 60.0
"""Seconds that workers get to end their leases when the run is stopped."""


class DaskScheduler:
    """Runs the blocks of a plan on a cluster.

    Parameters
    ----------
    client : distributed.Client
    setup : WorkerSetup
        Sent to every worker.
    output : RunOutput
    control : Control
    on_event : callable
        Told of the start, of finished blocks and of pauses.
    book : LeaseBook
        The blocks to run.
    worker_timeout : float
        Seconds without any worker after which the run ends.
    """

    def __init__(
        self,
        client: Any,
        setup: WorkerSetup,
        output: RunOutput,
        control: Control,
        on_event: OnEvent,
        book: LeaseBook,
        worker_timeout: float,
    ) -> None:
        self._client = client
        self._plan = setup.plan
        self._output = output
        self._control = control
        self._on_event = on_event
        self._book = book
        self._monitor = WorkerMonitor(client, worker_timeout)
        self._journal = JournalReader(output, on_event)
        self._preparing: list[Any] = []
        self._reported_done = np.zeros(len(setup.plan.grid), bool)
        self._futures: dict[Any, tuple[str, Lease]] = {}
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._polled = 0.0
        self._paused = False
        self._noted = False
        self._stopping_since: float | None = None
        client.register_plugin(_plugin(setup), name=PLUGIN)

    def run(self, started: RunStarted) -> None:
        """Lease blocks until every one is done or quarantined.

        Parameters
        ----------
        started : RunStarted
            Sent to `on_event` when the first worker is ready.

        Raises
        ------
        RunInterrupted
            If the run was asked to stop.
        ClusterError
            If the workers or their scheduler are gone.
        S1OmniError
            What ended the run: a full disk, a source that cannot be read, an engine that cannot be loaded.
        """
        try:
            self._prepare_workers()
            self._on_event(started)
            while self._book.pending_blocks or self._book.open_leases:
                self._poll()
                if self._stopping_since is None:
                    self._submit_leases()
                elif not self._book.open_leases or time.monotonic() - self._stopping_since > _STOP_TIMEOUT:
                    break
                self._receive_lease()
            self._journal.update()
            self._control.check()
            self._journal.wait_for(np.flatnonzero(self._reported_done).tolist())
        except BaseException:
            # Workers that outlive this process must not continue without it.
            write_control(self._output.store.path, cancel=True)
            raise

    def _prepare_workers(self) -> None:
        """Wait until the first worker has opened everything and loaded its engine."""
        while not self._monitor.workers:
            self._poll()
            self._control.check()
            time.sleep(_POLL_INTERVAL / 5)
        ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
        asked: dict[str, Any] = {}
        failed = 0
        # A nanny restarts a worker that died of this; if all workers died, the first leases show the reason.
        while failed < max(1, len(asked)):
            for worker in set(self._monitor.workers) - asked.keys():
                asked[worker] = self._client.submit(prepare_worker, workers=[worker], pure=False, retries=0)
                asked[worker].add_done_callback(ready.put)
            first = _next_or_none(ready, _POLL_INTERVAL)
            if first is None:
                self._poll()
                self._control.check()
            elif first.status == "finished":
                break
            else:
                error = first.exception() if first.status == "error" else None
                if isinstance(error, S1OmniError):
                    raise error
                failed += 1
        # Dask cancels tasks whose futures are no longer referenced.
        self._preparing = list(asked.values())

    def _poll(self) -> None:
        """React to requests, to new journal records, and to workers that came or were lost."""
        if self._control.stop_requested and self._stopping_since is None:
            self._stopping_since = time.monotonic()
            write_control(self._output.store.path, cancel=True)
        if self._control.state.pause != self._paused:
            self._paused = not self._paused
            self._on_event(RunPaused(self._paused))
        if time.monotonic() - self._polled < _POLL_INTERVAL:
            return
        self._polled = time.monotonic()
        self._journal.update()
        self._monitor.update()
        for worker in self._monitor.lost(self._book.workers):
            self._requeue_leases_of(worker)

    def _submit_leases(self) -> None:
        if self._paused:
            return
        workers = self._monitor.workers
        for worker in workers:
            while (lease := self._book.lease(worker, len(workers), self._control.state.focus)) is not None:
                attempts = {block: n for block in lease.blocks if (n := self._output.blocks.next_attempt(block))}
                future = self._client.submit(
                    run_lease, lease, attempts, workers=[worker], pure=False, retries=0, key=f"lease-{lease.number}"
                )
                self._futures[future] = worker, lease
                future.add_done_callback(self._ended.put)

    def _receive_lease(self) -> None:
        """Wait a moment for a lease to end, and close it."""
        future = _next_or_none(self._ended, _POLL_INTERVAL / 2)
        if future is None or (held := self._futures.pop(future, None)) is None:
            return
        worker, lease = held
        report = self._fetch_report(future) if future.status == "finished" else None
        if report is not None:
            self._reported_done[list(lease.blocks)] = True
            self._book.complete(worker, lease, report.seconds)
            if report.note and not self._noted:
                self._noted = True
                self._on_event(RunNoted(report.note))
        elif future.status == "error":
            self._lease_failed(worker, lease, future.exception())
        else:
            self._book.requeue(worker, lease, self._journal.unfinished(lease))
        future.release()

    def _fetch_report(self, future: Any) -> LeaseReport | None:
        """Return the report of a worker; None if it died before it could send it."""
        import distributed

        try:
            report: LeaseReport = future.result(timeout=_RESULT_TIMEOUT)
        except (TimeoutError, OSError, distributed.scheduler.KilledWorker, asyncio.CancelledError):
            # Without the timeout, Dask would wait for that worker to come back, which never happens.
            return None
        return report

    def _lease_failed(self, worker: str, lease: Lease, error: BaseException) -> None:
        """Give the unfinished blocks of a failed lease to other workers, or quarantine or stop."""
        unfinished = self._journal.unfinished(lease)
        if self._stopping_since is not None:
            self._book.requeue(worker, lease, unfinished)
            return
        if isinstance(error, S1OmniError) and (type(error) is not EngineError or isinstance(error, TileError)):
            # No block is to blame: every other one would fail in the same way.
            self._book.requeue(worker, lease, unfinished)
            raise error
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        for number in self._book.requeue_after_failure(worker, lease, unfinished, reason):
            self._quarantine(number, reason)
        if type(error) is EngineError:
            # A device that failed once keeps failing until its process ends.
            self._client.restart_workers([worker], raise_for_error=False, timeout=30)

    def _quarantine(self, number: int, reason: str) -> None:
        grid = self._plan.grid
        block = grid.block(grid.unravel(number))
        tiles = sum(1 for _ in grid.tiles(block)) * (block.field_z[1] - block.field_z[0])
        record = BlockRecord(
            block=self._plan.shard_index(block.index),
            state="quarantined",
            tiles={"failed": tiles},
            shared=TileSharing(grid, RegionMask.of(self._plan).excludes).counted_elsewhere(block),
            attempt=self._output.blocks.next_attempt(number),
            error=f"the block failed alone twice: {reason}",
        )
        self._output.quarantine(block, record)

    def _requeue_leases_of(self, worker: str) -> None:
        """Give the leases of a lost worker to others; if a block had killed it, its lease would have failed."""
        for future, (holder, lease) in list(self._futures.items()):
            if holder == worker:
                del self._futures[future]
                future.cancel()
                self._book.requeue(worker, lease, self._journal.unfinished(lease))


def _next_or_none(items: queue.SimpleQueue[Any], timeout: float) -> Any:
    try:
        return items.get(timeout=timeout)
    except queue.Empty:
        return None


def _plugin(setup: WorkerSetup) -> Any:
    """Make the plugin; its class can only be defined if Dask is installed."""
    from napari_s1omni.execution.executors.dask_plugin import WorkerContextPlugin

    return WorkerContextPlugin(setup)
