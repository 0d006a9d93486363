"""Read OME-Zarr (NGFF) 0.4 and 0.5 images: the array of a level and its place in the world."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import zarr
import zarr.errors

from napari_s1omni.core.pixel_frame import PixelFrame
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.ngff_metadata import Multiscale, channel_names, ome_attributes
from napari_s1omni.storage.readers.raw_image import Pixels, RawImage

_COLOURS = [("red", "green", "blue"), ("Red", "Green", "Blue"), ("R", "G", "B"), ("r", "g", "b")]
"""Channel names that together make a colour picture."""


def read_ngff(group: Any, uri: str, level: int, wrap_array: Callable[[Any, str], Pixels]) -> RawImage:
    """Read the metadata of the image of a group.

    Parameters
    ----------
    group : zarr.Group
        Opened for reading.
    uri : str
        Path or URI of the group.
    level : int
        Pyramid level; 0 is full resolution.
    wrap_array : callable
        Turns a zarr array and its URI into :class:`Pixels`.

    Raises
    ------
    SourceError
        If the group has no image, an unsupported version, or metadata that
        contradicts itself; the message names the key.
    """
    uri = uri.rstrip("/")
    attributes = ome_attributes(group)
    if "multiscales" not in attributes:
        raise _no_image(group, uri, attributes)
    notes: list[str] = []
    image = Multiscale.read(attributes, uri, notes)
    level = _checked_level(image, level)
    finest, chosen = (_array(group, image, i) for i in (0, level))
    scale, translate = image.transform(level)
    reason = _contradiction(image.axes, (finest, image.transform(0)[0]), (chosen, scale))
    if reason:
        raise SourceError(
            f"{uri}, level {level} contradicts level 0: {reason}",
            "all levels show the same field of view with the same type",
            "correct the metadata, or open the array by its path and give axes and scale",
            level=level,
        )
    frame = _frame(image, level, finest.shape, scale, translate, notes)
    names, axes = channel_names(attributes), image.axes
    if names in _COLOURS and chosen.dtype == np.uint8 and axes.count("c") == 1:
        axes = axes.replace("c", "s")
        notes.append("the channels are called red, green and blue and are read as the colours of one picture")
    return RawImage(
        pixels=wrap_array(chosen, _level_uri(image, level)),
        axes=axes,
        chunks=tuple(chosen.chunks),
        scale=scale,
        translate=translate if image.places(level) or frame else {},
        units=image.units,
        channel_names=names,
        kind=_kind(attributes, image, level, chosen),
        coarser=tuple(wrap_array(array, where) for array, where in _coarser(group, image, level, chosen, notes)),
        notes=tuple(notes),
        uri=uri,
        frame=frame,
    )


def _frame(
    image: Multiscale,
    level: int,
    shape: tuple[int, ...],
    scale: Mapping[str, float],
    translate: dict[str, float],
    notes: list[str],
) -> PixelFrame | None:
    """Return where a level lies in full resolution; complete `translate` where the file places no level."""
    if not level:
        return None
    fine, origin = image.transform(0)
    space = [a for a in image.axes if a in "tzyx"]
    step = {a: scale[a] / fine[a] for a in space}
    unplaced = [a for a in space if translate[a] == origin[a] and abs(step[a] - 1) > 1e-5]
    for a in unplaced:
        translate[a] = origin[a] + (step[a] - 1) / 2 * fine[a]
    if unplaced:
        notes.append(
            f"the file gives level {level} no position of its own along {', '.join(unplaced)}; it is taken to begin at "
            "the same outer corner as level 0"
        )
    shift = {a: (translate[a] - origin[a]) / fine[a] for a in space}
    return PixelFrame.of_level(dict(zip(image.axes, shape, strict=True)), step, shift)


def _checked_level(image: Multiscale, level: int) -> int:
    """Return the index of a level, counted from the end if negative; refuse one that does not exist."""
    count = len(image.datasets)
    if not -count <= level < count:
        raise SourceError(
            f"level {level} of {image.uri}", f"it has the levels 0 to {count - 1}", "choose one of them", level=level
        )
    return level % count


def _level_uri(image: Multiscale, level: int) -> str:
    return f"{image.uri}/{image.datasets[level]['path']}"


def _kind(attributes: Mapping[str, Any], image: Multiscale, level: int, array: Any) -> Literal["image", "labels"]:
    if "image-label" not in attributes:
        return "image"
    if array.dtype.kind not in "iub":
        raise SourceError(
            f"{image.uri}, key image-label, whose array '{image.datasets[level]['path']}' has type {array.dtype}",
            "labels are integers",
            "write them as integers, or remove the key image-label if these are intensities",
        )
    return "labels"


def _array(group: Any, image: Multiscale, level: int) -> Any:
    where = f"{image.uri}, key multiscales[0].datasets[{level}].path"
    path = image.datasets[level].get("path")
    if not isinstance(path, str):
        raise SourceError(f"{where}: {path!r}", "it is the path of an array", "write the metadata again")
    try:
        array = group[path]
    except KeyError as error:
        if not error.args or error.args[0] != path:
            raise _damaged(where, path, error) from error
        raise SourceError(
            f"{where}: '{path}' does not exist",
            "each level is an array",
            "copy the missing folder, or remove the level from the metadata",
        ) from None
    except (TypeError, ValueError) as error:
        raise _damaged(where, path, error) from error
    if not isinstance(array, zarr.Array):
        raise SourceError(f"{where}: '{path}' is a group", "each level is an array")
    if array.ndim != len(image.axes):
        raise SourceError(
            f"{where}: array '{path}' has {array.ndim} dimensions, shape {array.shape}, while multiscales[0].axes "
            f"names {len(image.axes)}",
            "there is one axis for each dimension",
            "correct the axes, or open the array by its path and give axes",
        )
    return array


def _damaged(where: str, path: str, error: Exception) -> SourceError:
    return SourceError(
        f"{where}: the metadata of array '{path}' cannot be understood ({type(error).__name__}: {error})",
        "it describes one array",
        "write its zarr.json or .zarray again",
    )


def _contradiction(axes: str, fine: tuple[Any, Mapping[str, float]], coarse: tuple[Any, Mapping[str, float]]) -> str:
    """Return why one level, an array and its scale, is not a coarser copy of another; empty if it is."""
    (fine_array, fine_scale), (array, scale) = fine, coarse
    if fine_array.dtype != array.dtype:
        return f"type {array.dtype} against {fine_array.dtype}"
    for axis, n, m in zip(axes, fine_array.shape, array.shape, strict=True):
        if m > n:
            return f"{m} px along {axis} against {n}"
        # Programs round half pixels up or down at each level, so extents may differ by two coarse pixels.
        if axis in "zyx" and abs(n * fine_scale[axis] - m * scale[axis]) > 2 * scale[axis] + 1e-6:
            return (
                f"along {axis}, {m} px of {scale[axis]:g} against {n} px of {fine_scale[axis]:g} "
                f"({m * scale[axis]:g} against {n * fine_scale[axis]:g})"
            )
    return ""


def _coarser(group: Any, image: Multiscale, level: int, chosen: Any, notes: list[str]) -> list[tuple[Any, str]]:
    """Return arrays and URIs of the levels below `level`; a missing or contradictory one is noted and left out."""
    found = []
    for i in range(level + 1, len(image.datasets)):
        try:
            array = _array(group, image, i)
            levels = (chosen, image.transform(level)[0]), (array, image.transform(i)[0])
            reason = _contradiction(image.axes, *levels)
        except SourceError as error:
            reason = error.given
        if reason:
            notes.append(f"level {i} is not used beside level {level}: {reason}")
        else:
            found.append((array, _level_uri(image, i)))
    return found


def _no_image(group: Any, uri: str, attributes: Mapping[str, Any]) -> SourceError:
    """Return an error that says what kind of group it is and which path inside may be an image."""
    known = (
        ("plate", "a plate of wells", _paths(attributes.get("plate"), "wells"), "/0"),
        ("well", "a well of fields", _paths(attributes.get("well"), "images"), ""),
        ("labels", "a list of label images", attributes.get("labels"), ""),
        ("bioformats2raw.layout", "a collection of images", ["0"], ""),
    )
    for key, what, inside, below in known:
        if key in attributes:
            names = [str(name) for name in inside] if isinstance(inside, list) else []
            return SourceError(
                f"{uri} is {what}: {', '.join(names[:8]) or 'none'}",
                "one image at a time is read",
                f"give a path such as {uri}/{names[0]}{below}" if names else "give the path of an image",
            )
    inside = _members(group) if "://" not in uri else []
    return SourceError(
        f"{uri} is a group without the key multiscales",
        "an image is a group of OME-Zarr 0.4 or 0.5, or an array",
        f"give the path of an image or array inside; it holds {', '.join(inside)}" if inside else "check the path",
    )


def _paths(item: Any, key: str) -> list[str]:
    """Return the paths of the wells of a plate or of the fields of a well, as far as they are given."""
    listed = item.get(key) if isinstance(item, dict) else None
    return [str(i["path"]) for i in listed if isinstance(i, dict) and "path" in i] if isinstance(listed, list) else []


def _members(group: Any) -> list[str]:
    with warnings.catch_warnings():
        # zarr warns about tables and other files beside the arrays.
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        return sorted(str(key) for key in group)[:8]
