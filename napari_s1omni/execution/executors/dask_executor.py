"""The Dask executor: the same pipeline in worker processes, on this machine or on a cluster."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_s1omni.core.paths import full_path
from napari_s1omni.engine.protocol import Engine
from napari_s1omni.execution.executors.block_order import BlockOrder
from napari_s1omni.execution.executors.cluster import ClusterConfig, dashboard, open_cluster
from napari_s1omni.execution.executors.dask_scheduler import DaskScheduler
from napari_s1omni.execution.executors.leases import LeaseBook
from napari_s1omni.execution.executors.worker_context import WorkerSetup
from napari_s1omni.execution.pipeline.region_mask import count_tiles
from napari_s1omni.execution.pipeline.retry import Retry
from napari_s1omni.execution.run.control import Control, Interrupt
from napari_s1omni.execution.run.events import Event, OnEvent, RunStarted, ignore_event
from napari_s1omni.execution.run.run_output import RunOutput
from napari_s1omni.execution.run.status_writer import StatusWriter
from napari_s1omni.planning.cost import estimate_cost
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.source_boxes import source_boxes
from napari_s1omni.storage.files.disk import OnStep, no_step
from napari_s1omni.storage.source import Source, open_reference
from napari_s1omni.storage.spill import open_spilled_box, spill_boxes


def run_dask(
    plan: Plan,
    source: Source,
    path: Path,
    *,
    cluster: ClusterConfig | None = None,
    verify: bool = False,
    durable: bool = True,
    engine: Callable[[], Engine] | None = None,
    worker_source: Callable[[], Source] | None = None,
    on_event: OnEvent = ignore_event,
    on_step: OnStep = no_step,
    retry: Retry | None = None,
    dry: bool = False,
) -> None:
    """Run a plan to its end on worker processes, or continue it where an earlier run stopped.

    Parameters
    ----------
    plan, source, path, verify, durable, on_event, retry
        As in :func:`~napari_s1omni.execution.executors.serial.run_serial`.
    cluster : ClusterConfig, optional
        Where the workers are.
    engine : callable, optional
        Makes the engine in a worker; it must be picklable.
    worker_source : callable, optional
        Opens the source in a worker; by default its URI is opened, or a copy on disk of a source in memory.
    on_step : callable
        Called with each step inside a block, in the workers; it must be picklable.
    dry : bool
        Store no pixels, only the journal, to measure the overhead.

    Raises
    ------
    S1OmniError
        Finished blocks are kept.
    """
    config = cluster or ClusterConfig()
    expected = estimate_cost(plan, count_tiles(plan))
    needed = expected.disk_bytes + (0 if worker_source else expected.spilled_bytes)
    with (
        Interrupt() as interrupt,
        RunOutput.begin(plan, path, forecast=needed, durable=durable, worker="driver") as output,
        StatusWriter(path) as write_status,
        contextlib.ExitStack() as after_blocks,
    ):

        def tell(event: Event) -> None:
            write_status(event)
            on_event(event)

        control = Control(path, interrupt)
        control.reset(write_status.started)
        todo = output.todo(verify=verify)
        done = len(plan.grid) - len(todo)
        tiles = output.blocks.tiles_done()
        if todo:
            opened = worker_source or _worker_source(plan, source, output)
            kept = output.keep_tiles()
            setup = WorkerSetup(
                plan,
                path.absolute(),
                opened,
                engine,
                durable,
                dry,
                on_step,
                retry or Retry(),
                blocks=np.packbits(np.isin(np.arange(len(plan.grid)), todo)),
                scratch=kept.room,
                spare=kept.spare,
            )
            order = BlockOrder(plan.grid, todo)
            book = LeaseBook(order, seconds=config.lease_seconds, max_blocks=config.lease_blocks)
            with contextlib.ExitStack() as stack:
                client, count = stack.enter_context(open_cluster(config, plan))
                started = RunStarted(plan, done, tiles, expected.tiles_computed, max(1, count), dashboard(client))
                DaskScheduler(client, setup, output, control, tell, book, config.timeout).run(started)
                # The workers may end while the result is finished.
                closing = threading.Thread(target=stack.pop_all().close, name="close cluster")
                closing.start()
                after_blocks.callback(closing.join)
        else:
            tell(RunStarted(plan, done, tiles, expected.tiles_computed))
        if not dry:
            output.finish(tell, control.check)


def _worker_source(plan: Plan, source: Source, output: RunOutput) -> Callable[[], Source]:
    """Return a function that opens the source in a worker: by its URI, or from a copy of it on disk."""
    if plan.source.source is not None:
        # A worker may have another working folder.
        return functools.partial(open_reference, plan.job.source, full_path(plan.source.source))
    return functools.partial(open_spilled_box, spill_boxes(source, source_boxes(plan), output.store), plan.source.axes)
