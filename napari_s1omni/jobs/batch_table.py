"""The table of a batch: one row per image, written as soon as the image is done."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from napari_s1omni.errors import StoreError

TABLE = "batch.csv"
"""File name in the output folder."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """The outcome of one image."""

    name: str
    source: str
    output: str
    state: Literal["done", "already done", "holes", "failed", "would run", "would fail"]
    seconds: float = 0.0
    tiles: int | None = None
    """Tiles of the plan."""
    objects: int | None = None
    """Number of objects, for labels."""
    holes: int | None = None
    """Number of failed tiles."""
    error: str = ""
    """Type and message of the error."""

    @property
    def ok(self) -> bool:
        """Whether there is a complete result, or would be."""
        return self.state in {"done", "already done", "would run"}


class BatchTable:
    """A CSV file that is complete after every row.

    Parameters
    ----------
    path : Path
        Replaced if it exists.

    Raises
    ------
    StoreError
        If it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with _write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", newline="", encoding="utf-8")
        self._write([field.name for field in dataclasses.fields(BatchRow)])

    def add(self, row: BatchRow) -> None:
        """Write a row."""
        self._write(["" if value is None else value for value in dataclasses.astuple(row)])

    def _write(self, cells: list[Any]) -> None:
        with _write_errors(self._path):
            csv.writer(self._file).writerow(cells)
            self._file.flush()

    def __enter__(self) -> BatchTable:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()


@contextlib.contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}", remedy="choose another folder") from error
