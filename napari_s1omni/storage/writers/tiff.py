"""Write a layer as OME-TIFF with its pyramid, tile by tile, in bounded memory."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_s1omni.core.acquisition import Acquisition
from napari_s1omni.core.sizes.lengths import METRES, SYMBOLS
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.files.part_file import part_file
from napari_s1omni.storage.writers.label_type import smallest_type

_TILE = 512
"""Edge of a stored tile in pixels."""
_BIGTIFF_BYTES = 3 * 10**9
"""Layers with more uncompressed bytes than this use 64-bit offsets; the coarser levels add a third."""
_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
CREATOR = "napari_s1omni"
"""Names this package in the OME-XML; in files of others, the position of a plane is that of a microscope stage."""
_SYMBOLS = {
    **SYMBOLS,
    "second": "s",
    "millisecond": "ms",
    "microsecond": "µs",
    "minute": "min",
    "hour": "h",
    "day": "d",
}


def write_tiff(
    path: Path | str,
    array: Any,
    spec: LayerSpec,
    *,
    coarser: Sequence[Any] = (),
    acquisition: Acquisition | None = None,
    name: str = "",
    overwrite: bool = False,
) -> None:
    """Write an array as OME-TIFF with its pyramid, pixel size, units and channel names.

    The file appears under its name only when it is complete. The position in the
    world (``translate``, the centre of the first pixel) is written as the position
    of each plane. Labels are written in the smallest of 8, 16 and 32 bits that holds them, since ImageJ and others read
    no labels of 32 bits.

    Parameters
    ----------
    path : Path
    array : array-like
        Read by slices, in the axes of `spec`.
    spec : LayerSpec
    coarser : sequence of array-like
        The coarser levels, finest first, with fewer rows and columns and as many planes; written as SubIFDs.
    acquisition : Acquisition, optional
        What is known of microscope, time and channels; channels are left out if there are more or fewer.
    name : str, optional
        Name of the image; by default that of the file.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    StoreExists
        If the file exists and `overwrite` is off.
    SourceError
        If OME-TIFF does not support the dtype.
    """
    dtype = smallest_type(array, spec)
    if dtype.name not in _DTYPES:
        raise SourceError(
            f"dtype {spec.dtype} of {spec.source or 'the layer'}", f"OME-TIFF supports {', '.join(_DTYPES)}"
        )
    colours = spec.rgb and spec.dtype in ("uint8", "uint16")
    stacked = [a for a in spec.axes if a not in "yx" and not (colours and a == "c")]
    options: dict[str, Any] = {
        "dtype": dtype,
        "tile": (_TILE, _TILE),
        "photometric": "rgb" if colours else "minisblack",
        "compression": "zlib",
        "predictor": spec.dtype not in ("float32", "float64") and spec.kind == "image",
    }
    axes = "".join((*stacked, "y", "x", "s" if colours else ""))
    with (
        part_file(path, overwrite=overwrite) as part,
        tifffile.TiffWriter(part, ome=True, bigtiff=spec.nbytes > _BIGTIFF_BYTES) as writer,
    ):
        for number, level in enumerate((array, *coarser)):
            at = spec.replace(shape=tuple(level.shape))
            sizes = [at.size(a) for a in (*stacked, "y", "x")]
            described = {
                **_metadata(spec, axes.upper(), colours),
                "Name": name or re.sub(r"(\.ome)?\.tiff?$", "", Path(path).name, flags=re.IGNORECASE),
            }
            _add_acquisition(described, acquisition or Acquisition(), spec, colours)
            main = {"metadata": described, "subifds": len(coarser), **_resolution(spec)}
            writer.write(
                _tiles(level, at, stacked, colours, dtype),
                shape=(*sizes, 3) if colours else tuple(sizes),
                **options,
                **({"subfiletype": 1} if number else main),
            )


def _tiles(
    array: Any, spec: LayerSpec, stacked: list[str], colours: bool, dtype: np.dtype[Any]
) -> Iterator[NDArray[Any]]:
    """Yield tiles in file order, reading one row of tiles at a time."""
    height, width = spec.size("y"), spec.size("x")
    for index in product(*(range(spec.size(a)) for a in stacked)):
        fixed: dict[str, int | slice] = dict(zip(stacked, index, strict=True))
        for top in range(0, height, _TILE):
            rows = fixed | {"y": slice(top, min(top + _TILE, height))}
            band = np.asarray(array[tuple(rows.get(a, slice(None)) for a in spec.axes)])
            if colours:
                band = np.moveaxis(band, 0, -1)
            for left in range(0, width, _TILE):
                yield np.ascontiguousarray(band[:, left : left + _TILE], dtype)


def _metadata(spec: LayerSpec, axes: str, colours: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"axes": axes, "Creator": CREATOR}
    for axis, key in (("x", "PhysicalSizeX"), ("y", "PhysicalSizeY"), ("z", "PhysicalSizeZ"), ("t", "TimeIncrement")):
        if axis not in spec:
            continue
        unit, scale = spec.unit_of(axis), spec.scale_of(axis)
        if unit in _SYMBOLS:
            data[key], data[f"{key}Unit"] = scale, _SYMBOLS[unit or ""]
        elif unit in METRES and axis != "t":
            data[key], data[f"{key}Unit"] = scale * METRES[unit or ""], "m"
        elif axis != "t" and (scale != 1 or unit):
            # OME has no symbol for other units.
            data[key], data[f"{key}Unit"] = scale, "pixel" if unit is None else "reference frame"
    if spec.channel_names and not colours:
        data["Channel"] = {"Name": list(spec.channel_names)}
    planes = math.prod(spec.size(a) for a in axes.lower() if a not in "yxs")
    return {**data, "Plane": _positions(spec, axes.lower(), planes)}


def _add_acquisition(described: dict[str, Any], known: Acquisition, spec: LayerSpec, colours: bool) -> None:
    """Add date, bits and channels; what tifffile writes no element for becomes the description, in words."""
    if known.date:
        described["AcquisitionDate"] = known.date
    if known.bit_depth and known.bit_depth <= 8 * spec.np_dtype.itemsize and spec.kind == "image":
        described["SignificantBits"] = known.bit_depth
    words = [f"{name}: {text}" for name, text in known.facts() if name in ("Instrument", "Objective", "Stage")]
    if words:
        described["Description"] = "; ".join(words)
    if colours or spec.kind != "image" or len(known.channels) != spec.size("c"):
        return
    channel = described.setdefault("Channel", {})
    columns: dict[str, list[Any]] = {
        "Color": [_signed(one.color) for one in known.channels],
        "EmissionWavelength": [one.emission for one in known.channels],
        "ExcitationWavelength": [one.excitation for one in known.channels],
    }
    # An attribute is written for all channels or for none.
    channel |= {key: values for key, values in columns.items() if None not in values}
    if "Name" not in channel and all(one.name for one in known.channels):
        channel["Name"] = [one.name for one in known.channels]


def _signed(color: str) -> int | None:
    """Return a colour RRGGBB as OME writes it: RRGGBBAA, signed."""
    if len(color) != 6:
        return None
    number = int(color, 16) << 8 | 0xFF
    return number - (1 << 32 if number >= 1 << 31 else 0)


def _positions(spec: LayerSpec, axes: str, planes: int) -> dict[str, Any]:
    """Return the position of each plane: that of the centre of its first pixel."""
    data: dict[str, Any] = {}
    stacked = [a for a in axes if a not in "yxs"]
    depths = [index[stacked.index("z")] if "z" in stacked else 0 for index in np.ndindex(*map(spec.size, stacked))]
    for axis in (a for a in "xyz" if a in spec):
        unit, start = spec.unit_of(axis), spec.translate[spec.axes.index(axis)]
        steps = depths if axis == "z" else [0] * planes
        by = 1.0 if unit in _SYMBOLS else METRES.get(unit or "", 1.0)
        data[f"Position{axis.upper()}"] = [(start + spec.scale_of(axis) * k) * by for k in steps]
        symbol = _SYMBOLS.get(unit or "", "m" if unit in METRES else "reference frame")
        data[f"Position{axis.upper()}Unit"] = [symbol] * planes
    return data


def _resolution(spec: LayerSpec) -> dict[str, Any]:
    """Return the pixel size as TIFF tags, for programs that do not read OME-XML."""
    units = [METRES.get(spec.unit_of(a) or "") for a in "xy"]
    if None in units:
        return {}
    per_centimetre = tuple(0.01 / (spec.scale_of(a) * (u or 1.0)) for a, u in zip("xy", units, strict=True))
    return {"resolution": per_centimetre, "resolutionunit": "CENTIMETER"}
