"""Workplace: what a worker process keeps between leases: source, engine, store, journal and thoughts."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from napari_s1omni.engine.protocol import Engine
from napari_s1omni.engine.registry import create_engine
from napari_s1omni.errors import RunInterrupted
from napari_s1omni.execution.block import BlockResult
from napari_s1omni.execution.commit import block_shape
from napari_s1omni.execution.control import Control
from napari_s1omni.execution.leases import Lease
from napari_s1omni.execution.order import Order
from napari_s1omni.execution.patience import Patience
from napari_s1omni.execution.pipeline import Pipeline
from napari_s1omni.execution.redone import Redone
from napari_s1omni.execution.stitch import is_stitched
from napari_s1omni.execution.writing import BlockWriter
from napari_s1omni.plan import Plan
from napari_s1omni.storage.disk import Disk, OnStep, no_step
from napari_s1omni.storage.journal import BlockRecord, Journal
from napari_s1omni.storage.label_scratch import DiskScratch
from napari_s1omni.storage.nothing import NullSink
from napari_s1omni.storage.quality import QualityMaps
from napari_s1omni.storage.sink import Sink
from napari_s1omni.storage.source import Source
from napari_s1omni.storage.store import ResultStore
from napari_s1omni.storage.thoughts import ThoughtStore
from napari_s1omni.tiling import Block


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
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class LeaseReport:
    """What a worker says of a lease; everything else is in the journal."""

    pid: int
    """Its process."""
    done: int
    """Blocks that are finished."""
    seconds: float
    """Time from the first to the last of them, loading not included."""


class Workplace:
    """One worker's belongings, made when the first lease comes.

    Parameters
    ----------
    assignment : Assignment
    """

    def __init__(self, assignment: Assignment) -> None:
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
        self._engine = assignment.engine() if assignment.engine else create_engine(plan.engine.name)
        self._control = Control(path)
        # While the last blocks of a lease are written, the next lease draws.
        self._drawing = threading.Lock()
        self._writing = threading.Lock()
        self._redone = Redone.read(store.work)

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
        plan = self._assignment.plan
        order = Order(plan.grid, lease.blocks)
        numbers = {order.index(number): number for number in lease.blocks}
        done = 0

        def blocks() -> Iterator[Block]:
            return (plan.grid.block(index) for index in numbers)

        start = 0.0

        def commit(result: BlockResult) -> BlockRecord:
            nonlocal done
            with self._writing:
                record = self._writer.commit(result, attempts.get(numbers[result.block.index], 0))
            done += 1
            return record

        @contextmanager
        def turn() -> Iterator[None]:
            nonlocal start
            with self._drawing:
                start = time.perf_counter()
                self._thoughts.refresh()
                yield

        self._control.check()
        pipeline = Pipeline(
            plan=plan,
            engine=self._engine,
            source=self._source,
            thoughts=self._thoughts,
            commit=commit,
            check=self._control.check,
            on_step=self._assignment.on_step,
            patience=self._assignment.patience,
            redone=self._redone,
            turn=turn(),
        )
        try:
            pipeline.run(blocks())
        finally:
            with self._writing:
                self._thoughts.commit()
                self._journal.commit()
        return LeaseReport(os.getpid(), done, time.perf_counter() - start)

    def close(self) -> None:
        """Free the engine, close the files."""
        self._engine.close()
        self._thoughts.close()
        self._journal.close()


class Desk:
    """Where a worker finds its workplace; the first who asks sets it up.

    It is the plugin that Dask sends to every worker, also to those that join later.

    Parameters
    ----------
    assignment : Assignment
    """

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._workplace: Workplace | None = None
        self._lock: threading.Lock | None = None

    def setup(self, worker: object) -> None:
        """Be placed in a worker; nothing is loaded yet, so that it answers at once."""
        self._lock = threading.Lock()

    def teardown(self, worker: object) -> None:
        """Be removed from it."""
        if self._workplace is not None:
            self._workplace.close()
            self._workplace = None

    def prepare(self) -> Workplace:
        """Open everything and load the engine, unless that was done before."""
        if self._lock is None:
            raise RunInterrupted("a desk without a worker", "a desk that Dask has placed")
        with self._lock:
            if self._workplace is None:
                self._workplace = Workplace(self._assignment)
            return self._workplace

    def run(self, lease: Lease, attempts: dict[int, int]) -> LeaseReport:
        """Run a lease at this workplace."""
        return self.prepare().run(lease, attempts)
