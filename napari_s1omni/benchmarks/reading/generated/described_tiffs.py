"""TIFF files of ImageJ and OME-TIFF, with sizes, units and names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_s1omni.benchmarks.reading.generated.draws import Draws, Made, written

_LENGTHS = ("µm", "nm", "mm", "Å", "cm", "in", "m")


def imagej(folder: Path, draws: Draws) -> Made:
    """Write a hyperstack of ImageJ."""
    axes = draws.one("YX", "ZYX", "CYX", "TYX", "ZCYX", "TZCYX", "TCYX", "TZYX", "YXS", "TYXS")
    pixels = draws.pixels(axes.lower(), "u1" if "S" in axes else draws.one("u1", "u2", "f4"))
    sizes, unit = draws.sizes(axes.lower()), draws.one("um", "micron", "\\u00B5m", "nm", "mm", "cm", "inch")
    about: dict[str, Any] = {"axes": axes, "unit": unit}
    units: dict[str, str | None] = dict.fromkeys("yx", unit)
    if "Z" in axes and draws.chance(0.8):
        about["spacing"], units["z"] = sizes["z"], unit
    else:
        sizes.pop("z", None)
    if "T" in axes and draws.chance(0.8):
        about["finterval"], units["t"] = sizes["t"], "sec"
    else:
        sizes.pop("t", None)
    names: tuple[str, ...] = ()
    if axes == "CYX" and draws.chance():
        names = draws.channel_names(pixels.shape[0])
        names = tuple(name.encode("ascii", "replace").decode() for name in names)
        about["Labels"] = list(names)
    if axes == "ZYX" and draws.chance(0.2):
        about["spacing"], sizes["z"], units["z"] = -sizes.get("z", 1.0), 1.0, None
    path = folder / "a.tif"
    tifffile.imwrite(path, pixels, imagej=True, resolution=(1 / sizes["x"], 1 / sizes["y"]), metadata=about)
    return Made(path, "TIFF, ImageJ", written(axes.lower(), pixels, sizes, units, names=names))


def ome(folder: Path, draws: Draws) -> Made:
    """Write an OME-TIFF."""
    axes = draws.one("YX", "ZYX", "CYX", "TYX", "CZYX", "ZCYX", "TZCYX", "TCZYX", "CTYX", "TYXS", "YXS")
    pixels = draws.pixels(axes.lower(), "u1" if "S" in axes else draws.one("u1", "u2", "i2", "f4", "f8"))
    sizes = draws.sizes(axes.lower())
    if draws.chance(0.15):
        sizes = {}
    about: dict[str, Any] = {"axes": axes}
    units: dict[str, str | None] = {}
    unit = draws.one(*_LENGTHS)
    for axis, size in sizes.items():
        key = "TimeIncrement" if axis == "t" else f"PhysicalSize{axis.upper()}"
        about[key] = size
        units[axis] = draws.one("s", "ms", "min") if axis == "t" else draws.one(unit, unit, unit, "nm")
        if units[axis] not in ("s", "µm") or draws.chance():
            about[f"{key}Unit"] = units[axis]
    names: tuple[str, ...] = ()
    if "S" not in axes and draws.chance(0.7):
        names = draws.channel_names(pixels.shape[axes.index("C")] if "C" in axes else 1)
        about["Channel"] = {"Name": list(names)}
    path = folder / draws.one("a.ome.tif", "a.ome.tiff", "a.tif")
    options: dict[str, Any] = {"tile": (16, 16), "compression": "zlib"} if draws.chance() else {}
    photometric = "rgb" if "S" in axes else "minisblack"
    tifffile.imwrite(path, pixels, ome=True, photometric=photometric, metadata=about, **options)
    return Made(path, "OME-TIFF", written(axes.lower(), pixels, sizes, units, names=names))


def ome_pyramid(folder: Path, draws: Draws) -> Made:
    """Write an OME-TIFF with coarser levels."""
    pixels = np.repeat(np.repeat(draws.pixels("cyx", "u2"), 2, 1), 2, 2)
    size, names = draws.number(0.1, 1.0), draws.channel_names(pixels.shape[0])
    about = {"axes": "CYX", "PhysicalSizeX": size, "PhysicalSizeY": size, "Channel": {"Name": list(names)}}
    path = folder / "a.ome.tif"
    options: dict[str, Any] = {"tile": (16, 16), "photometric": "minisblack"}
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(pixels, subifds=1, metadata=about, **options)
        tiff.write(pixels[:, ::2, ::2].copy(), subfiletype=1, **options)
    sizes, units = dict.fromkeys("yx", size), dict.fromkeys("yx", "µm")
    return Made(path, "OME-TIFF", written("cyx", pixels, sizes, dict(units), names=names))


def ome_several(folder: Path, draws: Draws) -> Made:
    """Write an OME-TIFF of two images."""
    first, second = draws.pixels("zyx", "u2"), draws.pixels("yx", "u1")
    path, size = folder / "a.ome.tif", draws.number(0.1, 1.0)
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(first, photometric="minisblack", metadata={"axes": "ZYX", "PhysicalSizeX": size})
        tiff.write(second, photometric="minisblack", metadata={"axes": "YX"})
    return Made(path, "OME-TIFF", written("zyx", first, {"x": size}, {"x": "µm"}, images=2))


DESCRIBED_TIFFS = (imagej, ome, ome, ome_pyramid, ome_several)
