"""The Dask executor: the same pipeline in worker processes, here or on a cluster."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable
from pathlib import Path

from napari_s1omni.engine.protocol import Engine
from napari_s1omni.execution.executors.block_order import BlockOrder
from napari_s1omni.execution.executors.cluster import Fleet, dashboard, open_cluster
from napari_s1omni.execution.executors.dask_scheduler import DaskScheduler
from napari_s1omni.execution.executors.leases import LARGEST, SECONDS, LeaseBook
from napari_s1omni.execution.executors.worker_context import Assignment
from napari_s1omni.execution.pipeline.retry import Retry
from napari_s1omni.execution.run.control import Control, Interrupt
from napari_s1omni.execution.run.events import Event, OnEvent, RunStarted, ignore
from napari_s1omni.execution.run.run_output import RunOutput
from napari_s1omni.execution.run.status import Reporter
from napari_s1omni.planning.cost import cost, read_box
from napari_s1omni.planning.job import SourceRef
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.files.disk import OnStep, no_step
from napari_s1omni.storage.source import Source, open_source
from napari_s1omni.storage.spill import open_spilled_box, spill_box


def run_dask(
    plan: Plan,
    source: Source,
    path: Path,
    *,
    fleet: Fleet | None = None,
    verify: bool = False,
    durable: bool = True,
    engine: Callable[[], Engine] | None = None,
    opens: Callable[[], Source] | None = None,
    on_event: OnEvent = ignore,
    on_step: OnStep = no_step,
    patience: Retry | None = None,
    lease_seconds: float = SECONDS,
    lease_blocks: int = LARGEST,
    dry: bool = False,
) -> None:
    """Run a plan to its end on worker processes, or go on with it where an earlier run stopped.

    Parameters
    ----------
    plan, source, path, verify, durable, on_event
        As in :func:`~napari_s1omni.execution.executors.serial.run_serial`.
    fleet : Fleet, optional
        Where the workers are.
    engine : callable, optional
        Makes the engine in a worker; it must survive pickling.
    opens : callable, optional
        Opens the source in a worker; by default its URI is opened, or what is spilled of a source in memory.
    on_step : callable
        Told each step inside a block, in the workers; it must survive pickling.
    patience : Retry, optional
        With transient errors of source and output.
    lease_seconds : float
        Work that is handed out at a time.
    lease_blocks : int
        Most blocks that are handed out at a time.
    dry : bool
        Keep no px, only the journal: a rehearsal.

    Raises
    ------
    S1OmniError
        Whatever was finished is kept.
    """
    fleet = fleet or Fleet()
    expected = cost(plan)
    needed = expected.output_bytes // 2 + (0 if opens else expected.spilled_bytes)
    with (
        Interrupt() as interrupt,
        RunOutput.begin(plan, path, forecast=needed, durable=durable, worker="driver") as output,
        Reporter(path) as report,
    ):

        def tell(event: Event) -> None:
            report(event)
            on_event(event)

        control = Control(path, interrupt)
        control.begin()
        todo = output.todo(verify=verify)
        ledger = output.ledger
        tiles = ledger.tiles("drawn", "empty", "outside")
        leaving: threading.Thread | None = None
        if todo:
            reachable = opens or _reachable(plan, source, output)
            assignment = Assignment(
                plan, path.absolute(), reachable, engine, durable, dry, on_step, patience or Retry()
            )
            book = LeaseBook(BlockOrder(plan.grid, todo), seconds=lease_seconds, largest=lease_blocks)
            with contextlib.ExitStack() as stack:
                client, count = stack.enter_context(open_cluster(fleet, plan))
                started = RunStarted(plan, len(plan.grid) - len(todo), tiles, max(1, count), dashboard(client))
                DaskScheduler(client, assignment, output, control, interrupt, tell, book, fleet, started).run()
                # Workers take their time to leave; nothing is asked of them any more.
                leaving = threading.Thread(target=stack.pop_all().close, name="leave")
                leaving.start()
        else:
            tell(RunStarted(plan, len(plan.grid), tiles))
        try:
            if not dry:
                output.finish(tell, control.check)
        finally:
            if leaving is not None:
                leaving.join()


def _reachable(plan: Plan, source: Source, output: RunOutput) -> Callable[[], Source]:
    """How a worker opens the source: by its URI, or from what is spilled of it."""
    if plan.source.source is not None:
        uri = plan.source.source
        # A worker's working folder may be another one.
        return functools.partial(_open, plan.job.source, uri if "://" in uri else str(Path(uri).absolute()))
    return functools.partial(open_spilled_box, spill_box(source, read_box(plan), output.store), plan.source.axes)


def _open(ref: SourceRef, uri: str) -> Source:
    return open_source(uri, level=ref.level, axes=ref.axes, scale=ref.scale, units=ref.units)
