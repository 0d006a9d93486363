"""Read TIFF and its kin through a memory map or tile by tile: OME, ImageJ, slide scanners, microscopes."""

from __future__ import annotations

import weakref
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from napari_s1omni.core.paths import join_reference
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.array import default_chunks
from napari_s1omni.storage.readers.mapped_file import MappedFile
from napari_s1omni.storage.readers.pixel_meaning.oriented_pixels import ORIENTATIONS, OrientedPixels, exchanges_axes
from napari_s1omni.storage.readers.raw_image import Pixels, RawImage, ZarrArrayPixels
from napari_s1omni.storage.readers.tiff_metadata.calibration import read_sizes
from napari_s1omni.storage.readers.tiff_metadata.colours import ColourReading, read_colours
from napari_s1omni.storage.readers.tiff_metadata.series import (
    check_complete,
    choose_series,
    noted_warnings,
    open_tiff,
    series_axes,
)
from napari_s1omni.storage.readers.tiff_metadata.stored_sizes import StoredSizes
from napari_s1omni.storage.writers.tiff import CREATOR


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


def read_tiff(path: Path | str, image: str | None = None, remote: Any = None) -> RawImage:
    """Read the metadata of one image of a TIFF.

    Parameters
    ----------
    path : Path or str
        Path, or URL if it is remote.
    image : str, optional
        Number, counted from 0, or name of the image; by default the main one.
    remote : binary file, optional
        The open file behind a URL; parts of it are read when pixels are.

    Raises
    ------
    SourceError
        If it is damaged, cut off, or holds no such image or no known colours.
    """
    notes: list[str] = []
    try:
        with ExitStack() as stack:
            if remote is not None:
                stack.callback(remote.close)
            with noted_warnings(notes) as warnings:
                tiff = open_tiff(path, notes, remote)
                stack.callback(tiff.close)
                series = choose_series(tiff, path, image, notes)
                check_complete(tiff, series, path, warnings)
                sizes = read_sizes(tiff, series, notes)
                sizes.translate = _position(tiff)
            axes = series_axes(series, notes)
            levels = _pixels(path, series, stack)
            page = series.keyframe
            imagej = bool(tiff.is_imagej)
            found = read_colours(page, levels, axes or series.axes.lower(), str(path), imagej=imagej)
            orientation = int(page.tags.valueof(274, 1))
            uri = join_reference(str(path), image)
            raw = _raw(found, None if axes is None else found.axes, sizes, orientation, notes, uri)
            other = found.otherwise
            return replace(raw, otherwise=_raw(other, None, sizes, orientation, notes, uri)) if other else raw
    except (SourceError, OSError):
        raise
    except Exception as error:
        raise SourceError(
            f"{path} cannot be read as TIFF: {error}", remedy=_codec_remedy(error), path=str(path)
        ) from error


def _raw(
    found: ColourReading, axes: str | None, sizes: StoredSizes, orientation: int, notes: list[str], uri: str
) -> RawImage:
    levels, scale, units = found.levels, sizes.scale, sizes.units
    notes = [*notes, *found.notes]
    if orientation in ORIENTATIONS:
        y, x = found.axes.index("y"), found.axes.index("x")
        levels = tuple(OrientedPixels(level, orientation, y, x) for level in levels)
        notes.append(f"the image is {ORIENTATIONS[orientation]}, as its tag Orientation says")
        if exchanges_axes(orientation):
            scale, units = _exchanged(scale), _exchanged(units)
    chunks = getattr(levels[0], "chunks", None) or default_chunks(levels[0].shape, found.axes)
    names, place = sizes.channel_names, sizes.translate
    return RawImage(
        levels[0],
        axes,
        chunks,
        scale,
        place,
        units,
        names,
        "image",
        levels[1:],
        tuple(notes),
        uri,
        acquisition=sizes.acquisition,
    )


def _exchanged(by_axis: dict[str, Any]) -> dict[str, Any]:
    names = {"x": "y", "y": "x"}
    return {names.get(axis, axis): value for axis, value in by_axis.items()}


def _pixels(path: Path | str, series: Any, stack: ExitStack) -> tuple[Pixels, ...]:
    """Return the levels, finest first. Arrays that are not mapped take over the open file from `stack`."""
    one_file = series.parent.filehandle.is_file and not series.is_multifile
    if series.dataoffset is not None and len(series.levels) == 1 and series.transform is None and one_file:
        dtype = series.dtype.newbyteorder(series.parent.byteorder)
        return (MappedFile.of(path, np.memmap(path, dtype, "r", series.dataoffset, series.shape)),)
    # Mapped files do without zarr, which takes most of the time of a short command to import.
    import zarr

    opened = zarr.open(series.aszarr(), mode="r")
    arrays = [opened] if isinstance(opened, zarr.Array) else [opened[str(i)] for i in range(len(series.levels))]
    file = _OpenFile(stack)
    return tuple(_TiledPixels(a, tuple(a.shape), np.dtype(a.dtype), tuple(a.chunks), path, file) for a in arrays)


def _position(tiff: Any) -> dict[str, float]:
    """Return the position of the first plane in a file that this package wrote; others state that of a stage."""
    if not tiff.is_ome or f'Creator="{CREATOR}' not in tiff.ome_metadata:
        return {}
    root = ElementTree.fromstring(tiff.ome_metadata)
    plane = next((e.attrib for e in root.iter() if e.tag.rpartition("}")[2] == "Plane"), {})
    return {a: float(plane[f"Position{a.upper()}"]) for a in "zyx" if f"Position{a.upper()}" in plane}


def _codec_remedy(error: Exception) -> str:
    if "imagecodecs" in str(error):
        return "install the decoder of this compression: pip install imagecodecs"
    return "open it in a viewer and save it again, for example as OME-TIFF"
