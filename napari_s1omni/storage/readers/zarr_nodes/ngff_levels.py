"""The levels of an OME-Zarr image: their arrays, where their pixels lie, and whether they fit together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import zarr
import zarr.errors

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.files.remote import read_error
from napari_s1omni.storage.readers.zarr_nodes.chunk_keys import StoredArray, choose_version
from napari_s1omni.storage.readers.zarr_nodes.documents import open_remembered, open_versions
from napari_s1omni.storage.readers.zarr_nodes.ngff_metadata import Multiscale, level_path
from napari_s1omni.storage.readers.zarr_nodes.pixels import document_error


class LevelGrid(NamedTuple):
    """Where the pixels of a level lie."""

    array: Any
    scale: Mapping[str, float]
    translate: Mapping[str, float]


class Pyramid:
    """The levels of an image, each opened once."""

    def __init__(self, group: Any, image: Multiscale) -> None:
        self.image = image
        self._group = group
        self._arrays: dict[int, StoredArray] = {}

    def array(self, level: int) -> StoredArray:
        """Return the array of a level; refuse one that is missing or damaged."""
        if level not in self._arrays:
            self._arrays[level] = _array(self._group, self.image, level)
        return self._arrays[level]

    def grid(self, level: int, notes: list[str]) -> LevelGrid:
        """Return where a level lies; the pixel size of a level that gives none follows from its shape, with a note."""
        array = self.array(level).array
        scale, translate = self.image.transform(level)
        if level and not self.image.has_scale(level):
            finest, own = self.array(0).array, self.image.transform(0)[0]
            sizes = zip(self.image.axes, finest.shape, array.shape, strict=True)
            scale = {a: own[a] * n / max(1, m) if a in "zyx" else own[a] for a, n, m in sizes}
            notes.append(f"level {level} gives no pixel size; it is taken from its shape beside level 0")
        return LevelGrid(array, scale, translate)


def contradiction(axes: str, fine: LevelGrid, coarse: LevelGrid) -> str:
    """Return why one level is not a coarser copy of another; empty if it is."""
    if fine.array.dtype != coarse.array.dtype:
        return f"type {coarse.array.dtype} against {fine.array.dtype}"
    for axis, n, m in zip(axes, fine.array.shape, coarse.array.shape, strict=True):
        fine_scale, scale = fine.scale[axis], coarse.scale[axis]
        if m > n or (m < n and axis not in "zyx"):
            return f"{m} px along {axis} against {n}" + (", which makes it the finer one" if m > n else "")
        # Programs round half pixels up or down at each level, so extents may differ by two coarse pixels.
        if axis in "zyx" and abs(n * fine_scale - m * scale) > 2 * scale + 1e-6:
            return (
                f"along {axis}, {m} px of {scale:g} against {n} px of {fine_scale:g} "
                f"({m * scale:g} against {n * fine_scale:g})"
            )
        start, fine_start = coarse.translate[axis], fine.translate[axis]
        if axis in "zyx" and abs(start - fine_start) > 2 * scale + 1e-6:
            return f"along {axis}, it begins at {start:g} against {fine_start:g}"
    return ""


def _level_uri(image: Multiscale, level: int) -> str:
    return f"{image.uri}/{level_path(image.datasets[level])}"


def _array(group: Any, image: Multiscale, level: int) -> StoredArray:
    where = f"{image.uri}, key {image.key}.datasets[{level}].path"
    given, path = image.datasets[level].get("path"), level_path(image.datasets[level])
    if path is None:
        raise SourceError(f"{where}: {given!r}", "it is the path of an array", "write the metadata again")
    what, uri = f"array '{path}' ({where})", _level_uri(image, level)
    key, remembered = f"{group.path}/{path}".lstrip("/"), False
    try:
        try:
            versions = open_versions(group.store, key, group.metadata.zarr_format)
        except FileNotFoundError:
            versions, remembered = open_remembered(group.store, key, group.path), True
    except (FileNotFoundError, zarr.errors.ContainsArrayError):
        raise _no_level(where, path, image, level) from None
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, zarr.errors.BaseZarrError) as error:
        raise document_error(what, error) from error
    except Exception as error:
        raise read_error(uri, error) from error
    arrays = [node for node in versions if isinstance(node, zarr.Array)]
    if not arrays:
        raise SourceError(f"{where}: '{path}' is a group", "each level is an array")
    stored = choose_version(arrays, uri)
    if remembered and stored.empty:
        raise _no_level(where, path, image, level)
    if remembered:
        note = f"{uri} is described only by the consolidated metadata of {image.uri}, which may be old"
        stored = replace(stored, notes=(note, *stored.notes))
    array = stored.array
    if array.ndim != len(image.names):
        raise SourceError(
            f"{where}: array '{path}' has {array.ndim} dimensions, shape {array.shape}, while {image.key}.axes "
            f"names {len(image.names)}",
            "there is one axis for each dimension",
            "correct the axes, or open the array by its path and give axes",
        )
    return stored


def _no_level(where: str, path: str, image: Multiscale, level: int) -> SourceError:
    several = len(image.datasets) > 1
    return SourceError(
        f"{where}: '{path}' does not exist",
        "each level is an array",
        "copy the missing folder, "
        + ("read another level, " if several else "")
        + "or remove the level from the metadata",
        level=level,
    )
