"""The serial executor: one block after the other in this process. The oracle of all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from napari_s1omni.core.tiling import Block
from napari_s1omni.engine.protocol import Engine
from napari_s1omni.engine.registry import load_engine
from napari_s1omni.execution.executors.block_order import BlockOrder
from napari_s1omni.execution.pipeline.pipeline import Pipeline
from napari_s1omni.execution.pipeline.retry import Retry
from napari_s1omni.execution.run.control import Control, Interrupt
from napari_s1omni.execution.run.events import Event, OnEvent, RunPaused, RunStarted, ignore
from napari_s1omni.execution.run.redo_log import RedoLog
from napari_s1omni.execution.run.run_output import RunOutput
from napari_s1omni.execution.run.status import Reporter
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
    on_event: OnEvent = ignore,
    on_step: OnStep = no_step,
    patience: Retry | None = None,
) -> None:
    """Run a plan to its end, or go on with it where an earlier run stopped.

    Parameters
    ----------
    plan : Plan
    source : Source
        The layer the plan was made for.
    path : Path
        Output folder.
    verify : bool
        Reread what an earlier run wrote and redo what was damaged since.
    durable : bool
        Wait until written data is on the medium.
    engine : callable, optional
        Makes the engine; by default the registry does.
    on_event : callable
        Watches.
    on_step : callable
        Told each step inside a block: ``read``, ``think``, ``generate``, ``temp``, ``renamed``, ``journal``.
    patience : Retry, optional
        With transient errors of source and output.

    Raises
    ------
    S1OmniError
        Whatever was finished is kept.
    """
    with (
        Interrupt() as interrupt,
        RunOutput.begin(
            plan, path, forecast=estimate_cost(plan).output_bytes // 2, durable=durable, on_step=on_step
        ) as output,
        Reporter(path) as report,
    ):

        def tell(event: Event) -> None:
            report(event)
            on_event(event)

        control = Control(path, interrupt, lambda waiting: tell(RunPaused(waiting)))
        control.begin()
        todo = output.todo(verify=verify)
        tell(RunStarted(plan, len(plan.grid) - len(todo), output.ledger.tiles("drawn", "empty", "outside")))
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
                patience=patience or Retry(),
                redone=RedoLog.read(output.store.work),
            )
            try:
                pipeline.run(_in_order(plan, todo, control))
            finally:
                loaded.close()
        output.finish(tell, control.check)


def _in_order(plan: Plan, todo: list[int], control: Control) -> Iterator[Block]:
    order = BlockOrder(plan.grid, todo)
    while (index := order.next(control.wishes.focus)) is not None:
        yield plan.grid.block(index)
