"""The serial executor: one block after the other in this process. It defines the result of all other executors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from napari_s1omni.core.tiling import Block
from napari_s1omni.engine.protocol import Engine
from napari_s1omni.engine.registry import load_engine
from napari_s1omni.execution.executors.block_order import BlockOrder
from napari_s1omni.execution.pipeline.pipeline import Pipeline
from napari_s1omni.execution.pipeline.region_mask import count_tiles
from napari_s1omni.execution.pipeline.retry import Retry
from napari_s1omni.execution.redo.redo_log import RedoLog
from napari_s1omni.execution.run.control import Control, Interrupt
from napari_s1omni.execution.run.events import Event, OnEvent, RunPaused, RunStarted, ignore_event
from napari_s1omni.execution.run.run_output import RunOutput
from napari_s1omni.execution.run.status_writer import StatusWriter
from napari_s1omni.planning.cost import estimate_cost
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.files.disk import OnStep, no_step
from napari_s1omni.storage.source import Source


def run_serial(
    plan: Plan,
    source: Source,
    path: Path,
    *,
    verify: bool = False,
    durable: bool = True,
    engine: Callable[[], Engine] | None = None,
    on_event: OnEvent = ignore_event,
    on_step: OnStep = no_step,
    retry: Retry | None = None,
) -> None:
    """Run a plan to its end, or continue it where an earlier run stopped.

    Parameters
    ----------
    plan : Plan
    source : Source
        The layer for which the plan was made.
    path : Path
        Output folder.
    verify : bool
        Read again what an earlier run wrote, and repair damaged blocks.
    durable : bool
        Sync all writes to the disk.
    engine : callable, optional
        Makes the engine; by default the engine registry.
    on_event : callable
        Receives the events of the run.
    on_step : callable
        Called with each step inside a block: ``read``, ``think``, ``generate``, ``temp``, ``renamed``, ``journal``.
    retry : Retry, optional
        For transient errors of source and output.

    Raises
    ------
    S1OmniError
        Finished blocks are kept.
    """
    expected = estimate_cost(plan, count_tiles(plan))
    with (
        Interrupt() as interrupt,
        RunOutput.begin(plan, path, forecast=expected.disk_bytes, durable=durable, on_step=on_step) as output,
        StatusWriter(path) as write_status,
    ):

        def tell(event: Event) -> None:
            write_status(event)
            on_event(event)

        control = Control(path, interrupt, lambda paused: tell(RunPaused(paused)))
        control.reset(write_status.started)
        todo = output.todo(verify=verify)
        done, tiles = len(plan.grid) - len(todo), output.blocks.tiles_done()
        tell(RunStarted(plan, done, tiles, expected.tiles_computed))
        if todo:
            loaded = engine() if engine else load_engine(plan.engine)
            pipeline = Pipeline(
                plan=plan,
                engine=loaded,
                source=source,
                thoughts=output.thoughts,
                commit=output.commit,
                check=control.check,
                on_event=tell,
                on_step=on_step,
                retry=retry or Retry(),
                redo_log=RedoLog.read(output.store.work),
                kept=output.keep_tiles(),
            )
            try:
                pipeline.run(_ordered_blocks(plan, todo, control))
            finally:
                loaded.close()
        output.finish(tell, control.check)


def _ordered_blocks(plan: Plan, todo: list[int], control: Control) -> Iterator[Block]:
    """Yield the blocks to run; the focus point may change meanwhile."""
    order = BlockOrder(plan.grid, todo)
    while taken := order.take(1, control.state.focus):
        yield plan.grid.block(plan.grid.unravel(taken[0]))
