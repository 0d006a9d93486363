"""The table of a batch: one row per image, in a file that is replaced as a whole, by one process at a time."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from napari_s1omni.core.paths import is_url, settled_path
from napari_s1omni.errors import StoreError, StoreExists, StoreLocked
from napari_s1omni.execution.run.state_files import read_state, write_state
from napari_s1omni.storage.files.disk import Disk, OnStep, disk_errors, no_step
from napari_s1omni.storage.files.part_file import part_file
from napari_s1omni.storage.listing.image_search import BATCH_TABLE
from napari_s1omni.system.locks import LocksMissing, LockTaken, check_unlocked, owner_lock

TABLE = BATCH_TABLE
"""File name in the output folder."""
LOCK = ".batch.lock"
"""File in the output folder that a running batch holds."""
PROGRESS = ".batch.json"
"""File in the output folder with the number of images of the last batch."""
State = Literal["done", "already done", "holes", "failed", "would run", "would fail"]
_EVERY = 0.2
"""Seconds between two looks at a lock that another batch holds."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """The outcome of one image."""

    name: str
    source: str
    output: str
    state: State
    seconds: float | None = 0.0
    """Time of the run; in a dry run its forecast, None if there is none."""
    tiles: int | None = None
    """Tiles of the plan."""
    objects: int | None = None
    """Number of objects, for labels."""
    holes: int | None = None
    """Number of failed tiles."""
    warnings: str = ""
    """What is unusual about image or result, separated by ``; ``."""
    error: str = ""
    """Type and message of the error."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Further columns: well and field of a plate, or the other columns of a list."""
    to_write: int | None = None
    """In a dry run, bytes that the run would write; not in the table."""

    @property
    def ok(self) -> bool:
        """Whether there is a complete result, or would be."""
        return self.state in {"done", "already done", "would run"}

    def cells(self) -> dict[str, Any]:
        """Return the row by column; None is an empty cell."""
        return {**{name: getattr(self, name) for name in COLUMNS}, **self.more}

    @classmethod
    def of_cells(cls, cells: Mapping[str, str]) -> BatchRow:
        """Return a row of a table that was written before, by this version or an earlier one."""
        numbers = {name: int(float(cells[name])) if cells.get(name) else None for name in ("tiles", "objects", "holes")}
        words = {name: cells.get(name) or "" for name in ("name", "source", "output", "warnings", "error")}
        state = cells.get("state", "")
        if state not in get_args(State):
            raise ValueError(f"state {state!r}")
        more = {name: text for name, text in cells.items() if name and name not in COLUMNS and text is not None}
        return cls(**words, **numbers, state=state, seconds=float(cells.get("seconds") or 0), more=more)  # type: ignore[arg-type]


COLUMNS = tuple(f.name for f in dataclasses.fields(BatchRow) if f.name not in ("more", "to_write"))
"""The columns of every table, in order; those of :attr:`BatchRow.more` follow."""


def is_batch(folder: Path | str) -> bool:
    """Whether a folder holds the table of a batch."""
    return (Path(folder) / TABLE).is_file()


def find_batch(where: Path | str) -> Path | None:
    """Return the folder of the batch that a path names: that folder, or a plate that holds the table of one batch."""
    text = str(where)
    if is_url(text):
        return None
    folder = Path(settled_path(text))
    if is_batch(folder):
        return folder
    found = [path.parent for path in folder.glob(f"tables/*/{TABLE}")]
    return found[0] if len(found) == 1 else None


def read_batch(folder: Path | str) -> list[BatchRow]:
    """Return the rows of the batch in a folder; none if there is no table.

    Raises
    ------
    StoreExists
        If its file is no table of a batch.
    """
    path = Path(folder) / TABLE
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            # An earlier version could leave a last row that was cut off.
            rows = [row for row in reader if None not in row.values()]
        return [BatchRow.of_cells(row) for row in rows]
    except FileNotFoundError:
        return []
    except (ValueError, csv.Error, UnicodeError) as error:
        raise StoreExists(
            f"{path} is no table of a batch ({error})",
            "a batch writes its table under this name",
            "move the file away, or choose another folder",
        ) from None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}", remedy="check its permissions") from error


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
        cells = [row.cells() for row in self.rows]
        columns = dict.fromkeys([*COLUMNS, *(name for row in cells for name in row)])
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(columns), restval="")
        writer.writeheader()
        writer.writerows(cells)
        with _write_errors(self._path):
            with part_file(self._path, overwrite=True) as part:
                self._disk.write(part, text.getvalue().encode())
                self._on_step("temp")
            self._disk.sync_folder(self._path.parent)
            self._on_step("renamed")


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
