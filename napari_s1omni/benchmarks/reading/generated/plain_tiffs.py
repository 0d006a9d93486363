"""TIFF files as numpy users write them with tifffile: layouts, compressions, byte orders and pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_s1omni.benchmarks.reading.generated.draws import Draws, Made, written

_TYPES = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8")
_AXES = ("YX", "ZYX", "CYX", "TYX", "CZYX", "TCYX", "TZCYX", "TCZYX")


def stack(folder: Path, draws: Draws) -> Made:
    """Write a stack whose axes tifffile notes in its description."""
    axes, dtype = draws.one(*_AXES), draws.one(*_TYPES)
    pixels = draws.pixels(axes.lower(), dtype)
    options: dict[str, Any] = {"byteorder": draws.one("<", ">"), "bigtiff": draws.chance(0.3)}
    path = folder / draws.one("a.tif", "a.tiff", "A.TIF", "a.btf")
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": axes}, **options)
    return Made(path, "TIFF", written(axes.lower(), pixels))


def compressed(folder: Path, draws: Draws) -> Made:
    """Write tiles or strips with a compression and perhaps a predictor."""
    dtype = draws.one("u1", "u2", "i2", "u4", "f4")
    pixels = draws.pixels(draws.one("yx", "zyx"), dtype)
    # Those that tifffile encodes without another package.
    compression = draws.one("zlib", "lzma")
    options: dict[str, Any] = {"tile": (16, 16)} if draws.chance() else {"rowsperstrip": draws.one(1, 7, 1000)}
    if dtype != "f4" and draws.chance():
        options["predictor"] = True
    axes = "ZYX" if pixels.ndim == 3 else "YX"
    path, order = folder / "a.tif", draws.one("<", ">")
    about = {"axes": axes}
    tifffile.imwrite(
        path, pixels, photometric="minisblack", compression=compression, metadata=about, byteorder=order, **options
    )
    return Made(path, "TIFF, compressed", written(axes.lower(), pixels))


def pages(folder: Path, draws: Draws) -> Made:
    """Write a stack of pages without a word on what they are."""
    pixels = draws.pixels("zyx", draws.one("u1", "u2", "f4"))
    path = folder / "a.tif"
    with tifffile.TiffWriter(path) as tiff:
        for page in pixels:
            tiff.write(page, photometric="minisblack", metadata=None, contiguous=False)
    return Made(path, "TIFF, pages", written("?yx", pixels))


def several_series(folder: Path, draws: Draws) -> Made:
    """Write two images of different sizes into one file."""
    first, second = draws.pixels("yx", "u2"), np.zeros((9, 11), "u2")
    path = folder / "a.tif"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(first, photometric="minisblack", metadata={"axes": "YX"})
        tiff.write(second, photometric="minisblack", metadata={"axes": "YX"})
    return Made(path, "TIFF, several images", written("yx", first, images=2))


def pyramid(folder: Path, draws: Draws) -> Made:
    """Write a tiled pyramid: SubIFDs, or pages of falling size."""
    pixels = np.repeat(np.repeat(draws.pixels("yx", draws.one("u1", "u2")), 4, 0), 4, 1)
    path = folder / "a.tif"
    below = draws.chance()
    options: dict[str, Any] = {"tile": (16, 16), "photometric": "minisblack", "compression": "zlib"}
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(pixels, subifds=2 if below else 0, metadata={"axes": "YX"} if below else None, **options)
        for step in (2, 4):
            tiff.write(pixels[::step, ::step].copy(), subfiletype=1, metadata=None, **options)
    return Made(path, "TIFF, pyramid", written("yx", pixels))


def resolution(folder: Path, draws: Draws) -> Made:
    """Write a resolution: that of a print, which is no calibration, or that of a microscope."""
    pixels = draws.pixels("yx", "u2")
    path, size = folder / "a.tif", draws.number(0.1, 2.0)
    about = {"axes": "YX"}
    if draws.chance():
        dots, unit = draws.one((72, "INCH"), (300, "INCH"), (96, "INCH"), (28.35, "CENTIMETER"), (118.11, "CENTIMETER"))
        tifffile.imwrite(
            path, pixels, photometric="minisblack", resolution=(dots, dots), resolutionunit=unit, metadata=about
        )
        return Made(path, "TIFF, print resolution", written("yx", pixels))
    unit, per = draws.one(("CENTIMETER", 1e4), ("INCH", 25400.0))
    tifffile.imwrite(
        path, pixels, photometric="minisblack", resolution=(per / size, per / size), resolutionunit=unit, metadata=about
    )
    sizes, units = dict.fromkeys("yx", size), dict.fromkeys("yx", "µm")
    return Made(path, "TIFF, resolution", written("yx", pixels, sizes, units))


def scanner(folder: Path, draws: Draws) -> Made:
    """Write a slide as an Aperio scanner does: the pixel size stands in the description."""
    pixels = draws.pixels("yxs", "u1")
    size = draws.number(0.2, 0.6)
    height, width = pixels.shape[:2]
    words = f"Aperio Image Library v11.2.1 \r\n{width}x{height} [0,0 {width}x{height}] (16x16)|AppMag = 20|MPP = {size}"
    path = folder / draws.one("a.svs", "a.tif")
    with tifffile.TiffWriter(path) as tiff:
        for level in (pixels, pixels[::4, ::4].copy()):
            tiff.write(level, tile=(16, 16), compression="zlib", description=words, metadata=None, photometric="rgb")
    sizes, units = dict.fromkeys("yx", size), dict.fromkeys("yx", "µm")
    return Made(path, "TIFF, scanner", written("yxs", pixels, sizes, units, images=1))


def complex_numbers(folder: Path, draws: Draws) -> Made:
    """Write complex numbers, which are no intensities."""
    pixels = (draws.pixels("yx", "f4") * (1 + 1j)).astype("c8")
    path = folder / "a.tif"
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": "YX"})
    return Made(path, "TIFF, complex", written("yx", pixels))


PLAIN_TIFFS = (stack, compressed, pages, several_series, pyramid, resolution, scanner, complex_numbers)
