"""Files of benchmarks and of answers: tables with base64 images, JSON, JSON Lines."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.questions.item import Item, LoadImage

MISSING = frozenset(
    "|#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null".split("|")
)
"""Cells that pandas, by which published programs read tables, takes for missing: such an option is not shown."""
_IMAGE = "image"
_IDS = ("id", "index", "question_id")
_REPLIES = ("response", "prediction", "answer", "text")


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table: its cells without images, which may be gigabytes in all, and its place in the file."""

    cells: Mapping[str, str]
    images: int
    """Images of the row."""
    where: str
    _path: Path
    _names: tuple[str, ...]
    _offset: int

    def image(self, number: int) -> LoadImage:
        """Return what reads an image of the row from the file."""

        def load() -> NDArray[np.uint8]:
            try:
                with self._path.open("rb") as file:
                    file.seek(self._offset)
                    cells = next(csv.reader(_decoded(file), dialect="excel-tab"))
            except (OSError, UnicodeDecodeError, csv.Error, StopIteration) as error:
                raise SourceError(f"{self.where} cannot be read any more: {error}") from None
            text = dict(zip(self._names, cells, strict=False)).get(_IMAGE, "")
            return decoded_image(_listed_images(text)[number], self.where)

        return load


def read_table(path: Path) -> Iterator[TableRow]:
    """Yield the rows of a tab-separated table with images in base64; missing cells are left out.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    csv.field_size_limit(sys.maxsize)
    try:
        with path.open("rb") as file:
            offsets: list[int] = []
            reader = csv.reader(_decoded(file, offsets), dialect="excel-tab")
            names = tuple(next(reader, ()))
            offsets.clear()
            for number, cells in enumerate(reader):
                # A cell may have line breaks: the row begins at the first of its lines.
                offset = offsets[0]
                offsets.clear()
                row = {n: c for n, c in zip(names, cells, strict=False) if c not in MISSING}
                where = f"question {row.get('index', number)} of {path}"
                images = len(_listed_images(row.pop(_IMAGE, "")))
                yield TableRow(row, images, where, path, names, offset)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read as a table: {error}", "a tab-separated table in UTF-8") from error


def _decoded(file: BinaryIO, offsets: list[int] | None = None) -> Iterator[str]:
    """Yield the lines of a file, and note where each begins."""
    offset = file.tell()
    for line in file:
        if offsets is not None:
            offsets.append(offset)
        offset += len(line)
        yield line.decode("utf-8-sig" if offset == len(line) else "utf-8")


def _listed_images(text: str) -> list[str]:
    """Return the images of a cell: one, or a list of them as Python writes it."""
    if text.lstrip().startswith("["):
        return [part for part in re.split(r"[\[\]'\",\s]+", text) if part]
    return [text] if text else []


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a JSON list, of JSON Lines, or of a tab-separated table.

    Raises
    ------
    SourceError
        If the file holds something else.
    """
    if path.suffix == ".tsv":
        return [dict(row.cells) for row in read_table(path)]
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".jsonl" or not text.lstrip().startswith("["):
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            rows = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path} cannot be read: {error}", "JSON, JSON Lines or a .tsv table") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SourceError(f"{path} holds no objects", "one JSON object for each question")
    return rows


def read_answers(path: Path, items: Sequence[Item]) -> dict[str, str]:
    """Return the answers of a file by the id of their question.

    Parameters
    ----------
    path : Path
        Rows with ``id`` (or ``index``, ``question_id``) and ``response`` (or ``prediction``, ``answer``, ``text``).
    items : sequence of Item
        The questions.

    Raises
    ------
    SourceError
        If a row is no answer, a question has two answers, or an answer no question.
    """
    found: dict[str, str] = {}
    failed: set[str] = set()
    for number, row in enumerate(read_rows(path), 1):
        key = next((name for name in _IDS if name in row), None)
        reply = next((name for name in _REPLIES if name in row), None)
        if key is None or reply is None:
            raise SourceError(
                f"row {number} of {path} has {', '.join(row) or 'nothing'}",
                f"one of {', '.join(_IDS)} and one of {', '.join(_REPLIES)}",
            )
        name = str(row[key])
        if name in found and name not in failed:
            raise SourceError(f"{path} answers question {name} twice", "one answer for each question", "remove one")
        # A question whose call failed is asked again by the same command.
        (failed.add if row.get("error") else failed.discard)(name)
        found[name] = "" if row[reply] is None else str(row[reply])
    unknown = sorted(found.keys() - {item.id for item in items})
    if unknown:
        shown = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        raise SourceError(
            f"{path} answers {len(unknown)} questions that this set does not have: {shown}",
            "answers to its questions",
            "name the set that was asked",
        )
    if not found:
        raise SourceError(f"{path} holds no answer", "one row for each question")
    return found


def required(row: Mapping[str, Any], names: Iterable[str], where: str) -> list[Any]:
    """Return some fields of a row.

    Raises
    ------
    SourceError
        If it lacks one.
    """
    lacking = [name for name in names if row.get(name) is None]
    if lacking:
        raise SourceError(f"{where} lacks {', '.join(lacking)}", f"it has {', '.join(map(str, row))}")
    return [row[name] for name in names]


def encoded_image(text: str, where: str) -> LoadImage:
    """Return what decodes a base64 image."""
    return lambda: decoded_image(text, where)


def decoded_image(text: str, where: str) -> NDArray[np.uint8]:
    """Return a base64 image as uint8 (height, width, 3).

    Raises
    ------
    SourceError
        If it is none.
    """
    try:
        data = base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError) as error:
        raise SourceError(f"the image of {where} is no base64: {error}") from None
    return _pixels(io.BytesIO(data), where)


def image_file(path: Path) -> LoadImage:
    """Return what reads an image file."""
    return lambda: _pixels(path, str(path))


def _pixels(file: Any, where: str) -> NDArray[np.uint8]:
    try:
        with Image.open(file) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise SourceError(f"the image of {where} cannot be read: {error}") from None
