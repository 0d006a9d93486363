"""Foreman: hands leases to the workers of a cluster until no block is left, whatever happens to them."""

from __future__ import annotations

import asyncio
import queue
import time
from typing import Any

import numpy as np

from napari_s1omni.errors import ClusterError, EngineError, S1OmniError, TileError
from napari_s1omni.execution.executors.block_order import BlockOrder
from napari_s1omni.execution.executors.cluster import Fleet, replenish
from napari_s1omni.execution.executors.leases import Lease, LeaseBook
from napari_s1omni.execution.executors.worker_context import Assignment, LazyWorkerContext, LeaseReport
from napari_s1omni.execution.pipeline.block_geometry import target_index
from napari_s1omni.execution.run.control import Control, Interrupt, write_control
from napari_s1omni.execution.run.events import BlockDone, OnEvent, RunPaused, RunStarted, TilesDone
from napari_s1omni.execution.run.run_output import RunOutput
from napari_s1omni.execution.run.watch import JournalTail
from napari_s1omni.storage.logs.journal import BlockRecord

DESK = "s1omni-desk"
_LOOK = 0.25
"""Seconds between two looks at journal and workers."""
_GONE = 5.0
"""Seconds after which a worker that the scheduler does not know any more takes no lease back."""
_LATE = 90.0
"""Seconds that a network file system gets to show what others wrote."""
_DRAIN = 60.0
"""Seconds that workers get to end what they do when the run is stopped."""


