"""What a worker process keeps between leases: source, engine, store, journal, thoughts and one pipeline."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import BlockIndex
from napari_s1omni.engine.protocol import Engine
from napari_s1omni.engine.registry import load_engine
from napari_s1omni.execution.executors.leases import Lease
from napari_s1omni.execution.executors.worker_queue import WorkerQueue
from napari_s1omni.execution.pipeline.block import BlockResult
from napari_s1omni.execution.pipeline.block_writer import BlockWriter
from napari_s1omni.execution.pipeline.pipeline import Pipeline
from napari_s1omni.execution.pipeline.region_mask import RegionMask
from napari_s1omni.execution.pipeline.retry import Retry
from napari_s1omni.execution.redo.redo_log import RedoLog
from napari_s1omni.execution.run.control import Control
from napari_s1omni.execution.shared_tiles.kept_tiles import KeptTiles
from napari_s1omni.execution.stitching.block_labels import is_stitched
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.tile_sharing import TileSharing
from napari_s1omni.storage.files.disk import Disk, OnStep, no_step
from napari_s1omni.storage.files.tile_scratch import TileScratch
from napari_s1omni.storage.logs.journal import BlockRecord, Journal
from napari_s1omni.storage.logs.thought_log import ThoughtLog
from napari_s1omni.storage.result.label_scratch import DiskScratch
from napari_s1omni.storage.result.quality_maps import QualityMaps
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.sinks.null_sink import NullSink
from napari_s1omni.storage.sinks.sink import Sink
from napari_s1omni.storage.source import Source
from napari_s1omni.system.memory import retain_freed_memory


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """Everything that a worker needs to know; sent to it once."""

    plan: Plan
    path: Path
    """The output folder, under the same path on every worker."""
    open_source: Callable[[], Source]
    """Opens the source."""
    make_engine: Callable[[], Engine] | None = None
    """Makes the engine; None uses the engine registry."""
    durable: bool = True
    """Whether writes are synced to the disk."""
    dry: bool = False
    """Whether no pixels are stored, only the journal."""
    on_step: OnStep = no_step
    """Called with each step inside a block."""
    retry: Retry = field(default_factory=Retry)
    blocks: NDArray[np.uint8] | None = None
    """One bit for each block: whether it is to be made in this run, so that its tiles are kept; None: all are."""
    scratch: int = 0
    """Most bytes of drawn tiles that a worker keeps on disk for other blocks."""
    spare: int = 0
    """Bytes of the disk that are left for the result."""


@dataclass(frozen=True, slots=True)
class LeaseReport:
    """What a worker returns after a lease; everything else is in the journal."""

    pid: int
    """Process id of the worker."""
    done: int
    """Number of finished blocks."""
    seconds: float
    """Seconds they took, from the end of the lease before."""
    note: str = ""
    """What the user should know; empty if nothing."""


class WorkerContext:
    """The open files, engine and pipeline of one worker.

    Parameters
    ----------
    setup : WorkerSetup
    """

    def __init__(self, setup: WorkerSetup) -> None:
        retain_freed_memory()
        plan, path = setup.plan, setup.path
        self._grid = plan.grid
        disk = Disk(durable=setup.durable)
        name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        store = ResultStore.open(path, "r+", disk=disk, on_step=setup.on_step)
        self._journal = Journal(store.work / "journal", name, disk=disk, on_step=setup.on_step)
        self._thoughts = ThoughtLog(store.work / "thoughts", name, disk=disk)
        sink: Sink = NullSink(plan.target, plan.block_shape) if setup.dry else store
        scratch = DiskScratch(store) if is_stitched(plan) and not setup.dry else None
        quality = None if setup.dry else QualityMaps(plan, store)
        self._writer = BlockWriter(plan, sink, scratch, self._journal, self._thoughts, quality)
        self._engine = setup.make_engine() if setup.make_engine else load_engine(plan.engine)
        self._control = Control(path)
        self._attempts: dict[BlockIndex, int] = {}
        made = None if setup.blocks is None else np.unpackbits(setup.blocks, count=len(plan.grid)).astype(bool)
        self._kept = KeptTiles(
            plan,
            TileSharing(plan.grid, RegionMask.of(plan).excludes),
            None if setup.dry else TileScratch(path),
            room=setup.scratch,
            spare=setup.spare,
            unfinished=(lambda number: True) if made is None else (lambda number: bool(made[number])),
        )
        pipeline = Pipeline(
            plan=plan,
            engine=self._engine,
            source=setup.open_source(),
            thoughts=self._thoughts,
            commit=self._commit,
            check=self._control.check,
            on_step=setup.on_step,
            retry=setup.retry,
            redo_log=RedoLog.read(store.work),
            kept=self._kept,
        )
        self._queue = WorkerQueue(pipeline.run)

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
        self._attempts |= {self._grid.unravel(number): attempt for number, attempt in attempts.items()}
        self._thoughts.refresh()
        try:
            seconds = self._queue.run([self._grid.block(self._grid.unravel(number)) for number in lease.blocks])
        finally:
            self._thoughts.commit()
            self._journal.commit()
        return LeaseReport(os.getpid(), len(lease.blocks), seconds, self._kept.note)

    def _commit(self, result: BlockResult) -> BlockRecord:
        record = self._writer.commit(result, self._attempts.get(result.block.index, 0))
        self._attempts.pop(result.block.index, None)
        self._queue.block_written(result.block)
        return record

    def close(self) -> None:
        """Free the engine and close the files."""
        self._queue.close()
        self._engine.close()
        self._thoughts.close()
        self._journal.close()
