"""Zarr arrays and OME-Zarr images as the specification says, from their JSON and zarr-python."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zarr

from napari_s1omni.benchmarks.reading.seen import NotComparable, Seen, arrange, check_size

_WORDS = {"time": "t", "channel": "c", "channels": "c", "depth": "z"}


def read(path: Path) -> Seen:
    """Read level 0 of the first image of a group, or an array."""
    about = attributes(path)
    if not about.get("multiscales"):
        return _array(path)
    image = about["multiscales"][0]
    axes = image.get("axes")
    if not isinstance(axes, list) or not all(isinstance(a, dict) for a in axes):
        raise NotComparable("axes are not objects, as before 0.4")
    letters = _letters(axes)
    level = image["datasets"][0]
    array = _open(path / level["path"])
    scale, position = [1.0] * len(letters), [0.0] * len(letters)
    for step in (*level.get("coordinateTransformations", ()), *image.get("coordinateTransformations", ())):
        if step["type"] == "scale":
            scale = [s * f for s, f in zip(scale, step["scale"], strict=True)]
            position = [p * f for p, f in zip(position, step["scale"], strict=True)]
        elif step["type"] == "translation":
            position = [p + f for p, f in zip(position, step["translation"], strict=True)]
        elif step["type"] != "identity":
            raise NotComparable(f"a transformation of type {step['type']}")
    order, pixels, guessed = arrange(letters, array[...])
    space = [(i, a) for i, a in enumerate(letters) if a in order and a != "c"]
    names = _names(about)
    return Seen(
        "specification",
        order,
        pixels,
        {a: scale[i] for i, a in space},
        {a: None if axes[i].get("unit") is None else str(axes[i]["unit"]) for i, a in space},
        {a: position[i] for i, a in space},
        names if any(names) else (),
        guessed,
        len(about["multiscales"]),
    )


def attributes(path: Path) -> Mapping[str, Any]:
    """Return the OME-Zarr metadata of a group: that of 0.5 under ``ome``, or that of 0.4."""
    for name in ("zarr.json", ".zattrs"):
        if (path / name).is_file():
            found = json.loads((path / name).read_text(encoding="utf-8"))
            found = found.get("attributes", {}) if name == "zarr.json" else found
            return dict(found.get("ome", found))
    return {}


def _array(path: Path) -> Seen:
    array = _open(path)
    named = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    letters = _letters([{"name": n} for n in named]) if named and all(named) else "?" * array.ndim
    axes, pixels, guessed = arrange(letters, array[...])
    return Seen("zarr-python", axes, pixels, names=(), guessed=guessed and array.ndim > 2)


def _open(path: Path) -> Any:
    if not path.is_dir():
        raise NotComparable(f"{path} is missing")
    array = zarr.open_array(path, mode="r")
    check_size(array.shape, array.dtype)
    return array


def _letters(axes: list[dict[str, Any]]) -> str:
    """Return a letter per axis: its name, else its type, and the last axes of space are y and x."""
    found: list[str] = []
    for axis in axes:
        name, kind = str(axis.get("name", "")).lower(), axis.get("type")
        letter = name if name in tuple("tczyx") else _WORDS.get(name) or _WORDS.get(str(kind)) or ""
        if not letter and kind != "space":
            raise NotComparable(f"axis '{name}'")
        found.append(letter)
    for i in reversed(range(len(found))):
        found[i] = found[i] or next((a for a in "xyz" if a not in found), "?")
    return "".join(found)


def _names(about: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(c.get("label", "")) for c in (about.get("omero") or {}).get("channels", ()))
