"""TIFF as tifffile reads it, with the meaning of its photometric interpretation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_s1omni.benchmarks.reading.seen import NotComparable, Seen, arrange, check_size

_PER_METRE = {1: None, 2: 1 / 0.0254, 3: 100.0, 4: 1e3, 5: 1e6}
"""Value of ResolutionUnit -> units per metre."""
_PRINTED = 25e-6
"""Pixels of this size in metres, or larger, are those of a print or a screen (1016 dots per inch), not of an object."""


def read(path: Path) -> Seen:
    """Read the first series of a TIFF."""
    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        check_size(series.shape, series.dtype)
        letters = "".join(a if a in "tczyxs" else "?" if a in "qi" else a for a in series.axes.lower())
        pixels, letters = _shown(tiff, series.keyframe, series.asarray(), letters)
        axes, pixels, guessed = arrange(letters, pixels)
        scale, units, names = _about(tiff, series, axes)
        whole: dict[str, float] = dict.fromkeys(axes.replace("c", ""), 1.0)
        nowhere: dict[str, str | None] = dict.fromkeys(whole)
        return Seen(
            "tifffile",
            axes,
            pixels,
            {**whole, **{a: s for a, s in scale.items() if a in axes}},
            {**nowhere, **{a: u for a, u in units.items() if a in axes}},
            names=names,
            guessed=guessed,
            images=sum(math.prod(other.shape) > 0 for other in tiff.series),
        )


def _shown(tiff: Any, page: Any, pixels: NDArray[Any], letters: str) -> tuple[NDArray[Any], str]:
    """Turn stored values into brightness or colours."""
    if "PhotometricInterpretation" not in page.tags:
        # A damaged file; tifffile then supposes one.
        return pixels, letters
    meaning = tifffile.PHOTOMETRIC(page.photometric)
    if meaning == tifffile.PHOTOMETRIC.MINISWHITE:
        if pixels.dtype.kind == "b":
            return ~pixels, letters
        if pixels.dtype.kind == "u":
            return (2 ** int(page.bitspersample) - 1 - pixels).astype(pixels.dtype), letters
    # ImageJ stores its lookup table, which only colours the display of intensities, as a palette.
    if meaning == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None and not tiff.is_imagej:
        table = (page.colormap >> 8).astype(np.uint8)
        grey = np.array_equal(table[0], table[1]) and np.array_equal(table[0], table[2])
        return (table[0][pixels], letters) if grey else (table[:, pixels], "s" + letters)
    if meaning == tifffile.PHOTOMETRIC.SEPARATED and pixels.dtype == np.uint8 and letters.endswith("s"):
        cmy, black = 255 - pixels[..., :3].astype(np.uint16), 255 - pixels[..., 3:4].astype(np.uint16)
        return ((cmy * black + 127) // 255).astype(np.uint8), letters
    return pixels, letters


def _about(
    tiff: Any, series: Any, axes: str
) -> tuple[Mapping[str, float], Mapping[str, str | None], tuple[str, ...] | None]:
    """Return pixel size, units and channel names."""
    if tiff.is_ome:
        if series.kind != "ome":
            raise NotComparable("OME-XML that does not describe the pages")
        return _ome(tiff.ome_metadata, series.sizes)
    tags = series.keyframe.tags
    if any(name in tags and tags[name].count != 1 for name in ("XResolution", "YResolution")):
        raise NotComparable("a resolution of several numbers")
    across, down = series.keyframe.get_resolution()
    if tiff.is_imagej:
        return _imagej(tiff.imagej_metadata or {}, series, across, down)
    if tiff.is_svs:
        size = tifffile.tifffile.svs_description_metadata(series.keyframe.description).get("MPP")
        if size:
            return dict.fromkeys("yx", float(size)), dict.fromkeys("yx", "µm"), ()
    metamorph = tags.valueof("UIC1tag", {})
    if metamorph.get("SpatialCalibration") and "XCalibration" in metamorph:
        sizes = {a: float(metamorph[f"{a.upper()}Calibration"]) for a in "yx"}
        return sizes, dict.fromkeys("yx", str(metamorph.get("CalibrationUnits", ""))), ()
    per_metre = _PER_METRE.get(int(series.keyframe.resolutionunit))
    if per_metre and min(across, down) > 0 and 1 / (max(across, down) * per_metre) < _PRINTED:
        sizes = {"y": 1 / (down * per_metre), "x": 1 / (across * per_metre)}
        return sizes, dict.fromkeys("yx", "m"), ()
    return {}, {}, ()


def _imagej(
    about: Mapping[str, Any], series: Any, across: float, down: float
) -> tuple[dict[str, float], dict[str, str | None], tuple[str, ...] | None]:
    scale: dict[str, float] = {}
    units: dict[str, str | None] = {}
    unit = str(about.get("unit", ""))
    if unit and min(across, down) > 0:
        scale |= {"y": 1 / down, "x": 1 / across}
        units |= dict.fromkeys("yx", unit)
    if float(about.get("spacing", 0)) > 0:
        scale["z"] = float(about["spacing"])
        units |= {"z": unit} if unit else {}
    if float(about.get("finterval", 0)) > 0:
        scale["t"], units["t"] = float(about["finterval"]), str(about.get("tunit", "sec"))
    channels = series.shape[series.axes.index("C")] if "C" in series.axes else 1
    labels = about.get("Labels") or ()
    # ImageJ labels slices; with one slice per channel these are the names of the channels.
    named = tuple(map(str, labels)) if channels > 1 and len(labels) == channels else ()
    return scale, units, named


def _ome(text: str, sizes: Mapping[str, int]) -> tuple[dict[str, float], dict[str, str | None], tuple[str, ...] | None]:
    image = _list(tifffile.xml2dict(text).get("OME", {}).get("Image"))
    if not image:
        raise NotComparable("OME-XML without an image")
    pixels = image[0].get("Pixels", {})
    if any(int(pixels[key]) != sizes[axis] for key, axis in (("SizeX", "width"), ("SizeY", "height"))):
        raise NotComparable("the first series is not that of the first image")
    scale: dict[str, float] = {}
    units: dict[str, str | None] = {}
    for axis, key, default in (
        *((a.lower(), f"PhysicalSize{a}", "µm") for a in "ZYX"),
        ("t", "TimeIncrement", "s"),
    ):
        if key in pixels:
            scale[axis], units[axis] = float(pixels[key]), str(pixels.get(f"{key}Unit", default))
    names = tuple(str(channel.get("Name", "")) for channel in _list(pixels.get("Channel")))
    return scale, units, names if any(names) else ()


def _list(item: Any) -> list[Any]:
    return item if isinstance(item, list) else [] if item is None else [item]
