"""The table of a batch: one row per image, in a file that is replaced as a whole, by one process at a time."""

from __future__ import annotations

import contextlib
import csv
import io
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_s1omni.errors import StoreError, StoreExists, StoreLocked
from napari_s1omni.execution.run.state_files import read_state, write_state
from napari_s1omni.results.batch.batch_rows import COLUMNS, TABLE, BatchRow, read_batch
from napari_s1omni.storage.files.disk import Disk, OnStep, disk_errors, no_step
from napari_s1omni.storage.files.part_file import part_file
from napari_s1omni.system.locks import LocksMissing, LockTaken, check_unlocked, owner_lock

LOCK = ".batch.lock"
"""File in the output folder that a running batch holds."""
PROGRESS = ".batch.json"
"""File in the output folder with the number of images of the last batch."""
_EVERY = 0.2
"""Seconds between two looks at a lock that another batch holds."""


def batch_at_work(folder: Path | str) -> str:
    """Return who runs a batch in a folder now, such as ``process 17 of anna on node3``; empty if nobody does."""
    lock = Path(folder) / LOCK
    try:
        check_unlocked(lock)
    except LockTaken as taken:
        return describe_holder(taken.holder)
    except (LocksMissing, OSError):
        pass
    return ""


def describe_holder(holder: Mapping[str, Any]) -> str:
    """Return the holder of a lock in words."""
    of = f" of {holder['user']}" if holder.get("user") else ""
    return f"process {holder.get('pid', '?')}{of} on {holder.get('host', 'this machine')}"


def images_of_batch(folder: Path | str) -> int:
    """Return the number of images of the batch that runs, or last ran, in a folder; 0 if that is not known."""
    return int(read_state(Path(folder) / PROGRESS).get("images", 0))


@contextlib.contextmanager
def open_batch(
    folder: Path,
    images: int,
    *,
    durable: bool = True,
    on_wait: Callable[[str], None] | None = None,
    on_step: OnStep = no_step,
) -> Iterator[BatchTable]:
    """Lock the folder of a batch for the duration of a ``with`` block, and open its table.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    images : int
        Number of images of this batch.
    durable : bool
        Whether to fsync each row.
    on_wait : callable, optional
        Called once with who runs another batch there; then its end is awaited. If it is None, that is an error.
    on_step : callable
        Called with ``temp`` and ``renamed`` at each write of the table.

    Raises
    ------
    StoreLocked
        If another batch runs there, and it is not awaited.
    StoreError, DiskFull
        If the folder cannot be written or locked.
    """
    path = folder / TABLE
    with _write_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder, on_wait):
        for left in folder.glob(f".{TABLE}.*.part"):
            # Of a process that was killed while it wrote.
            left.unlink(missing_ok=True)
        table = BatchTable(path, read_batch(folder), Disk(durable), on_step)
        with contextlib.suppress(OSError):
            write_state(folder / PROGRESS, {"images": images})
        yield table


class BatchTable:
    """A CSV file that always holds every finished image; made by :func:`open_batch`.

    Rows of earlier batches stay until their image is run again.

    Parameters
    ----------
    path : Path
    rows : iterable of BatchRow
        The rows so far.
    disk : Disk
    on_step : callable
    """

    def __init__(self, path: Path, rows: Iterable[BatchRow], disk: Disk, on_step: OnStep) -> None:
        self._path, self._disk, self._on_step = path, disk, on_step
        self._rows = {row.name: row for row in rows}
        self._order: dict[str, int] = {}
        self._columns = list(COLUMNS)
        self._lines: dict[str, tuple[BatchRow, str]] = {}
        # What cannot be written is known before the first image is begun.
        self._write()

    @property
    def rows(self) -> list[BatchRow]:
        """The images of this batch in their order, then those of earlier ones."""
        return sorted(self._rows.values(), key=lambda row: self._order.get(row.name, len(self._order)))

    def get(self, name: str) -> BatchRow | None:
        """Return the row of an image."""
        return self._rows.get(name)

    def expect(self, names: Iterable[str]) -> None:
        """Set the order of the rows of this batch."""
        self._order = {name: number for number, name in enumerate(names)}

    def add(self, *rows: BatchRow) -> None:
        """Write rows, each in the place of the earlier one of its image."""
        self._rows |= {row.name: row for row in rows}
        self._write()

    def _write(self) -> None:
        rows = self.rows
        if more := dict.fromkeys(name for row in rows for name in row.more if name not in self._columns):
            self._columns = [*self._columns, *more]
            self._lines.clear()
        lines = [self._line(row) for row in rows]
        text = "".join([_csv_line(self._columns), *lines])
        with _write_errors(self._path):
            with part_file(self._path, overwrite=True) as part:
                self._disk.write(part, text.encode())
                self._on_step("temp")
            self._disk.sync_folder(self._path.parent)
            self._on_step("renamed")

    def _line(self, row: BatchRow) -> str:
        """Return the line of a row; of thousands of rows, only one changes at a time."""
        known = self._lines.get(row.name)
        if known is None or known[0] is not row:
            cells = row.cells()
            known = self._lines[row.name] = (row, _csv_line([cells.get(name) for name in self._columns]))
        return known[1]


def _csv_line(cells: Sequence[Any]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue()


@contextlib.contextmanager
def _locked(folder: Path, on_wait: Callable[[str], None] | None) -> Iterator[None]:
    waits = False
    with contextlib.ExitStack() as stack:
        while True:
            try:
                with _write_errors(folder / TABLE):
                    stack.enter_context(owner_lock(folder / LOCK))
                break
            except LockTaken as taken:
                who = describe_holder(taken.holder)
                if on_wait is None:
                    raise StoreLocked(
                        f"a batch runs in {folder} already: {who}",
                        remedy="wait for it, or choose another folder",
                        path=str(folder),
                        **taken.holder,
                    ) from None
                if not waits:
                    on_wait(who)
                waits = True
                time.sleep(_EVERY)
            except LocksMissing as error:
                raise StoreError(
                    f"{folder} cannot be locked: {error}", remedy="choose a folder whose file system has locks"
                ) from error
        yield


@contextlib.contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    try:
        with disk_errors("writing", path):
            yield
    except StoreExists:
        raise
    except StoreError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        reason = error.__cause__.strerror or error.__cause__
        raise StoreError(f"{path} cannot be written: {reason}", remedy="choose another folder") from error
