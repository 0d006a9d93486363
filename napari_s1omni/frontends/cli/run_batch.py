"""Running a job on every image of a folder, a pattern, a plate or a CSV file."""

from __future__ import annotations

import typer
from rich.table import Table

from napari_s1omni.core.units import count_of, format_bytes, format_duration
from napari_s1omni.errors import DiskFull, JobError, RunInterrupted, S1OmniError
from napari_s1omni.frontends.cli.batch_folder import export_file, measure_folder
from napari_s1omni.frontends.cli.printing import ProgressConsole, console, print_json
from napari_s1omni.frontends.cli.run_options import HOLES, RunOptions
from napari_s1omni.jobs.batch import run_batch, table_folder
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.results.batch.batch_objects import IMAGE, all_objects_file, check_own_table, is_newer, measure_image
from napari_s1omni.results.batch.batch_rows import TABLE, BatchRow
from napari_s1omni.results.export import export_result
from napari_s1omni.results.result import Result
from napari_s1omni.storage.collections import Collection, list_sources


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
        _say(note)
    folder = None if job.into else output_path(job)
    place = table_folder(job, entries, folder)
    if place is None and (options.measure or options.export):
        raise JobError(
            "--measure and --export for images without a common folder", remedy="set 'output' instead of 'into'"
        )
    progress = ProgressConsole(quiet=options.quiet or options.json)
    digits = len(str(len(entries)))
    rows: list[BatchRow] = []
    unwritten: list[str] = []

    def report(row: BatchRow) -> None:
        rows.append(row)
        line = f"{len(rows):{digits}}/{len(entries)} {_describe(row)}"
        progress.print(line, highlight=False, markup=False, soft_wrap=True)

    def use(row: BatchRow, result: Result) -> None:
        """Measure and export an image while its pixels are still in memory."""
        if place is None or not result.complete:
            return
        try:
            if options.measure:
                measure_image(row.name, result, place)
            if options.export:
                file = export_file(place, row, options.export)
                if not is_newer(file, result):
                    export_result(result, file, overwrite=True)
        except S1OmniError as error:
            unwritten.append(row.name)
            _say(f"{row.name}: {error}")

    try:
        rows = run_batch(
            job,
            entries,
            folder,
            dry_run=options.dry_run,
            wait=not options.no_wait,
            on_row=report,
            on_note=_say,
            on_result=use,
            **options.execution,
        )
    except (RunInterrupted, DiskFull) as error:
        remedy = "Run the same command again: finished images are kept"
        raise type(error)(error.given, error.allowed, remedy, **error.facts) from error
    if options.json:
        print_json([_row_json(row) for row in rows])
    else:
        _print_summary(rows, entries, options.dry_run)
        if place is not None and not options.dry_run:
            inside = f"labels/{job.into} of each image, {TABLE} in {place}" if job.into else f"{place}, with {TABLE}"
            typer.echo(f"results in {inside}")
    if options.measure and place is not None and not options.dry_run:
        objects = all_objects_file(place)
        check_own_table(objects, IMAGE)
        measure_folder(place, objects, overwrite=True, quiet=options.json)
    if unwritten or not all(row.ok for row in rows):
        raise typer.Exit(HOLES)


def _say(note: str) -> None:
    typer.echo(f"note: {note}", err=True)


def _row_json(row: BatchRow) -> dict[str, object]:
    return {**row.cells(), **({} if row.to_write is None else {"to_write": row.to_write})}


def _describe(row: BatchRow) -> str:
    would = row.state == "would run"
    facts = [
        "" if row.objects is None else count_of(row.objects, "object"),
        f"{row.holes} tiles missing" if row.holes else "",
        f"{row.tiles:,} tile{'s' * (row.tiles != 1)}" if would and row.tiles else "",
        _seconds(row.seconds) if row.state == "done" or (would and row.seconds) else "",
        row.warnings,
        row.error,
    ]
    return f"{row.name}: {row.state}" + "".join(f", {fact}" for fact in facts if fact)


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else format_duration(seconds) if seconds >= 10 else f"{seconds:.1f} s"


def _print_summary(rows: list[BatchRow], entries: Collection, dry_run: bool) -> None:
    table = Table(box=None, show_header=False)
    for state in dict.fromkeys(row.state for row in rows):
        table.add_row(state, str(sum(row.state == state for row in rows)))
    if dry_run:
        would = [row for row in rows if row.state == "would run"]
        known = [row.seconds for row in would if row.seconds is not None]
        unknown = f", and {len(would) - len(known)} images of unknown time" * (len(known) < len(would))
        table.add_row(
            "time with one worker", f"about {format_duration(max(1, sum(known)))}{unknown}" if known else "unknown"
        )
        table.add_row("to write (uncompressed)", format_bytes(sum(row.to_write or 0 for row in would)))
        table.add_row("files ignored", str(entries.skipped))
    unusual = sum(bool(row.warnings) for row in rows)
    if unusual:
        table.add_row("with warnings", str(unusual))
    console().print(table)
