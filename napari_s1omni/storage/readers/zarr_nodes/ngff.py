"""Read OME-Zarr (NGFF) 0.4 and 0.5 images: the array of a level and its place in the world."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import zarr
import zarr.errors

from napari_s1omni.core.pixel_frame import PixelFrame
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.raw_image import RawImage
from napari_s1omni.storage.readers.zarr_nodes.chunk_keys import StoredArray
from napari_s1omni.storage.readers.zarr_nodes.documents import RememberedStore, is_local
from napari_s1omni.storage.readers.zarr_nodes.ngff_levels import LevelGrid, Pyramid, contradiction
from napari_s1omni.storage.readers.zarr_nodes.ngff_metadata import Multiscale, channel_names, ome_attributes
from napari_s1omni.storage.readers.zarr_nodes.pixels import pixels_of

_COLOURS = [("red", "green", "blue"), ("Red", "Green", "Blue"), ("R", "G", "B"), ("r", "g", "b")]
"""Channel names that together make a colour picture."""


def read_ngff(group: Any, uri: str, level: int, index: int | None = None, *, listed: bool = False) -> RawImage:
    """Read the metadata of the image of a group.

    Parameters
    ----------
    group : zarr.Group
        Opened for reading.
    uri : str
        Path or URI of the group.
    level : int
        Pyramid level; 0 is full resolution.
    index : int, optional
        Number of the image, if the group has several; left out, the first is read.
    listed : bool
        Whether the group above lists this image among its labels.

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
    if isinstance(group.store, RememberedStore):
        notes.append(f"{uri} is described only by its consolidated metadata, which may be old")
    image = Multiscale.read(attributes, uri, notes, index)
    level = _checked_level(image, level)
    pyramid = Pyramid(group, image)
    chosen = pyramid.array(level)
    pyramid.image = image = image.with_letters(chosen.array.shape, notes)
    grid = pyramid.grid(level, notes)
    translate, frame = dict(grid.translate), None
    if level and (finest := _finest(pyramid, level, grid, notes)):
        frame = _frame(image.axes, level, finest, grid.scale, translate, notes)
    elif not level and not image.has_scale(0) and not image.has_scale(None):
        notes.append(f"{uri} gives no pixel size (no transformation of type scale)")
    array = chosen.array
    names, axes = channel_names(attributes, notes), image.axes
    if names in _COLOURS and array.dtype == np.uint8 and axes.count("c") == 1:
        axes = axes.replace("c", "s")
        notes.append("the channels are called red, green and blue and are read as the colours of one picture")
    kind = _kind(attributes, image, level, array, listed, notes)
    notes += [*_name_notes(image, chosen), *chosen.notes]
    # Labels are 0 where there is no object, and such chunks are often left out.
    if chosen.absent and (chosen.empty or kind == "image" or array.metadata.fill_value):
        notes.append(chosen.absent)
    return RawImage(
        pixels=pixels_of(chosen),
        axes=axes,
        chunks=tuple(array.chunks),
        scale=grid.scale,
        translate=translate if image.places(level) or frame else {},
        units=image.units,
        channel_names=names,
        kind=kind,
        coarser=tuple(pixels_of(stored) for stored in _coarser(pyramid, level, notes)),
        notes=tuple(notes),
        uri=uri,
        axis_names=image.labels,
        frame=frame,
    )


def _frame(
    axes: str,
    level: int,
    finest: LevelGrid,
    scale: Mapping[str, float],
    translate: dict[str, float],
    notes: list[str],
) -> PixelFrame:
    """Return where a level lies in full resolution; complete `translate` where the file places no level."""
    fine, origin = finest.scale, finest.translate
    space = [a for a in axes if a in "tzyx"]
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
    return PixelFrame.of_level(dict(zip(axes, finest.array.shape, strict=True)), step, shift)


def _checked_level(image: Multiscale, level: int) -> int:
    """Return the index of a level, counted from the end if negative; refuse one that does not exist."""
    count = len(image.datasets)
    if not -count <= level < count:
        raise SourceError(
            f"level {level} of {image.uri}", f"it has the levels 0 to {count - 1}", "choose one of them", level=level
        )
    return level % count


