"""Workplace: what a worker process keeps between leases: source, engine, store, journal and thoughts."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from napari_s1omni.engine.protocol import Engine
from napari_s1omni.engine.registry import load_engine
from napari_s1omni.errors import RunInterrupted
from napari_s1omni.execution.executors.block_order import BlockOrder
from napari_s1omni.execution.executors.leases import Lease
from napari_s1omni.execution.executors.worker_queue import WorkerQueue
from napari_s1omni.execution.pipeline.block import BlockResult
from napari_s1omni.execution.pipeline.block_geometry import Index5, block_shape
from napari_s1omni.execution.pipeline.block_writer import BlockWriter
from napari_s1omni.execution.pipeline.pipeline import Pipeline
from napari_s1omni.execution.pipeline.retry import Retry
from napari_s1omni.execution.run.control import Control
from napari_s1omni.execution.run.redo_log import RedoLog
from napari_s1omni.execution.stitching.stitching_pass import is_stitched
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.files.disk import Disk, OnStep, no_step
from napari_s1omni.storage.logs.journal import BlockRecord, Journal
from napari_s1omni.storage.logs.thoughts import ThoughtStore
from napari_s1omni.storage.result.label_scratch import DiskScratch
from napari_s1omni.storage.result.quality_maps import QualityMaps
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.sinks.null_sink import NullSink
from napari_s1omni.storage.sinks.sink import Sink
from napari_s1omni.storage.source import Source
from napari_s1omni.system.memory import keep_freed


@dataclass(frozen=True, slots=True)
class Assignment:
    """All that a worker must be told; sent to it once."""

    plan: Plan
    path: Path
    """The output folder, which every worker sees under this path."""
    source: Callable[[], Source]
    """Opens the source."""
    engine: Callable[[], Engine] | None = None
    """Makes the engine; the registry does, if None."""
    durable: bool = True
    """Wait until written data is on the medium."""
    dry: bool = False
    """Keep no px: only the journal is written."""
    on_step: OnStep = no_step
    """Told each step inside a block."""
    patience: Retry = field(default_factory=Retry)


@dataclass(frozen=True, slots=True)
class LeaseReport:
    """What a worker says of a lease; everything else is in the journal."""

    pid: int
    """Its process."""
    done: int
    """Blocks that are finished."""
    seconds: float
    """Time they took, from the end of the lease before."""


class WorkerContext:
    """One worker's belongings, made when the first lease comes.

    Parameters
    ----------
    assignment : Assignment
    """

    def __init__(self, assignment: Assignment) -> None:
        keep_freed()
        plan, path = assignment.plan, assignment.path
        self._assignment = assignment
        disk = Disk(durable=assignment.durable)
        name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        store = ResultStore.open(path, "r+", disk=disk, on_step=assignment.on_step)
        self._journal = Journal(store.work / "journal", name, disk=disk, on_step=assignment.on_step)
        self._thoughts = ThoughtStore(store.work / "thoughts", name, disk=disk)
        sink: Sink = NullSink(plan.target, block_shape(plan)) if assignment.dry else store
        scratch = DiskScratch(store) if is_stitched(plan) and not assignment.dry else None
        quality = None if assignment.dry else QualityMaps(plan, store)
        self._writer = BlockWriter(plan, sink, scratch, self._journal, self._thoughts, quality)
        self._source = assignment.source()
        self._engine = assignment.engine() if assignment.engine else load_engine(plan.engine)
        self._control = Control(path)
        self._attempts: dict[Index5, int] = {}
        self._pipeline = Pipeline(
            plan=plan,
            engine=self._engine,
            source=self._source,
            thoughts=self._thoughts,
            commit=self._commit,
            check=self._control.check,
            on_step=assignment.on_step,
            patience=assignment.patience,
            redone=RedoLog.read(store.work),
        )
        self._belt = WorkerQueue(self._pipeline.run)

    def run(self, lease: Lease, attempts: dict[int, int]) -> LeaseReport:
        """Run the blocks of a lease.

        Parameters
        ----------
        lease : Lease
        attempts : dict
            Attempt of those blocks, by number, that were tried before.

        Raises
        ------
        S1OmniError
            Blocks that were finished before are in the journal.
        """
        self._control.check()
        grid = self._assignment.plan.grid
        order = BlockOrder(grid, lease.blocks)
        self._attempts |= {order.index(number): attempt for number, attempt in attempts.items()}
        self._thoughts.refresh()
        try:
            seconds = self._belt.put([grid.block(order.index(number)) for number in lease.blocks])
        finally:
            self._thoughts.commit()
            self._journal.commit()
        return LeaseReport(os.getpid(), len(lease.blocks), seconds)

    def _commit(self, result: BlockResult) -> BlockRecord:
        record = self._writer.commit(result, self._attempts.get(result.block.index, 0))
        self._attempts.pop(result.block.index, None)
        self._belt.passed(result.block)
        return record

    def close(self) -> None:
        """Free the engine, close the files."""
        self._belt.close()
        self._engine.close()
        self._thoughts.close()
        self._journal.close()


class LazyWorkerContext:
    """Where a worker finds its workplace; the first who asks sets it up.

    It is the plugin that Dask sends to every worker, also to those that join later.

    Parameters
    ----------
    assignment : Assignment
    """

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._workplace: WorkerContext | None = None
        self._lock: threading.Lock | None = None

    def setup(self, worker: object) -> None:
        """Be placed in a worker; nothing is loaded yet, so that it answers at once."""
        self._lock = threading.Lock()

    def teardown(self, worker: object) -> None:
        """Be removed from it."""
        if self._workplace is not None:
            self._workplace.close()
            self._workplace = None

    def prepare(self) -> WorkerContext:
        """Open everything and load the engine, unless that was done before."""
        if self._lock is None:
            raise RunInterrupted("a desk without a worker", "a desk that Dask has placed")
        with self._lock:
            if self._workplace is None:
                self._workplace = WorkerContext(self._assignment)
            return self._workplace

    def run(self, lease: Lease, attempts: dict[int, int]) -> LeaseReport:
        """Run a lease at this workplace."""
        return self.prepare().run(lease, attempts)