class DaskScheduler:
    """Runs the blocks of a plan on a cluster.

    Parameters
    ----------
    client : distributed.Client
    assignment : Assignment
        What every worker is told.
    output : RunOutput
    control : Control
    interrupt : Interrupt
    tell : callable
        Told of finished blocks and of pauses.
    book : LeaseBook
    fleet : Fleet
    started : RunStarted
        Told when the first worker is ready.
    """

    def __init__(
        self,
        client: Any,
        assignment: Assignment,
        output: RunOutput,
        control: Control,
        interrupt: Interrupt,
        tell: OnEvent,
        book: LeaseBook,
        fleet: Fleet,
        started: RunStarted,
    ) -> None:
        self._client = client
        self._plan = assignment.plan
        self._output = output
        self._control = control
        self._interrupt = interrupt
        self._tell = tell
        self._book = book
        self._fleet = fleet
        self._started = started
        self._preparing: list[Any] = []
        self._reported = np.zeros(len(assignment.plan.grid), bool)
        self._order = BlockOrder(assignment.plan.grid, [])
        self._tail = JournalTail(output.store.work / "journal", history=False)
        self._futures: dict[Any, tuple[str, Lease]] = {}
        self._finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._workers: tuple[str, ...] = ()
        self._seen: dict[str, float] = {}
        self._looked = 0.0
        self._alone_since = time.monotonic()
        self._paused = False
        self._stopping: float | None = None
        client.register_plugin(_plugin(assignment), name=DESK)

    def run(self) -> None:
        """Hand out leases until every block is done or condemned.

        Raises
        ------
        RunInterrupted
            If the run was asked to stop.
        ClusterError
            If the workers or their scheduler are gone.
        S1OmniError
            What ended it: a full disk, a source that cannot be read, an engine that cannot be loaded.
        """
        try:
            self._prepare()
            while self._book.waiting or self._book.out:
                self._look()
                if self._stopping is None:
                    self._hand_out()
                elif not self._book.out or time.monotonic() - self._stopping > _DRAIN:
                    break
                self._take_back()
            self._collect()
            self._control.check()
            self._see_all()
        except BaseException:
            # Workers that outlive this process shall not go on without it.
            write_control(self._output.store.path, cancel=True)
            raise

    def _prepare(self) -> None:
        """Wait until the first worker has opened everything and loaded its engine; say then that the run begins."""
        while not self._workers:
            self._look()
            self._control.check()
            time.sleep(_LOOK / 5)
        ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
        asked: dict[str, Any] = {}
        failed = 0
        # A worker that died of it is replaced by its nanny; when all did, leases find out why.
        while failed < max(1, len(asked)):
            for worker in set(self._workers) - asked.keys():
                asked[worker] = self._client.submit(prepare, workers=[worker], pure=False, retries=0)
                asked[worker].add_done_callback(ready.put)
            if (first := _taken(ready)) is None:
                self._look()
                self._control.check()
            elif first.status == "finished":
                break
            else:
                error = first.exception() if first.status == "error" else None
                if isinstance(error, S1OmniError):
                    raise error
                failed += 1
        self._preparing = list(asked.values())
        self._tell(self._started)

    def _look(self) -> None:
        """Take note of wishes, of new lines in the journal, and of workers that came or went."""
        now = time.monotonic()
        wishes = self._control.wishes
        if (self._interrupt.asked or wishes.cancel) and self._stopping is None:
            self._stop()
        if wishes.pause != self._paused:
            self._paused = wishes.pause
            self._tell(RunPaused(self._paused))
        if now - self._looked < _LOOK:
            return
        self._looked = now
        self._collect()
        if self._client.status != "running":
            raise ClusterError("the scheduler is gone", remedy="start one again, then resume")
        self._workers = tuple(self._client.scheduler_info(n_workers=-1)["workers"])
        self._seen.update(dict.fromkeys(self._workers, now))
        if self._workers:
            self._alone_since = now
        elif now - self._alone_since > self._fleet.waits:
            raise ClusterError(f"no worker came for {self._fleet.waits:.0f} s", remedy="look at the cluster, resume")
        replenish(self._client)
        for worker in self._book.holders:
            if now - self._seen.setdefault(worker, now) > _GONE:
                self._give_up(worker)

    def _hand_out(self) -> None:
        if self._paused:
            return
        for worker in self._workers:
            while (lease := self._book.next(worker, len(self._workers), self._control.wishes.focus)) is not None:
                attempts = {block: n for block in lease.blocks if (n := self._output.ledger.attempt(block))}
                future = self._client.submit(
                    run_lease, lease, attempts, workers=[worker], pure=False, retries=0, key=f"lease-{lease.epoch}"
                )
                self._futures[future] = worker, lease
                future.add_done_callback(self._finished.put)

    def _take_back(self) -> None:
        try:
            future = self._finished.get(timeout=_LOOK / 2)
        except queue.Empty:
            return
        if (held := self._futures.pop(future, None)) is None:
            return
        worker, lease = held
        report = self._report(future) if future.status == "finished" else None
        if report is not None:
            self._finish_lease(worker, lease, report)
        elif future.status == "error":
            self._failed(worker, lease, future.exception())
        else:
            self._book.returned(worker, lease, self._undone(lease))
        future.release()

    def _report(self, future: Any) -> LeaseReport | None:
        """Fetch what a worker says of a lease; None where it died before it said it."""
        import distributed

        try:
            report: LeaseReport = future.result(timeout=_GONE)
        except (TimeoutError, OSError, distributed.scheduler.KilledWorker, asyncio.CancelledError):
            # Left alone, Dask would wait until that very worker comes back, which it never does.
            return None
        return report

    def _finish_lease(self, worker: str, lease: Lease, report: LeaseReport) -> None:
        self._reported[list(lease.blocks)] = True
        self._book.done(worker, lease, report.seconds)

    def _see_all(self) -> None:
        """Wait until the journals of all workers are seen here too: a network file system may be late."""
        end = time.monotonic() + _LATE
        reported, is_done = np.flatnonzero(self._reported), self._output.ledger.is_done
        while missing := [number for number in reported if not is_done(int(number))]:
            if time.monotonic() > end:
                raise ClusterError(
                    f"{len(missing)} blocks that workers finished are not in the journal as it is seen here",
                    "a folder that all machines see alike",
                    "look at the file system, then resume",
                )
            time.sleep(_LOOK)
            self._collect()

    def _failed(self, worker: str, lease: Lease, error: BaseException) -> None:
        undone = self._undone(lease)
        if self._stopping is not None:
            self._book.returned(worker, lease, undone)
            return
        if isinstance(error, S1OmniError) and (type(error) is not EngineError or isinstance(error, TileError)):
            # Not the fault of a block: it would meet every other one too.
            self._book.returned(worker, lease, undone)
            raise error
        why = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        for number in self._book.failed(worker, lease, undone, why):
            self._condemn(number, why)
        if type(error) is EngineError:
            # A device that failed once fails for ever, until its process ends.
            self._client.restart_workers([worker], raise_for_error=False, timeout=30)

    def _condemn(self, number: int, why: str) -> None:
        grid, ledger = self._plan.grid, self._output.ledger
        block = grid.block(self._order.index(number))
        tiles = sum(1 for _ in grid.tiles(block)) * (block.field_z[1] - block.field_z[0])
        self._output.give_up(
            block,
            BlockRecord(
                block=target_index(self._plan, block.index),
                state="quarantined",
                labels=None,
                tiles={"failed": tiles},
                attempt=ledger.attempt(number),
                error=f"the block failed alone twice: {why}",
            ),
        )

    def _give_up(self, worker: str) -> None:
        """Take the leases of a worker that left; they were not its blocks' fault, or it would be known."""
        for future, (holder, lease) in list(self._futures.items()):
            if holder == worker:
                del self._futures[future]
                future.cancel()
                self._book.returned(worker, lease, self._undone(lease))

    def _stop(self) -> None:
        self._stopping = time.monotonic()
        write_control(self._output.store.path, cancel=True)

    def _undone(self, lease: Lease) -> list[int]:
        # Whoever is gone may have finished blocks since the last look.
        self._collect()
        return [number for number in lease.blocks if not self._output.ledger.is_done(number)]

    def _collect(self) -> None:
        ledger = self._output.ledger
        for record in self._tail.read():
            number = ledger.number(record.block)
            known = ledger.is_done(number)
            ledger.enter(record)
            if ledger.is_done(number) and not known:
                if drawn := record.tiles.get("drawn", 0):
                    spent = record.seconds.get("think", 0.0) + record.seconds.get("generate", 0.0)
                    self._tell(TilesDone(drawn, spent))
                self._tell(BlockDone(record))


def _taken(ready: queue.SimpleQueue[Any]) -> Any:
    try:
        return ready.get(timeout=_LOOK)
    except queue.Empty:
        return None


def prepare() -> None:
    """Set the desk up of the worker that this is called in."""
    import distributed

    distributed.get_worker().plugins[DESK].desk.prepare()


def run_lease(lease: Lease, attempts: dict[int, int]) -> LeaseReport:
    """Run a lease at the desk of the worker that this is called in."""
    import distributed

    desk: LazyWorkerContext = distributed.get_worker().plugins[DESK].desk
    return desk.run(lease, attempts)


def _plugin(assignment: Assignment) -> Any:
    """Make a plugin of Dask's, whose classes are only there when Dask is."""
    from napari_s1omni.execution.executors.dask_plugin import WorkerContextPlugin

    return WorkerContextPlugin(LazyWorkerContext(assignment))
