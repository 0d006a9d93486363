"""The page of a batch: a contact sheet of all images, the unusual ones first, and the table."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path

from PIL.Image import Image, Resampling

from napari_s1omni.core.units import count_of, format_bytes
from napari_s1omni.errors import S1OmniError
from napari_s1omni.results.batch.batch_rows import BatchRow, read_batch
from napari_s1omni.results.report.markup import grid_table, picture_card, section
from napari_s1omni.results.report.page import html_page
from napari_s1omni.results.report.pictures import overview
from napari_s1omni.results.result import Result
from napari_s1omni.storage.files.part_file import part_file

PAGE = "batch.html"
"""The page in the folder of a batch."""
_EDGE = 200
"""Pixels of the longer side of a picture."""
_MOST = 400
"""Pictures on one page; of more images, the unusual ones and the first others are shown."""


def write_contact_sheet(folder: Path, page: Path, *, overwrite: bool = False) -> str:
    """Write the page of a batch; return its size and what it shows in words.

    Parameters
    ----------
    folder : Path
        The folder of the batch.
    page : Path
        An ``.html`` file.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    StoreExists
        If the file exists and `overwrite` is off.
    """
    rows = read_batch(folder)
    unusual = [row for row in rows if row.warnings or not row.ok]
    usual = [row for row in rows if not row.warnings and row.ok]
    shown = usual[: max(0, _MOST - len(unusual))]
    left = len(usual) - len(shown)
    parts = [
        section(f"Unusual images: {len(unusual)} of {len(rows)}", _sheet(unusual[:_MOST], page)),
        section("All others" if unusual else "Images", _sheet(shown, page)),
        f"<p>{left:,} more images without warnings are only in the table.</p>" if left else "",
        section("Table", grid_table(*_table(rows))),
    ]
    text = html_page(
        f"Batch {folder.name}", f"<p class='lead'>{html.escape(_summary(folder, rows))}</p>" + "".join(parts)
    )
    with part_file(page, overwrite=overwrite) as part:
        part.write_text(text, encoding="utf-8")
    return f"{len(rows):,} images, {len(unusual):,} of them unusual; {format_bytes(len(text.encode()))}"


def _summary(folder: Path, rows: Sequence[BatchRow]) -> str:
    objects = [row.objects for row in rows if row.objects is not None]
    found = f", {count_of(sum(objects), 'object')}" if objects else ""
    failed = sum(row.state == "failed" for row in rows)
    return f"{folder}: {len(rows):,} images{found}" + (f", {failed:,} failed" if failed else "")


def _sheet(rows: Sequence[BatchRow], page: Path) -> str:
    cards = []
    for row in rows:
        said = [count_of(row.objects, "object") if row.objects is not None else row.state, row.warnings, row.error]
        report = Path(row.output).with_suffix(".html") if row.output else None
        link = os.path.relpath(report, page.parent) if report is not None and report.is_file() else ""
        cards.append(picture_card(row.name, _picture(row), [text for text in said if text], link))
    return f'<div class="sheet">{"".join(cards)}</div>' if cards else ""


def _picture(row: BatchRow) -> Image | None:
    """Return the result over its source; None if there is no result, or it cannot be read."""
    try:
        result = Result.open(row.output)
        try:
            image = result.layers().image
        except S1OmniError:
            image = None
        picture = overview(result, image)[-1]
    except (S1OmniError, OSError):
        return None
    picture.thumbnail((_EDGE, _EDGE), Resampling.LANCZOS)
    return picture


def _table(rows: Sequence[BatchRow]) -> tuple[list[str], list[list[str]]]:
    hidden = ("source", "output", "tiles")
    names = [name for name in dict.fromkeys(n for row in rows for n in row.cells()) if name not in hidden]
    return names, [[_cell(row.cells().get(name)) for name in names] for row in rows]


def _cell(value: object) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
