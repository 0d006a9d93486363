"""The fields of an OME-Zarr plate that were imaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_SHOWN = 5
"""Number of wells or fields that a note names."""


@dataclass(frozen=True, slots=True)
class PlateFields:
    """What a plate holds."""

    paths: tuple[str, ...]
    """``ROW/COLUMN/FIELD`` of each field."""
    notes: tuple[str, ...] = ()
    """What is listed and was never imaged."""


def plate_fields(read: Callable[[str], Mapping[str, Any] | None]) -> PlateFields | None:
    """Find the fields of a plate; None if it is not a plate.

    Wells and fields that are listed but do not exist are left out, and a note counts them. Those whose metadata is
    damaged are kept, so that their error is reported.

    Parameters
    ----------
    read : callable
        Returns the OME attributes of a group by its path in the plate, None if there is no such group; a
        ``ValueError`` means that they are damaged.
    """
    try:
        plate = (read("") or {}).get("plate")
    except ValueError:
        return None
    if not isinstance(plate, Mapping):
        return None
    fields: list[str] = []
    never: list[str] = []
    missing: list[str] = []
    for well in dict.fromkeys(_wells(plate)):
        try:
            attributes = read(well)
        except ValueError:
            fields.append(f"{well}/0")
            continue
        listed = (attributes or {}).get("well", {}).get("images", [{"path": "0"}] if attributes is not None else [])
        names = dict.fromkeys(str(image.get("path", "0")) for image in listed if isinstance(image, Mapping))
        there = [name for name in names if _is_there(read, f"{well}/{name}")]
        fields += [f"{well}/{name}" for name in there]
        if there:
            missing += [f"{well}/{name}" for name in names if name not in there]
        else:
            never.append(well)
    notes = []
    if never:
        notes.append(f"wells that are listed but hold no image are skipped: {_counted(never)}")
    if missing:
        notes.append(f"fields that are listed but do not exist are skipped: {_counted(missing)}")
    return PlateFields(tuple(fields), tuple(notes))


def _wells(plate: Mapping[str, Any]) -> list[str]:
    """Return the paths of the wells, from their rows and columns where a path is missing."""
    rows, columns = (
        [str(item.get("name")) for item in plate.get(key) or [] if isinstance(item, Mapping)]
        for key in ("rows", "columns")
    )
    listed = plate.get("wells")
    if not isinstance(listed, list):
        return [f"{row}/{column}" for row in rows for column in columns]
    found = []
    for well in listed:
        if isinstance(well, Mapping) and well.get("path"):
            found.append(str(well["path"]).strip("/"))
        elif isinstance(well, Mapping):
            row, column = well.get("rowIndex"), well.get("columnIndex")
            if isinstance(row, int) and isinstance(column, int) and row < len(rows) and column < len(columns):
                found.append(f"{rows[row]}/{columns[column]}")
    return found


def _is_there(read: Callable[[str], Mapping[str, Any] | None], field: str) -> bool:
    try:
        return read(field) is not None
    except ValueError:
        return True


def _counted(names: list[str]) -> str:
    return f"{len(names)} ({', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''})"
