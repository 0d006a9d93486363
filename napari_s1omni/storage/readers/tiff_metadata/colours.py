"""What the numbers of a TIFF mean: PhotometricInterpretation, ExtraSamples, ColorMap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.pixel_meaning.colour_spaces import (
    FULL_RANGE,
    ITU_601,
    divide_by_alpha,
    inks_to_rgb,
    ycbcr_to_rgb,
)
from napari_s1omni.storage.readers.pixel_meaning.converted_pixels import (
    MovedPixels,
    convert_each,
    convert_samples,
)
from napari_s1omni.storage.readers.pixel_meaning.palettes import (
    COLOURS_NOTE,
    GREY_NOTE,
    NUMBERS_NOTE,
    is_plain,
    palette_colours,
    palette_content,
    palette_grey,
)
from napari_s1omni.storage.readers.raw_image import Pixels

PALETTE = 3
"""PhotometricInterpretation of a palette image."""
_MIN_IS_WHITE, _RGB, _INKS, _YCBCR, _MOSAIC = 0, 2, 5, 6, 32803
_REFUSED = {8: "CIELab", 9: "ICCLab", 10: "ITULab", 32844: "LogL", 32845: "LogLuv"}
_ASSOCIATED, _ALPHAS = 1, (1, 2)
_JPEG = (6, 7, 33007, 34892)
"""Compressions whose decoder already returns red, green and blue."""
_APERIO_YCBCR = 33003
Levels = tuple[Pixels, ...]


@dataclass(frozen=True, slots=True)
class ColourReading:
    """One way to read the pixels of a TIFF."""

    levels: Levels
    """Finest level first."""
    axes: str
    """Letters of its dimensions; ``s`` only for colour samples of a picture."""
    notes: tuple[str, ...] = ()
    otherwise: ColourReading | None = None
    """A palette image read the other way: the numbers behind the colours, or the colours."""


def read_colours(page: Any, levels: Levels, axes: str, name: str, *, imagej: bool) -> ColourReading:
    """Return the pixels of a series as brightness, channels, or red, green and blue.

    Parameters
    ----------
    page : tifffile.TiffPage
        The first page of the series.
    levels : tuple of Pixels
        Its levels as stored.
    axes : str
        Their letters as tifffile gives them, in lower case; ``s`` for the samples of a pixel.
    name : str
        The file, for messages.
    imagej : bool
        Whether ImageJ wrote it; ImageJ stores measured numbers whatever colours it shows them in.

    Raises
    ------
    SourceError
        If its colour space cannot be converted.
    """
    kind = int(page.photometric)
    found = ColourReading(levels, axes)
    if kind in _REFUSED:
        raise SourceError(
            f"{name} stores its colours as {_REFUSED[kind]}",
            "a TIFF is grey, RGB, a palette, CMYK or YCbCr",
            "convert it to RGB in the program that wrote it",
            path=name,
        )
    if kind == PALETTE:
        return _palette(page, found, imagej)
    if kind == _INKS and "s" in axes:
        return _inks(page, found, name)
    if (kind == _YCBCR and "s" in axes) or int(page.compression) == _APERIO_YCBCR:
        found = _ycbcr(page, found, name)
    if kind == _MIN_IS_WHITE:
        found = _white_is_zero(page, found, imagej)
    if kind == _MOSAIC:
        found = _noted(found, "a mosaic of colour filters, as a camera stores it, is read as one grey image")
    return _samples(page, found)


def _noted(found: ColourReading, note: str) -> ColourReading:
    return replace(found, notes=(*found.notes, note))


def _each(
    found: ColourReading, convert: Callable[[NDArray[Any]], NDArray[Any]], dtype: np.dtype[Any] | None = None
) -> ColourReading:
    return replace(found, levels=tuple(convert_each(level, convert, dtype) for level in found.levels))


def _together(found: ColourReading, convert: Callable[[NDArray[Any]], NDArray[Any]], count: int) -> ColourReading:
    """Convert the samples of each pixel to `count` samples."""
    at = found.axes.index("s")
    return replace(found, levels=tuple(convert_samples(level, convert, at, count) for level in found.levels))


def _palette(page: Any, found: ColourReading, imagej: bool) -> ColourReading:
    table = page.colormap
    if table is None or found.levels[0].dtype.kind != "u":
        return _noted(found, "its palette is missing; the numbers are read")
    # The standard has 16 bits per colour; some programs write 8.
    colours = (table if table.max() < 256 else table >> 8).T.astype(np.uint8)
    content = palette_content(colours)
    if content == "grey" and not imagej:
        grey = replace(found, levels=tuple(palette_grey(level, colours) for level in found.levels))
        return grey if is_plain(colours) else _noted(grey, GREY_NOTE)
    if content == "grey":
        return found if is_plain(colours) else _noted(found, NUMBERS_NOTE)
    seen = replace(
        found, levels=tuple(palette_colours(level, colours) for level in found.levels), axes=f"{found.axes}s"
    )
    # No picture has 65,536 colours of its own, but label images do.
    if imagej or content == "numbers" or found.levels[0].dtype.itemsize > 1:
        return replace(_noted(found, NUMBERS_NOTE), otherwise=seen)
    return replace(_noted(seen, COLOURS_NOTE), otherwise=found)


def _white_is_zero(page: Any, found: ColourReading, imagej: bool) -> ColourReading:
    dtype = found.levels[0].dtype
    if imagej:
        return _noted(found, "ImageJ shows 0 as white in this image; its numbers are read as ImageJ measures them")
    if dtype.kind not in "iub":
        return _noted(found, "0 means white in this TIFF, but floats have no black; the numbers are read as stored")
    top = 2 ** int(page.bitspersample) - 1 if dtype.kind == "u" else None
    alpha = _count(page) == 2 and page.extrasamples and page.extrasamples[0] in _ALPHAS and "s" in found.axes

    def turn(values: NDArray[Any]) -> NDArray[Any]:
        turned: NDArray[Any] = np.invert(values) if top is None else (top - values).astype(values.dtype)
        return turned

    def turn_grey(samples: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([turn(samples[..., :1]), samples[..., 1:]], axis=-1)

    turned = _together(found, turn_grey, 2) if alpha else _each(found, turn)
    return _noted(turned, "0 means white in this TIFF (MinIsWhite); the numbers are inverted, so that 0 is black")


def _inks(page: Any, found: ColourReading, name: str) -> ColourReading:
    if _count(page) < 4 or page.tags.valueof(332, 1) != 1:
        return _channels(found, f"its {_count(page)} printing inks are read as channels")
    if found.levels[0].dtype.kind != "u":
        raise SourceError(f"{name} stores inks as {found.levels[0].dtype}", "inks are integers", "convert it to RGB")
    return _noted(_together(found, inks_to_rgb, 3), "its printing inks (CMYK) are converted to RGB")


def _ycbcr(page: Any, found: ColourReading, name: str) -> ColourReading:
    if int(page.compression) in _JPEG:
        return found
    if found.levels[0].dtype != np.uint8 or (page.is_subsampled and int(page.compression) != _APERIO_YCBCR):
        raise SourceError(
            f"{name} stores its colours as YCbCr with reduced colour resolution or {found.levels[0].dtype}",
            "YCbCr is read with 8 bits and full resolution, or compressed with JPEG",
            "convert it to RGB in the program that wrote it",
            path=name,
        )
    luma, limits = page.tags.valueof(529), page.tags.valueof(532)
    convert = ycbcr_to_rgb(_ratios(luma, 3) or ITU_601, _ratios(limits, 6) or FULL_RANGE)
    return _noted(_together(found, convert, 3), "its colours are converted from YCbCr to RGB")


def _ratios(pairs: Any, count: int) -> list[float] | None:
    """Return rational numbers stored as numerator, denominator, ...; None if they are missing or invalid."""
    values = list(pairs or ())
    if len(values) != 2 * count or 0 in values[1::2]:
        return None
    return [n / d for n, d in zip(values[::2], values[1::2], strict=True)]


def _samples(page: Any, found: ColourReading) -> ColourReading:
    """Separate colours and their alpha from channels that are stored as samples of one pixel."""
    if "s" not in found.axes or "c" in found.axes:
        return found
    count, extra = int(found.levels[0].shape[found.axes.index("s")]), tuple(int(kind) for kind in page.extrasamples)
    colours = 3 if int(page.photometric) in (_RGB, _INKS, _YCBCR) else 1
    if count == colours == 3:
        return found
    if count == colours + 1 and extra[:1] and extra[0] in _ALPHAS:
        if extra[0] == _ASSOCIATED and found.levels[0].dtype.kind in "uf":
            return _noted(
                _together(found, divide_by_alpha, count), "its colours were stored multiplied by alpha; this is undone"
            )
        return found
    if count == colours + 1 == 4 and found.levels[0].dtype == np.uint8:
        # Readers take a fourth sample for transparency, which this one is not.
        return _noted(
            _together(found, lambda samples: samples[..., :3], 3),
            "each pixel has a fourth sample beside its colour, of unknown meaning; it is left out",
        )
    return _channels(found, f"its {count} samples per pixel are read as channels")


def _channels(found: ColourReading, note: str) -> ColourReading:
    """Read the samples as channels, which come before y: only pictures have them last."""
    source, target = found.axes.index("s"), min(found.axes.index("y"), found.axes.index("s"))
    letters = found.axes.replace("s", "")
    levels = tuple(MovedPixels(level, source, target) if source != target else level for level in found.levels)
    return ColourReading(levels, f"{letters[:target]}c{letters[target:]}", (*found.notes, note))


def _count(page: Any) -> int:
    return int(page.samplesperpixel)
