"""What a folder of a Zarr store holds, from its metadata files alone, and which image it belongs to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from napari_s1omni.core.image_references import folder_of
from napari_s1omni.core.paths import local_path
from napari_s1omni.errors import JobError

ZarrFormat = Literal[2, 3]
"""Version of Zarr: 2 in OME-Zarr 0.4, 3 in OME-Zarr 0.5."""

_REMEDY = "leave 'into' out and set 'output'"


def zarr_format(folder: Path) -> ZarrFormat | None:
    """Return the version of Zarr of a group or array, or None; version 3 goes first, as in every reader."""
    if (folder / "zarr.json").is_file():
        return 3
    return 2 if any((folder / name).is_file() for name in (".zgroup", ".zattrs", ".zarray")) else None


def is_array(folder: Path) -> bool:
    """Whether a folder holds a Zarr array."""
    if zarr_format(folder) == 3:
        return read_json(folder / "zarr.json").get("node_type") == "array"
    return (folder / ".zarray").is_file()


def read_attributes(folder: Path) -> dict[str, Any]:
    """Return the attributes of the group or array in a folder; empty if there are none, or they are not JSON."""
    if zarr_format(folder) == 3:
        found = read_json(folder / "zarr.json").get("attributes")
        return found if isinstance(found, dict) else {}
    return read_json(folder / ".zattrs")


def read_ome(folder: Path) -> dict[str, Any]:
    """Return the OME-Zarr attributes of a group: under ``ome`` in 0.5, at the top in 0.4."""
    attributes = read_attributes(folder)
    inside = attributes.get("ome")
    return inside if isinstance(inside, dict) else attributes


def read_json(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file; empty if it is missing or holds something else."""
    try:
        found = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def image_of(uri: str) -> tuple[Path, str]:
    """Return the image group that a source belongs to, and which of its levels was named.

    Parameters
    ----------
    uri : str
        Path of an image, of a field of a plate, or of the array of a level; it may begin with ``file://``.

    Returns
    -------
    (Path, str)
        The folder of the image, and the path of the level inside; empty if the image itself was named.

    Raises
    ------
    JobError
        If it is a URL, something else than a Zarr group, or an array that is no level of an image.
    """
    remedy = "copy the image to this machine, or set 'output' to a folder of this machine instead"
    path = Path(folder_of(str(local_path(uri, "'into' with the source", remedy))))
    if not path.exists():
        return path, ""
    if zarr_format(path) is None:
        raise JobError(f"{path} is no OME-Zarr image", "labels go into an OME-Zarr image", _REMEDY)
    if not is_array(path):
        return path, ""
    for image in path.parents[:4]:
        level = path.relative_to(image).as_posix()
        if level in level_paths(image):
            return image, level
    raise JobError(
        f"{path} is an array that is no level of an OME-Zarr image, so it has no labels group",
        "labels go into an OME-Zarr image",
        _REMEDY,
    )


def level_paths(image: Path) -> list[str]:
    """Return the paths of the levels of an image, full resolution first; empty for anything else."""
    try:
        return [str(level["path"]) for level in read_ome(image)["multiscales"][0]["datasets"]]
    except (KeyError, IndexError, TypeError):
        return []
