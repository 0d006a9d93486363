"""An OME-Zarr 0.5 plate of results: a screening file gives one field after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_s1omni.planning.zarr_folder import read_attributes, zarr_format
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.image_group.group_document import write_group
from napari_s1omni.storage.result.metadata import KEY
from napari_s1omni.system.locks import lock_folder

_OWN = {"kind": "plate of results"}
"""This package's attributes of a plate that it wrote."""
_VERSION = {"version": "0.5"}


def is_own_plate(folder: Path) -> bool:
    """Whether a folder is a plate of results of this package."""
    return read_attributes(folder).get(KEY) == _OWN


def add_field(plate: Path, row: str, column: str, field: str) -> None:
    """Add a finished field to the metadata of its well and plate, which are made where they are missing.

    Parameters
    ----------
    plate : Path
        Folder of the plate; the result lies in ``PLATE/ROW/COLUMN/FIELD``.
    row, column, field : str
        Names with letters and digits.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    well = plate / row / column
    with disk_errors("writing", plate), lock_folder(plate):
        if zarr_format(plate / row) is None:
            write_group(plate / row, {}, 3)
        images = read_attributes(well).get("ome", {}).get("well", {}).get("images", [])
        if {"path": field} not in images:
            listed = sorted([*(image["path"] for image in images), field])
            write_group(well, {"ome": {**_VERSION, "well": {"images": [{"path": path} for path in listed]}}}, 3)
        known = read_attributes(plate).get("ome", {}).get("plate", {})
        wells = {one["path"] for one in known.get("wells", ())}
        most = max(len(images) + 1, known.get("field_count", 0))
        if f"{row}/{column}" not in wells or most > known.get("field_count", 0):
            attributes = {**_VERSION, "plate": _plate(plate.stem, {*wells, f"{row}/{column}"}, most)}
            write_group(plate, {"ome": attributes, KEY: _OWN}, 3)


def _plate(name: str, wells: set[str], fields: int) -> dict[str, Any]:
    parts = [(row, column) for row, _, column in (path.partition("/") for path in wells)]
    rows = sorted({row for row, _ in parts}, key=lambda row: (len(row), row))
    columns = sorted({column for _, column in parts}, key=int)
    return {
        "name": name,
        "rows": [{"name": row} for row in rows],
        "columns": [{"name": column} for column in columns],
        "field_count": fields,
        "wells": [
            {"path": f"{row}/{column}", "rowIndex": rows.index(row), "columnIndex": columns.index(column)}
            for row, column in sorted(parts, key=lambda part: (rows.index(part[0]), int(part[1])))
        ],
    }