def _finest(pyramid: Pyramid, level: int, grid: LevelGrid, notes: list[str]) -> LevelGrid | None:
    """Return level 0, or None with a note if it cannot be read; refuse a level that contradicts it."""
    try:
        finest = pyramid.grid(0, notes)
    except SourceError as error:
        notes.append(f"level {level} is not compared with level 0, which cannot be read: {error.given}")
        return None
    reason = contradiction(pyramid.image.axes, finest, grid)
    if reason:
        raise SourceError(
            f"{pyramid.image.uri}, level {level} contradicts level 0: {reason}",
            "all levels show the same field of view with the same type",
            "correct the metadata, or open the array by its path and give axes and scale",
            level=level,
        )
    return finest


def _kind(
    attributes: Mapping[str, Any], image: Multiscale, level: int, array: Any, listed: bool, notes: list[str]
) -> Literal["image", "labels"]:
    """Return whether pixels are labels: the image says so, or the group above lists it among its labels."""
    integers = array.dtype.kind in "iub"
    if "image-label" not in attributes:
        if listed and not integers:
            notes.append(f"{image.uri} is listed among labels, but has type {array.dtype}; it is read as intensities")
        return "labels" if listed and integers else "image"
    if not integers:
        raise SourceError(
            f"{image.uri}, key image-label, whose array '{image.datasets[level]['path']}' has type {array.dtype}",
            "labels are integers",
            "write them as integers, or remove the key image-label if these are intensities",
        )
    return "labels"


def _name_notes(image: Multiscale, stored: StoredArray) -> list[str]:
    """Return a note if an array names its dimensions otherwise than the image."""
    array = stored.array
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) and name for name in names):
        return []
    if [name.casefold() for name in names] == [name.casefold() for name in image.names]:
        return []
    return [
        f"{stored.uri} names its dimensions {', '.join(names)}, but {image.key}.axes says {', '.join(image.names)}, "
        "which is read"
    ]


def _coarser(pyramid: Pyramid, level: int, notes: list[str]) -> list[StoredArray]:
    """Return the levels below `level`; a missing, empty or contradictory one is noted and left out."""
    found = []
    chosen = pyramid.array(level)
    for i in range(level + 1, len(pyramid.image.datasets)):
        said: list[str] = []
        try:
            stored = pyramid.array(i)
            reason = contradiction(pyramid.image.axes, pyramid.grid(level, []), pyramid.grid(i, said))
            if not reason and stored.empty and not chosen.empty:
                reason = stored.absent
        except SourceError as error:
            reason = error.given
        if reason:
            notes.append(f"level {i} is not used beside level {level}: {reason}")
        else:
            notes += [*said, *stored.notes]
            found.append(stored)
    return found


def _no_image(group: Any, uri: str, attributes: Mapping[str, Any]) -> SourceError:
    """Return an error that says what kind of group it is and which path inside may be an image."""
    known = (
        ("plate", "a plate of wells", _paths(attributes.get("plate"), "wells"), "/0"),
        ("well", "a well of fields", _paths(attributes.get("well"), "images"), ""),
        ("labels", "a list of label images", attributes.get("labels"), ""),
        ("bioformats2raw.layout", "a collection of images", _series(group), ""),
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


def _series(group: Any) -> list[str]:
    """Return the paths of the images of a collection: those that its group OME lists, else members with a number."""
    try:
        listed = ome_attributes(group["OME"]).get("series")
    except Exception:
        listed = None
    if isinstance(listed, list) and listed:
        return [str(name) for name in listed]
    numbered = [name for name in _members(group) if name.isdecimal()] if is_local(group.store) else []
    return numbered or ["0"]


def _members(group: Any) -> list[str]:
    with warnings.catch_warnings():
        # zarr warns about tables and other files beside the arrays.
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        try:
            return sorted(str(key) for key in group)[:8]
        except Exception:
            # One damaged member hides the others; the list only helps to choose.
            return []
