"""Lists of images as Excel, LibreOffice and people write them: CSV in every dialect, or one path a line."""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.files.remote import local_copy

LIST_ENDINGS = (".csv", ".tsv", ".txt")
"""Endings of lists of images."""
SOURCE = "source"
"""The column with the path or URL of each image."""
_SEPARATORS = ",;\t|"
_DECIMAL_COMMA = re.compile(r"([+-]?\d+),(\d+)(\s*[^\W\d_]+[²³23]?)?")


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One row of a list."""

    number: int
    """Its number among the rows that are not empty, from 1."""
    source: str
    """Path or URL as it is written there."""
    changes: dict[str, str]
    """The other cells that are not empty, by the name of their column."""


@dataclass(frozen=True, slots=True)
class ImageList:
    """What a list of images holds."""

    rows: list[ListedImage]
    columns: list[str]
    """Names of the columns besides ``source``, in small letters."""
    notes: list[str]
    """What was skipped or adjusted, one sentence each."""


def read_image_list(path: str | os.PathLike[str], is_image: Callable[[str], bool]) -> ImageList:
    """Read a list of images.

    With a column ``source``, the others are settings of a job or facts about the image. Without a header, each line is
    one path.

    Parameters
    ----------
    path : str or Path
        Path or URL of the list: comma, semicolon, tab or ``|`` between cells, UTF-8, UTF-16 or Windows-1252.
    is_image : callable
        Whether a text names an image, which tells a list without a header from one with a wrong header.

    Raises
    ------
    SourceError
        If it cannot be read, or a row holds more than the header names.
    """
    notes: list[str] = []
    lines = _lines(path, notes)
    while lines and _is_empty(lines[0]):
        del lines[0]
    header, separator = _header(lines)
    if header is None:
        return ImageList(_plain(path, [line for line in lines if not _is_empty(line)], is_image, notes), [], notes)
    for name, count in Counter(name for name in header if name).items():
        if count > 1:
            raise SourceError(f"{path} has {count} columns '{name}'", "each column has its own name", "remove one")
    found: list[ListedImage] = []
    empty = 0
    # Quoted cells may hold line breaks.
    for cells in csv.reader(io.StringIO("\n".join(lines[1:])), delimiter=separator, skipinitialspace=True):
        row = [cell.strip() for cell in cells]
        if not any(row):
            empty += bool(row)
            continue
        found.append(_row(path, len(found) + 1, header, row, notes))
    if separator != ",":
        found = [_with_points(item, notes) for item in found]
    if empty:
        notes.append(f"{empty} empty rows of {path} are skipped")
    return ImageList(_once(found, notes), [name for name in header if name and name != SOURCE], notes)


def _lines(path: str | os.PathLike[str], notes: list[str]) -> list[str]:
    try:
        data = local_copy(path).read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: {error}", remedy="give a readable list of images") from None
    text = _decoded(data, path, notes).replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    # Excel reads and writes this line to name the separator.
    return lines[1:] if re.fullmatch(r"sep=.?", lines[0].strip(), re.IGNORECASE) else lines


def _is_empty(line: str) -> bool:
    return not line.strip(f" \"'{_SEPARATORS}")


def _decoded(data: bytes, path: str | os.PathLike[str], notes: list[str]) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif len(data) > 1 and 0 in data[:2]:
        encoding = "utf-16-be" if data[0] == 0 else "utf-16-le"
    else:
        encoding = "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8-sig":
            raise SourceError(f"{path} is no text", "a list of images is text", "save it as CSV") from None
        text = data.decode("cp1252", errors="replace")
        notes.append(f"{path} is not UTF-8 and is read as Windows-1252")
    if "\0" in text or data.startswith(b"PK\3\4"):
        raise SourceError(f"{path} is no text", "a list of images is text", "save it as CSV")
    return text


def _header(lines: Sequence[str]) -> tuple[list[str] | None, str]:
    """Return the names of the columns and the separator; None without a column ``source``."""
    if lines:
        for separator in sorted(_SEPARATORS, key=lambda s: -lines[0].count(s)):
            names = [
                n.strip().strip("\"'").strip().casefold() for n in next(csv.reader([lines[0]], delimiter=separator))
            ]
            if SOURCE in names:
                return names, separator
    return None, ","


def _row(
    path: str | os.PathLike[str], number: int, header: Sequence[str], row: Sequence[str], notes: list[str]
) -> ListedImage:
    if any(row[len(header) :]):
        raise SourceError(
            f"row {number} of {path} has {len(row)} cells, its header {len(header)}",
            "each cell belongs to a column",
            "put a text with separators in quotes, or name the column",
        )
    cells = dict(zip(header, row, strict=False))
    nameless = sum(bool(cell) for name, cell in zip(header, row, strict=False) if not name)
    if nameless and (note := f"columns of {path} without a name are left out") not in notes:
        notes.append(note)
    source = cells.pop(SOURCE, "")
    if not source:
        raise SourceError(f"row {number} of {path} has no source", "the column 'source' holds a path or URL")
    return ListedImage(number, source, {name: cell for name, cell in cells.items() if name and cell})


def _plain(
    path: str | os.PathLike[str], lines: Sequence[str], is_image: Callable[[str], bool], notes: list[str]
) -> list[ListedImage]:
    """Return the images of a list without a header: one path a line, which may hold separators itself."""
    found: list[ListedImage] = []
    for number, line in enumerate(lines, 1):
        text = line.strip().strip("\"'").strip()
        first = text if is_image(text) else text.rstrip(_SEPARATORS + " ").strip("\"'")
        if not is_image(first):
            if text.startswith("#"):
                notes.append(f"line '{text[:40]}' of {path} is a comment")
                continue
            if not found:
                raise SourceError(
                    f"{path} has no column 'source'", "each row has the path or URL of one image", "add the column"
                )
            raise SourceError(
                f"line {number} of {path}, '{text[:80]}', names no image",
                "without a header, each line is the path or URL of one image",
                "correct the line, or add a header with the column 'source'",
            )
        found.append(ListedImage(number, first, {}))
    return _once(found, notes)


def _with_points(item: ListedImage, notes: list[str]) -> ListedImage:
    """Write numbers with a decimal point, where the separator is not the comma."""
    changes = dict(item.changes)
    for name, cell in changes.items():
        if (number := _DECIMAL_COMMA.fullmatch(cell)) and name not in ("operation.prompt", "name"):
            changes[name] = f"{number[1]}.{number[2]}{number[3] or ''}"
            notes.append(f"{name} {cell} in row {item.number} is read as {changes[name]}")
    return ListedImage(item.number, item.source, changes)


def _once(found: Sequence[ListedImage], notes: list[str]) -> list[ListedImage]:
    """Leave out rows that are written twice."""
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    kept = []
    for item in found:
        key = (item.source, tuple(sorted(item.changes.items())))
        if key not in seen:
            kept.append(item)
            seen.add(key)
    if len(kept) < len(found):
        notes.append(f"{len(found) - len(kept)} rows are written twice and run once")
    return kept
