"""``s1omni report``: a page about a result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.core.units import format_bytes
from napari_s1omni.errors import JobError, StoreError
from napari_s1omni.results.report import write_report
from napari_s1omni.results.result import Result


def report(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder of a result.")],
    page: Annotated[
        Path | None, typer.Argument(metavar="PAGE.html", help="The page to write.", show_default="beside the result")
    ] = None,
) -> None:
    """Write one self-contained page: what was done, how well it went, and tiles with their thoughts."""
    if page is None:
        page = output.absolute().with_suffix(".html")
    if page.suffix.lower() not in {".html", ".htm"}:
        raise JobError(f"a report called {page.name}", "a name ending in .html", "choose such a name")
    try:
        written = write_report(Result.open(output), page)
    except OSError as error:
        raise StoreError(f"{page} cannot be written: {error.strerror}", remedy="choose another folder") from error
    typer.echo(f"{page} ({format_bytes(written)})")
