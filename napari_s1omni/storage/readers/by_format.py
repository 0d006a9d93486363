"""read_stored: from what the user gives to the reader that knows it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.raw_image import RawImage

_BY_SUFFIX = {
    ".npy": "napari_s1omni.storage.readers.array:read_npy",
    ".png": "napari_s1omni.storage.readers.picture:read_picture",
    ".jpg": "napari_s1omni.storage.readers.picture:read_picture",
    ".jpeg": "napari_s1omni.storage.readers.picture:read_picture",
    ".tif": "napari_s1omni.storage.readers.tiff:read_tiff",
    ".tiff": "napari_s1omni.storage.readers.tiff:read_tiff",
    ".btf": "napari_s1omni.storage.readers.tiff:read_tiff",
    ".nii": "napari_s1omni.storage.readers.nifti:read_nifti",
    ".nii.gz": "napari_s1omni.storage.readers.nifti:read_nifti",
}
"""Ending of a local file -> its reader, imported when the first such file is met."""

FILE_ENDINGS = tuple(_BY_SUFFIX)
"""Endings of the files that can be read."""


def read_raw(source: Any, *, level: int) -> RawImage:
    """Find the reader of `source` and let it look at the metadata; no pixels are read but those of PNG and JPEG.

    Raises
    ------
    SourceError
        If there is nothing at that place, or nothing that can be read.
    """
    if isinstance(source, Sequence) and not isinstance(source, str):
        return _reader("napari_s1omni.storage.readers.array:read_pyramid")(source, level)
    if not isinstance(source, str | os.PathLike):
        return _at_level(_reader("napari_s1omni.storage.readers.array:read_array")(source), level, "an array")
    uri = os.fspath(source)
    scheme, _, rest = uri.partition("://")
    if scheme == "synthetic" and rest:
        stored = _reader("napari_s1omni.storage.readers.synthetic:read_synthetic")(uri)
        return _at_level(stored, level, uri)
    if rest and scheme != "file":
        return _zarr(uri, level)
    path = Path(rest if scheme == "file" and rest else uri).expanduser().absolute()
    if path.is_dir() or _beside_store(path):
        return _zarr(str(path), level)
    if not path.exists():
        raise SourceError(f"there is nothing at {path}", remedy="check the path", path=str(path))
    reader = next((r for suffix, r in _BY_SUFFIX.items() if path.name.lower().endswith(suffix)), None)
    if reader is None:
        raise SourceError(
            f"{path} has an ending that is not known",
            f"a source is a file ending in {', '.join(_BY_SUFFIX)}, or the folder of a Zarr store",
            "convert it, for example to OME-TIFF or OME-Zarr",
            path=str(path),
        )
    try:
        return _at_level(_reader(reader)(path), level, str(path))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error}", remedy="check the file and its permissions") from error


def _beside_store(path: Path) -> bool:
    """Whether a missing path lies inside a Zarr store, whose reader can say what is there."""
    return not path.exists() and any(
        (parent / name).is_file() for parent in path.parents[:4] for name in ("zarr.json", ".zgroup", ".zattrs")
    )


def _zarr(uri: str, level: int) -> RawImage:
    return _reader("napari_s1omni.storage.readers.zarr_store:read_zarr")(uri, level)


def _at_level(stored: RawImage, level: int, name: str) -> RawImage:
    """Pick a level of what was read with all of its levels; its px are as much larger as there are fewer."""
    if not level:
        return stored
    if not 0 < level <= len(stored.coarser):
        has = f"it has the levels 0 to {len(stored.coarser)}" if stored.coarser else "it has no pyramid"
        raise SourceError(f"level {level} of {name}", has, "choose one of them, or leave the level out", level=level)
    pixels = stored.coarser[level - 1]
    fine, axes = stored.pixels.shape, stored.axes or ""
    larger = {a: n / m for a, n, m in zip(axes, fine, pixels.shape, strict=False) if a in "zyx"}
    return replace(
        stored,
        pixels=pixels,
        chunks=getattr(pixels, "chunks", stored.chunks),
        scale={**stored.scale, **{a: stored.scale.get(a, 1.0) * factor for a, factor in larger.items()}},
        coarser=stored.coarser[level:],
    )


def _reader(place: str) -> Callable[..., RawImage]:
    module, _, function = place.partition(":")
    found: Callable[..., RawImage] = getattr(importlib.import_module(module), function)
    return found
