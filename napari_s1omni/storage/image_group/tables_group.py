"""List a table in the ``tables`` group of an OME-Zarr image or plate, as ngio and Fractal read it.

Source: https://biovisioncenter.github.io/ngio/stable/table_specs/overview/, backend CSV.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_s1omni.planning.zarr_folder import read_attributes, zarr_format
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.image_group.consolidated_metadata import refresh_consolidated
from napari_s1omni.storage.image_group.group_document import replace_document, write_group
from napari_s1omni.system.locks import lock_folder

TABLES = "tables"
TABLE_FILE = "table.csv"
"""Name of the file in the group of a table."""


def table_folder(group: Path, name: str) -> Path:
    """Return the folder of a table of an image or plate, made where it is missing."""
    folder = group / TABLES / name
    with disk_errors("writing", folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def register_table(group: Path, name: str, labels: str | None = None) -> None:
    """Describe a table that lies in :func:`table_folder`; add it to the list of tables and to consolidated metadata.

    Parameters
    ----------
    group : Path
        The OME-Zarr image or plate.
    name : str
    labels : str, optional
        Name of the labels in this image whose objects the table holds; without it, the table is of any kind.
    """
    version = zarr_format(group) or 3
    kind: dict[str, Any] = {"type": "generic_table"}
    if labels is not None:
        kind = {
            "type": "feature_table",
            "region": {"path": f"../labels/{labels}"},
            "instance_key": "label",
            "index_key": "label",
            "index_type": "int",
        }
    folder = group / TABLES
    write_group(folder / name, {**kind, "table_version": "1", "backend": "csv"}, version)
    # Two batches may add their tables at once.
    with disk_errors("locking", folder), lock_folder(folder):
        attributes = read_attributes(folder)
        listed = attributes.get(TABLES)
        names = listed if isinstance(listed, list) else []
        if name not in names or zarr_format(folder) is None:
            write_group(folder, {**attributes, TABLES: [*dict.fromkeys([*names, name])]}, version)
    refresh_consolidated(folder / name, replace_document)
