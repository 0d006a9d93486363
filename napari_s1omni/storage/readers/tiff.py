"""Read TIFF, OME-TIFF and ImageJ TIFF through a memory map or tile by tile."""

from __future__ import annotations

import math
import weakref
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
import zarr

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.array import default_chunks
from napari_s1omni.storage.readers.raw_image import Pixels, RawImage, ZarrArrayPixels

_RESOLUTION_UNITS = {2: "inch", 3: "centimeter"}


class _OpenFile:
    """An open TIFF, closed when the last array that reads from it is deleted."""

    __slots__ = ("__weakref__",)

    def __init__(self, stack: ExitStack) -> None:
        weakref.finalize(self, stack.pop_all().close)


@dataclass(frozen=True, slots=True)
class _TiledPixels(ZarrArrayPixels):
    """One level of a TIFF that cannot be mapped; tiles are decoded when they are read."""

    path: Path | str
    """Path or URL, for messages."""
    file: _OpenFile
    """Kept open as long as this array lives."""

    def read_error(self, index: tuple[slice, ...], error: Exception) -> SourceError:
        """Return an error that names the file and the pixels."""
        shown = ", ".join(f"{part.start}:{part.stop}" for part in index)
        return SourceError(
            f"{self.path}, pixels [{shown}], cannot be decoded: {error}",
            remedy=_codec_remedy(error),
            path=str(self.path),
        )


def read_tiff(path: Path | str, remote: Any = None) -> RawImage:
    """Read the metadata of the first series of a TIFF.

    Parameters
    ----------
    path : Path or str
        Path, or URL if it is remote.
    remote : binary file, optional
        The open file behind a URL; parts of it are read when pixels are.
    """
    notes: list[str] = []
    try:
        with ExitStack() as stack:
            if remote is not None:
                stack.callback(remote.close)
            tiff = stack.enter_context(tifffile.TiffFile(path if remote is None else remote))
            if not tiff.series or math.prod(tiff.series[0].shape) == 0:
                raise SourceError(f"{path} holds no image", "a TIFF holds an image of at least 1 pixel", path=str(path))
            series = tiff.series[0]
            if len(tiff.series) > 1:
                notes.append(f"the first of {len(tiff.series)} image series is read")
            scale, units, names = _metadata(tiff, series, notes)
            axes = _axes(series, notes)
            pixels, coarser = _pixels(path, series, stack, remote is None)
    except (tifffile.TiffFileError, ValueError, TypeError, IndexError, KeyError, ElementTree.ParseError) as error:
        raise SourceError(f"{path} cannot be read as TIFF: {error}", remedy=_codec_remedy(error)) from error
    chunks = getattr(pixels, "chunks", None) or default_chunks(pixels.shape, axes or "")
    return RawImage(pixels, axes, chunks, scale, {}, units, names, "image", coarser, tuple(notes), str(path))


def _axes(series: Any, notes: list[str]) -> str | None:
    """Return the axis letters of a series; None for a stack of pages without axis metadata."""
    letters: str = series.axes.lower()
    if "s" in letters[:-1] and "c" not in letters and series.dtype != np.uint8:
        # Some programs write any three planes as colours.
        notes.append("colour samples in separate planes with more than 8 bits are read as channels")
        letters = letters.replace("s", "c")
    return None if set(letters) & set("q?i") else letters


def _pixels(path: Path | str, series: Any, stack: ExitStack, local: bool = True) -> tuple[Pixels, tuple[Pixels, ...]]:
    """Return the finest level and the coarser ones. Arrays that are not mapped take over the open file from `stack`."""
    if local and series.dataoffset is not None and len(series.levels) == 1:
        return tifffile.memmap(path, series=0, mode="r"), ()
    opened = zarr.open(series.aszarr(), mode="r")
    arrays = [opened] if isinstance(opened, zarr.Array) else [opened[str(i)] for i in range(len(series.levels))]
    file = _OpenFile(stack)
    levels = [_TiledPixels(a, tuple(a.shape), np.dtype(a.dtype), tuple(a.chunks), path, file) for a in arrays]
    return levels[0], tuple(levels[1:])


def _metadata(tiff: Any, series: Any, notes: list[str]) -> tuple[dict[str, float], dict[str, str], tuple[str, ...]]:
    """Return pixel size and unit per axis, and channel names."""
    if tiff.is_ome and tiff.ome_metadata:
        return _ome(tiff.ome_metadata)
    scale, units = _resolution(series)
    imagej = tiff.imagej_metadata or {}
    unit = str(imagej.get("unit", ""))
    if unit:
        units = dict.fromkeys(("y", "x"), unit)
    elif tiff.is_imagej:
        scale, units = {}, {}
    if "spacing" in imagej:
        if float(imagej["spacing"]) > 0:
            scale["z"] = float(imagej["spacing"])
            if unit:
                units["z"] = unit
        else:
            notes.append(f"ImageJ spacing {imagej['spacing']} along z is not above 0 and is ignored")
    if imagej.get("finterval"):
        scale["t"], units["t"] = float(imagej["finterval"]), str(imagej.get("tunit", "sec"))
    channels = series.shape[series.axes.index("C")] if "C" in series.axes else 1
    labels = tuple(str(label) for label in imagej.get("Labels", ()) or ())
    return scale, units, labels if len(labels) == channels else ()


def _resolution(series: Any) -> tuple[dict[str, float], dict[str, str]]:
    """Return the pixel size from the resolution tags; 72 and 96 dots per inch are common stand-ins for unknown."""
    tags = series.pages[0].tags if series.pages else {}
    unit = _RESOLUTION_UNITS.get(int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 2)
    scale: dict[str, float] = {}
    for axis, name in (("y", "YResolution"), ("x", "XResolution")):
        if name in tags:
            dots, per = tags[name].value
            if dots and per:
                scale[axis] = per / dots
    if unit == "inch" and all(round(1 / s) in (1, 72, 96, 100, 150, 300, 600) for s in scale.values()):
        return {}, {}
    return scale, dict.fromkeys(scale, unit) if unit else {}


def _ome(text: str) -> tuple[dict[str, float], dict[str, str], tuple[str, ...]]:
    """Return pixel size, units and channel names of the first image of an OME-XML."""
    root = ElementTree.fromstring(text)
    found = next((e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels"), None)
    if found is None:
        return {}, {}, ()
    scale, units = {}, {}
    for axis, key, default in (
        ("z", "PhysicalSizeZ", "µm"),
        ("y", "PhysicalSizeY", "µm"),
        ("x", "PhysicalSizeX", "µm"),
        ("t", "TimeIncrement", "s"),
    ):
        if key in found.attrib:
            scale[axis] = float(found.attrib[key])
            units[axis] = found.attrib.get(f"{key}Unit", default)
    channels = [e for e in found if e.tag.rpartition("}")[2] == "Channel"]
    names = tuple(e.attrib.get("Name", "") for e in channels)
    return scale, units, names if all(names) else ()


def _codec_remedy(error: Exception) -> str:
    if "imagecodecs" in str(error):
        return "install the decoder of this compression: pip install imagecodecs"
    return "open it in a viewer and save it again, for example as OME-TIFF"
