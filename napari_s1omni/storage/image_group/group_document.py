"""Write the metadata of a Zarr group of version 2 or 3."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_s1omni.planning.zarr_folder import ZarrFormat
from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.files.fsync_store import FsyncStore
from napari_s1omni.storage.files.part_file import part_file

_V2 = {"zarr_format": 2}


def put_group(store: FsyncStore, attributes: Mapping[str, Any], version: ZarrFormat, folder: str = "") -> None:
    """Write the metadata of a group; the file with the attributes comes last and replaces the earlier one at once.

    Parameters
    ----------
    store : FsyncStore
    attributes : mapping
    version : int
        Version of Zarr.
    folder : str
        Folder of the group, from the root of the store, with a ``/`` at its end; empty for the root.
    """
    if version == 3:
        document = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        store.put(f"{folder}zarr.json", dump_json(document))
        return
    store.put(f"{folder}.zgroup", dump_json(_V2))
    store.put(f"{folder}.zattrs", dump_json(attributes))


def write_group(folder: Path, attributes: Mapping[str, Any], version: ZarrFormat) -> None:
    """Write the metadata of a group that no run writes at the same time; the caller holds its lock."""
    if version == 3:
        _write(folder / "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": attributes})
        return
    _write(folder / ".zgroup", _V2)
    _write(folder / ".zattrs", attributes)


def ome_attributes(ome: Mapping[str, Any], version: ZarrFormat) -> dict[str, Any]:
    """Return OME-Zarr 0.5 metadata as attributes of a group, in the form of 0.4 for Zarr v2."""
    if version == 3:
        return {"ome": dict(ome)}
    old = {key: value for key, value in ome.items() if key != "version"}
    if "multiscales" in old:
        old["multiscales"] = [{"version": "0.4", **image} for image in old["multiscales"]]
    if "image-label" in old:
        old["image-label"] = {"version": "0.4", **old["image-label"]}
    return old


def dump_json(document: Mapping[str, Any]) -> bytes:
    """Return a metadata document as bytes."""
    return json.dumps(document, indent=2).encode()


def replace_document(path: Path, data: bytes) -> None:
    """Write a metadata document under its name at once; the caller holds its lock."""
    with part_file(path, overwrite=True) as part:
        Disk(durable=False).write(part, data)


def _write(path: Path, document: Mapping[str, Any]) -> None:
    replace_document(path, dump_json(document))
