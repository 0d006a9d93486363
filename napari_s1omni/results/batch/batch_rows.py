"""The rows of a batch, one per image, and reading them from its table."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from napari_s1omni.core.paths import is_url, settled_path
from napari_s1omni.errors import StoreError, StoreExists
from napari_s1omni.storage.listing.image_search import BATCH_TABLE

TABLE = BATCH_TABLE
"""File name in the output folder."""
State = Literal["done", "already done", "holes", "failed", "would run", "would fail"]


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
