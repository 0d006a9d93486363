"""The folder of a batch as the argument of ``s1omni status``, ``measure`` and ``export``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import typer

from napari_s1omni.core.units import count_of, format_duration
from napari_s1omni.errors import JobError, S1OmniError
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import HOLES
from napari_s1omni.results.batch.batch_objects import measure_batch
from napari_s1omni.results.batch.batch_rows import TABLE, BatchRow, read_batch
from napari_s1omni.results.batch.batch_table import batch_at_work, images_of_batch
from napari_s1omni.results.export import FORMATS, export_result
from napari_s1omni.results.result import Result
from napari_s1omni.storage.files.disk import disk_errors

EXPORTS = "exports"
"""Folder of exported files in that of a batch; beside the results there may be images of the same names."""
_LISTED = 20
"""Images that are named one by one."""


def print_status(folder: Path, *, as_json: bool) -> None:
    """Print how many images of a batch are done, what is wrong with others, and who runs it now."""
    rows, who = read_batch(folder), batch_at_work(folder)
    total = max(len(rows), images_of_batch(folder))
    if as_json:
        print_json({"images": total, "running": who or None, "rows": [row.cells() for row in rows]})
        return
    counted = Counter(row.state for row in rows)
    words = {"folder": str(folder)}
    words["images"] = f"{len(rows):,} of {total:,}: " + ", ".join(f"{n:,} {state}" for state, n in counted.items())
    objects = [row.objects for row in rows if row.objects is not None]
    if objects:
        words["objects"] = f"{sum(objects):,}"
    words["time"] = format_duration(sum(row.seconds or 0 for row in rows))
    goes_on = len(rows) < total or not all(row.ok for row in rows)
    words["at work"] = who or "nobody" + "; the same command as before continues the batch" * goes_on
    print_rows("Batch", words)
    wrong = {row.name: row.error or row.warnings or row.state for row in rows if row.warnings or not row.ok}
    if wrong:
        listed = dict(list(wrong.items())[:_LISTED])
        more = {"...": f"and {len(wrong) - _LISTED:,} more, in {TABLE}"} if len(wrong) > _LISTED else {}
        print_rows("Failed or unusual", listed | more)


def measure_folder(folder: Path, table: Path, *, overwrite: bool, quiet: bool = False) -> None:
    """Measure all masks of a batch into one table, and exit with 3 if one could not be measured."""
    failed: list[str] = []

    def say(row: BatchRow, error: S1OmniError) -> None:
        failed.append(row.name)
        typer.echo(f"{row.name} is not measured: {error}", err=True)

    objects, images = measure_batch(folder, table, overwrite=overwrite, on_error=say)
    if not quiet:
        typer.echo(f"{count_of(objects, 'object')} of {count_of(images, 'image')} in {table}")
    if failed:
        raise typer.Exit(HOLES)


def export_batch(folder: Path, given: Path, *, level: int, overwrite: bool) -> None:
    """Export each result of a batch into a folder of its own, and exit with 3 if one could not be exported."""
    asked = given.name.lstrip(".").removeprefix("*.")
    kind = next((name for name, ending in FORMATS.items() if asked in (name, ending)), None)
    if kind is None:
        raise JobError(
            f"a batch exported as '{given.name}'",
            f"each of its images is exported as {', '.join(FORMATS)}",
            f"give one of these, as in: s1omni export {folder} geojson",
        )
    failed = False
    for row in read_batch(folder):
        if row.state == "failed":
            continue
        file = export_file(folder, row, kind)
        try:
            said = export_result(Result.open(row.output), file, level=level, overwrite=overwrite)
            typer.echo(f"{file} ({said})")
        except S1OmniError as error:
            failed = True
            typer.echo(f"{row.name} is not exported: {error}", err=True)
    if failed:
        raise typer.Exit(HOLES)


def export_file(folder: Path, row: BatchRow, kind: str) -> Path:
    """Return the file of one image of a batch in a format; its folder is made where it is missing."""
    home = folder / EXPORTS
    with disk_errors("writing", home):
        home.mkdir(exist_ok=True)
    return home / f"{row.name}.{FORMATS[kind]}"
