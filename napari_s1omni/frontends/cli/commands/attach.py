"""``s1omni status``, ``attach``, ``pause`` and ``cancel``: watch and control a run from another process."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from napari_s1omni.core.units import format_bytes, format_duration
from napari_s1omni.errors import JobError
from napari_s1omni.execution.run.control import write_control
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import RunStatus
from napari_s1omni.execution.run.watch import status as status_of
from napari_s1omni.execution.run.watch import watch
from napari_s1omni.frontends.cli.arguments import LocalResult, ResultPlace
from napari_s1omni.frontends.cli.batch_folder import print_status
from napari_s1omni.frontends.cli.printing import console, print_json, print_rows
from napari_s1omni.frontends.cli.run_options import HOLES, Json
from napari_s1omni.results.batch.batch_rows import find_batch

_EVERY = 15.0
"""Seconds between two lines without a terminal."""


def status(output: ResultPlace, json: Json = False) -> None:
    """Print the state and progress of a run or a batch, also of one that was killed."""
    if (batch := find_batch(output)) is not None:
        print_status(batch, as_json=json)
        return
    found = status_of(output)
    if json:
        known = found.resumable or found.is_silent
        print_json({**found.to_json(), "alive": found.alive, "resumable": known, "last_heard": found.last_heard})
    else:
        print_rows(str(output), _rows(found))


def attach(output: LocalResult) -> None:
    """Watch a run until it ends. Ctrl-C stops watching; the run continues.

    The exit code is that of the run: 0 complete, 3 with holes, 130 cancelled.
    """
    screen = console()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        TaskProgressColumn(),
        TextColumn("{task.fields[words]}"),
        console=screen,
        disable=not screen.is_terminal,
    )
    task = bar.add_task("starting", total=None, words="")
    last, said = None, 0.0
    try:
        with bar:
            for change in watch(output):
                last = change.status
                words = _words(last)
                bar.update(task, description=last.state, total=last.tiles_total, completed=last.tiles_done, words=words)
                if not screen.is_terminal and (time.monotonic() - said > _EVERY or not last.alive):
                    said = time.monotonic()
                    screen.print(f"{last.state}: {words}", highlight=False)
    except KeyboardInterrupt:
        screen.print(f"The run continues. Stop it with: s1omni cancel {output}", highlight=False)
        return
    if last is not None and (code := _exit_code(last)):
        if last.error:
            screen.print(last.error.words, highlight=False, markup=False)
        raise typer.Exit(code)


def pause(
    output: LocalResult,
    go_on: Annotated[bool, typer.Option("--go-on", help="Continue a paused run.")] = False,
) -> None:
    """Pause a run after its current tiles; with --go-on, continue it."""
    require_running(output)
    write_control(output, pause=not go_on)


def cancel(output: LocalResult) -> None:
    """Stop a run after its current tiles. Finished blocks are kept; resume the run at any time."""
    require_running(output)
    write_control(output, cancel=True)


def require_running(output: Path) -> None:
    """Refuse to control a run that has ended.

    Raises
    ------
    JobError
        If no process works on the output.
    """
    found = status_of(output)
    if not found.alive:
        raise JobError(
            f"no run is at work on {output}: it is {found.state}",
            remedy=f"resume it: s1omni resume {output}" if found.resumable else "",
        )


def _exit_code(found: RunStatus) -> int:
    if found.state is RunState.COMPLETE:
        return HOLES if found.holes else 0
    if found.error:
        return found.error.exit_code
    return 130 if found.state is RunState.CANCELLED else 1


def _words(found: RunStatus) -> str:
    words = [f"{found.blocks_done} of {found.blocks_total} blocks"]
    if found.last_heard:
        words.append(found.last_heard)
    if found.rate:
        words.append(f"{found.rate:.3g} tiles/s")
    if found.eta is not None:
        words.append(f"{format_duration(found.eta)} left")
    if found.holes:
        words.append(f"{found.holes} holes")
    return ", ".join(words)


def _rows(found: RunStatus) -> dict[str, str]:
    remark = f" ({found.last_heard}; if it has ended, " if found.last_heard else " ("
    known = found.resumable or found.is_silent
    rows = {
        "state": found.state + (f"{remark}resume it with: s1omni resume)" if known else ""),
        "blocks": f"{found.blocks_done:,} of {found.blocks_total:,}",
        "tiles": f"{found.tiles_done:,} of {found.tiles_total:,}",
        "process": f"{found.pid} on {found.host}" if found.pid else "not started yet",
        "workers": str(found.workers),
    }
    if found.rate:
        rows["rate"] = f"{found.rate:.3g} tiles/s"
    if found.eta is not None:
        rows["left"] = format_duration(found.eta)
    if found.busy is not None:
        rows["engines busy"] = f"{found.busy:.0%} of the time"
    if found.peak_memory:
        rows["peak memory of a worker"] = format_bytes(found.peak_memory)
    if found.holes:
        rows["holes"] = f"{found.holes:,} tiles"
    if found.note:
        rows["note"] = found.note
    if found.dashboard:
        rows["dashboard"] = found.dashboard
    if found.error:
        rows["error"] = f"{found.error.kind}: {found.error.words}"
    return rows
