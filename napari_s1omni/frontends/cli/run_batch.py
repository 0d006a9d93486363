"""Running a job on every image of a folder, a pattern, a plate or a CSV file."""

from __future__ import annotations

import dataclasses

import typer
from rich.console import Console
from rich.table import Table

from napari_s1omni.core.units import format_duration
from napari_s1omni.errors import DiskFull, JobError, RunInterrupted
from napari_s1omni.frontends.cli.formatting import ProgressConsole, print_json
from napari_s1omni.frontends.cli.run_options import HOLES, RunOptions
from napari_s1omni.jobs.batch import run_batch
from napari_s1omni.jobs.batch_table import TABLE, BatchRow
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.storage.collections import list_sources


def run_images(job: Job, options: RunOptions) -> None:
    """Run a job on every image of its source, print one line per image, and exit with 3 if any is incomplete.

    Raises
    ------
    S1OmniError
        If there is nothing to run, or the whole batch must stop.
    """
    if job.output is None and job.into is None:
        raise JobError(
            "a collection of images needs an output",
            "a folder for the results, or for OME-Zarr images the name of their labels",
            "set 'output' or 'into'",
        )
    entries = list_sources(job.source.uri)
    for note in entries.notes:
        typer.echo(f"note: {note}", err=True)
    progress = ProgressConsole(quiet=options.quiet or options.json)
    digits = len(str(len(entries)))
    rows: list[BatchRow] = []

    def report(row: BatchRow) -> None:
        rows.append(row)
        line = f"{len(rows):{digits}}/{len(entries)} {_describe(row)}"
        progress.print(line, highlight=False, markup=False, soft_wrap=True)

    try:
        run_batch(job, entries, output_path(job), dry_run=options.dry_run, on_row=report, **options.execution)
    except (RunInterrupted, DiskFull) as error:
        remedy = "Run the same command again: finished images are kept"
        raise type(error)(error.given, error.allowed, remedy, **error.facts) from error
    if options.json:
        print_json([dataclasses.asdict(row) for row in rows])
    else:
        _print_summary(rows, job, options.dry_run)
    if not all(row.ok for row in rows):
        raise typer.Exit(HOLES)


def _describe(row: BatchRow) -> str:
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


def _print_summary(rows: list[BatchRow], job: Job, dry_run: bool) -> None:
    table = Table(box=None, show_header=False)
    for state in dict.fromkeys(row.state for row in rows):
        table.add_row(state, str(sum(row.state == state for row in rows)))
    console = Console()
    console.print(table)
    if not dry_run:
        text = f"results in labels/{job.into} of each image" if job.into else f"results and {TABLE} in {job.output}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)
