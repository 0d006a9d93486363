"""``s1omni report``: write an HTML report of a result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.core.paths import local_path
from napari_s1omni.core.units import format_bytes
from napari_s1omni.errors import JobError
from napari_s1omni.frontends.cli.arguments import ResultPlace, file_to_write
from napari_s1omni.results.batch.batch_rows import find_batch
from napari_s1omni.results.batch.contact_sheet import PAGE, write_contact_sheet
from napari_s1omni.results.report import write_report
from napari_s1omni.results.result import Result


def report(
    output: ResultPlace,
    page: Annotated[
        Path | None,
        typer.Argument(
            metavar="PAGE.html", help="File to write.", show_default="beside the result", parser=file_to_write
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write a self-contained HTML report: job, engine, quality, and example tiles with their thoughts.

    For the folder of a batch, it is a contact sheet with the unusual images first.
    """
    batch = find_batch(output)
    if page is None and batch is not None:
        page = batch / PAGE
    if page is None:
        page = local_path(output, "a report beside", "name the page to write").with_suffix(".html")
    if page.suffix.lower() not in {".html", ".htm"}:
        raise JobError(f"a report called {page.name}", "a name ending in .html", "choose such a name")
    if batch is not None:
        typer.echo(f"{page} ({write_contact_sheet(batch, page, overwrite=overwrite)})")
        return
    written = write_report(Result.open(output), page, overwrite=overwrite)
    typer.echo(f"{page} ({format_bytes(written)})")
