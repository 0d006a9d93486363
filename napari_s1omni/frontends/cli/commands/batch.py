"""One job on many images: what the running commands do when the source is a collection."""

from __future__ import annotations

import dataclasses
import json as plain_json
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from napari_s1omni.core.units import format_duration
from napari_s1omni.errors import DiskFull, JobError, RunInterrupted
from napari_s1omni.jobs.batch import run_batch
from napari_s1omni.jobs.batch_table import TABLE, BatchRow
from napari_s1omni.planning.job import Job
from napari_s1omni.storage.collections import list_sources

INCOMPLETE = 3
"""Exit code of a batch in which images failed or lack tiles."""


def execute_batch(job: Job, *, dry_run: bool, json: bool, quiet: bool, running: dict[str, Any]) -> None:
    """Run a job on every image of its source, print one line for each, and end with 3 where some are not whole.

    Raises
    ------
    S1OmniError
        If there is nothing to run, or the whole batch must stop.
    """
    if job.output is None:
        raise JobError("a collection of images needs an output", "a folder for the results", "set 'output'")
    entries = list_sources(job.source.uri)
    said = Console(stderr=True, quiet=quiet or json)
    digits = len(str(len(entries)))
    rows: list[BatchRow] = []

    def tell(row: BatchRow) -> None:
        rows.append(row)
        said.print(f"{len(rows):{digits}}/{len(entries)} {_words(row)}", highlight=False, markup=False, soft_wrap=True)

    try:
        run_batch(job, entries, job.output, dry_run=dry_run, on_row=tell, **running)
    except (RunInterrupted, DiskFull) as error:
        again = "Run the same command again: finished images are kept"
        raise type(error)(error.given, error.allowed, again, **error.facts) from error
    if json:
        typer.echo(plain_json.dumps([dataclasses.asdict(row) for row in rows], indent=1))
    else:
        _print_summary(rows, job.output, dry_run)
    if not all(row.ok for row in rows):
        raise typer.Exit(INCOMPLETE)


def _words(row: BatchRow) -> str:
    facts = [
        "" if row.objects is None else f"{row.objects:,} objects",
        f"{row.holes} tiles missing" if row.holes else "",
        f"{row.tiles:,} tile{'s' * (row.tiles != 1)}" if row.state == "would run" and row.tiles else "",
        _seconds(row.seconds) if row.state == "done" else "",
        row.error,
    ]
    return f"{row.name}: {row.state}" + "".join(f", {fact}" for fact in facts if fact)


def _seconds(seconds: float) -> str:
    return format_duration(seconds) if seconds >= 10 else f"{seconds:.1f} s"


def _print_summary(rows: list[BatchRow], folder: str, dry_run: bool) -> None:
    table = Table(box=None, show_header=False)
    for state in dict.fromkeys(row.state for row in rows):
        table.add_row(state, str(sum(row.state == state for row in rows)))
    console = Console()
    console.print(table)
    if not dry_run:
        console.print(f"results and {TABLE} in {folder}", highlight=False, markup=False, soft_wrap=True)
