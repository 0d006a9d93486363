"""TIFF files whose values mean something else than brightness: palettes, white as 0, colours, alpha."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_s1omni.benchmarks.reading.generated.draws import Draws, Made, written


def white_is_zero(folder: Path, draws: Draws) -> Made:
    """Write brightness upside down."""
    dtype = draws.one("u1", "u2", "?")
    pixels = draws.pixels("yx", dtype)
    path = folder / "a.tif"
    shown = ~pixels if dtype == "?" else (np.iinfo(dtype).max - pixels).astype(dtype)
    options: dict[str, Any] = {"tile": (16, 16), "compression": "zlib"} if draws.chance() and dtype != "?" else {}
    tifffile.imwrite(path, pixels, photometric="miniswhite", metadata={"axes": "YX"}, **options)
    return Made(path, "TIFF, white is 0", written("yx", shown))


def palette(folder: Path, draws: Draws) -> Made:
    """Write indices into a table of colours."""
    pixels = draws.pixels("yx", "u1")
    table = np.resize(draws.pixels("sx", "u2"), (3, 256))
    path = folder / "a.tif"
    tifffile.imwrite(path, pixels, photometric="palette", colormap=table, metadata={"axes": "YX"})
    return Made(path, "TIFF, palette", written("syx", (table[:, pixels] >> 8).astype("u1")))


def colours(folder: Path, draws: Draws) -> Made:
    """Write red, green and blue, beside each other or in planes."""
    dtype = draws.one("u1", "u2", "f4")
    path, planes = folder / "a.tif", draws.chance()
    letters = "syx" if planes else "yxs"
    pixels = draws.pixels(letters, dtype)
    if dtype == "f4":
        pixels = np.abs(pixels) / np.abs(pixels).max()
    options: dict[str, Any] = {"tile": (16, 16), "compression": "zlib"} if draws.chance() else {}
    config = "separate" if planes else "contig"
    tifffile.imwrite(
        path, pixels, photometric="rgb", planarconfig=config, metadata={"axes": letters.upper()}, **options
    )
    return Made(path, "TIFF, colours", written(letters, pixels))


def alpha(folder: Path, draws: Draws) -> Made:
    """Write colours or grey with an opacity."""
    grey = draws.chance(0.3)
    pixels = draws.pixels("yxs", draws.one("u1", "u2"))
    pixels = np.concatenate([pixels[..., : 1 if grey else 3], pixels[..., :1]], axis=-1)
    path, kind = folder / "a.tif", draws.one("unassalpha", "assocalpha")
    photometric = "minisblack" if grey else "rgb"
    tifffile.imwrite(
        path,
        pixels,
        photometric=photometric,
        planarconfig="contig",
        extrasamples=[kind],
        metadata={"axes": "YXS"},
    )
    return Made(path, "TIFF, alpha", written("yxs", pixels))


def cmyk(folder: Path, draws: Draws) -> Made:
    """Write inks of a printer."""
    pixels = np.concatenate([draws.pixels("yxs", "u1")] * 2, axis=-1)[..., :4]
    path = folder / "a.tif"
    tifffile.imwrite(path, pixels, photometric="separated", metadata={"axes": "YXS"})
    light, black = 255 - pixels[..., :3].astype("u2"), 255 - pixels[..., 3:].astype("u2")
    return Made(path, "TIFF, CMYK", written("yxs", ((light * black + 127) // 255).astype("u1")))


PHOTOMETRIC_TIFFS = (white_is_zero, palette, colours, alpha, cmyk)
