"""Read pictures with Pillow: PNG, JPEG, JPEG 2000, GIF, BMP, WebP, TGA, PNM. They are decoded when they are opened."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, ImageSequence

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.array import default_chunks
from napari_s1omni.storage.readers.pictures.headers import StoredBits, stored_bits
from napari_s1omni.storage.readers.pixel_meaning.oriented_pixels import ORIENTATIONS
from napari_s1omni.storage.readers.pixel_meaning.palettes import (
    COLOURS_NOTE,
    GREY_NOTE,
    NUMBERS_NOTE,
    is_plain,
    palette_colours,
    palette_content,
    palette_grey,
)
from napari_s1omni.storage.readers.raw_image import Pixels, RawImage

_GREY = {"1", "L", "I", "I;16", "I;16B", "I;16L", "I;16N", "F"}
_SAMPLES = {"LA", "RGB", "RGBA"}
_ANIMATED = {"GIF", "PNG", "WEBP"}
"""Formats whose frames follow each other in time; those of a camera's JPEG are other views."""
_ORIENTATION = 274
_MOST_PIXELS = 2 * 89_478_485
"""Pixels of all frames together, as Pillow limits those of one picture."""


def read_picture(path: Path) -> RawImage:
    """Decode a picture, or all frames of an animated one.

    Raises
    ------
    SourceError
        If it is damaged, cut off, too large to decode, or has more than 8 bits per colour, which the decoder would
        reduce to 8.
    """
    notes: list[str] = []
    try:
        bits = stored_bits(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                frames = int(getattr(image, "n_frames", 1))
                if image.format in _ANIMATED and frames > 1:
                    return _animation(path, image, frames, notes)
                if frames > 1:
                    notes.append(f"the first of {frames} pictures in the file is read")
                return _still(path, image, bits, notes)
    except SourceError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(path, str(error)) from error
    except Exception as error:
        raise SourceError(
            f"{path} cannot be decoded: {error}", remedy="open it in a viewer and save it again", path=str(path)
        ) from error


def _still(path: Path, image: Image.Image, bits: StoredBits, notes: list[str]) -> RawImage:
    image.load()
    _note_printing(image, notes)
    key = image.info.get("transparency")
    image = _upright(image if image.mode == "P" else _with_alpha(image, notes), notes)
    if image.mode == "P" and image.getpalette("RGB"):
        if key is not None and _is_used(image, key):
            return _transparent(path, image, notes)
        return _indexed(path, image, notes)
    if image.mode not in _GREY | _SAMPLES | {"P"}:
        notes.append(f"its {image.mode} colours are converted to RGB")
        image = image.convert("RGB")
    pixels: NDArray[Any] = np.asarray(image)
    if image.mode == "I" and path.suffix.lower() not in (".jp2", ".j2k") and 0 <= pixels.min() <= pixels.max() < 65536:
        # Files have at most 16 bits here; older versions of Pillow decode them to 32.
        pixels = pixels.astype(np.uint16)
    if bits.restore is not None:
        pixels = bits.restore(pixels)
    if bits.note:
        notes.append(bits.note)
    return _raw(path, pixels, "yxs" if image.mode in _SAMPLES else "yx", notes)


def _indexed(path: Path, image: Image.Image, notes: list[str]) -> RawImage:
    """Read numbers and palette: what is content depends on the palette."""
    numbers = np.asarray(image)
    palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    content = palette_content(palette)
    if content == "grey":
        grey = palette_grey(numbers, palette)
        return _raw(path, grey, "yx", notes if is_plain(palette) else [*notes, GREY_NOTE])
    colours, prefers_numbers = palette_colours(numbers, palette), content == "numbers"
    as_colours = _raw(path, colours, "yxs", notes if prefers_numbers else [*notes, COLOURS_NOTE])
    as_numbers = _raw(path, numbers, "yx", [*notes, NUMBERS_NOTE] if prefers_numbers else notes)
    first, other = (as_numbers, as_colours) if prefers_numbers else (as_colours, as_numbers)
    return replace(first, otherwise=other)


def _transparent(path: Path, image: Image.Image, notes: list[str]) -> RawImage:
    """Read a palette picture with transparent numbers in its colours and their alpha."""
    colours = np.asarray(image.convert("RGBA"))
    numbers = _raw(path, np.asarray(image), "yx", notes)
    return replace(_raw(path, colours, "yxs", [*notes, COLOURS_NOTE]), otherwise=numbers)


def _animation(path: Path, image: Image.Image, frames: int, notes: list[str]) -> RawImage:
    """Stack the frames along t; their duration is the time step if it is the same for all."""
    if frames * math.prod(image.size) > _MOST_PIXELS:
        raise _too_large(path, f"{frames} frames of {image.size[0]} x {image.size[1]} px")
    found, durations = [], []
    for frame in ImageSequence.Iterator(image):
        frame.load()
        durations.append(float(frame.info.get("duration", 0) or 0))
        found.append(np.asarray(_upright(frame.convert("RGBA"), notes, image)))
    pixels = np.stack(found)
    if (pixels[..., 3] == 255).all():
        pixels = pixels[..., :3]
    notes = [*dict.fromkeys(notes), f"its {frames} frames are read as axis t"]
    steady = len(set(durations)) == 1 and durations[0] > 0
    if not steady:
        notes.append("its frames do not all last equally long; no time step is taken from them")
    time = {"t": durations[0] / 1000} if steady else {}
    return _raw(path, pixels, "tyxs", notes, time)


def _with_alpha(image: Image.Image, notes: list[str]) -> Image.Image:
    """Turn every form of transparency into an alpha channel."""
    key = image.info.get("transparency")
    if image.mode in ("PA", "La", "RGBa"):
        return image.convert("LA" if image.mode == "La" else "RGBA")
    if key is not None and image.mode in ("L", "RGB"):
        return image.convert("LA" if image.mode == "L" else "RGBA")
    if key is not None:
        notes.append(f"value {key} means transparent in this picture; it is read like any other")
    return image


def _is_used(image: Image.Image, key: int | bytes) -> bool:
    """Whether a palette picture has pixels that its transparency concerns."""
    alpha = np.full(256, 255)
    if isinstance(key, bytes):
        alpha[: len(key)] = list(key)
    else:
        alpha[key] = 0
    return bool((alpha[np.asarray(image)] < 255).any())


def _upright(image: Image.Image, notes: list[str], first: Image.Image | None = None) -> Image.Image:
    """Turn a picture as the camera noted; `first` is the picture with the note if that is another frame."""
    orientation = (first or image).getexif().get(_ORIENTATION, 1)
    if orientation not in ORIENTATIONS:
        return image
    notes.append(f"the picture is {ORIENTATIONS[orientation]}, as its tag Orientation (EXIF) says")
    image.getexif()[_ORIENTATION] = orientation
    return ImageOps.exif_transpose(image)


def _note_printing(image: Image.Image, notes: list[str]) -> None:
    dots = [float(n) for n in image.info.get("dpi", ()) if n]
    if dots and any(round(n) > 1 for n in dots):
        shown = " x ".join(f"{n:.5g}" for n in dict.fromkeys(dots))
        notes.append(f"{shown} dots per inch is a resolution for printing; a picture has no pixel size")


def _raw(path: Path, pixels: Pixels, axes: str, notes: list[str], time: dict[str, float] | None = None) -> RawImage:
    chunks = default_chunks(pixels.shape, axes)
    units = {"t": "s"} if time else {}
    return RawImage(pixels, axes, chunks, time or {}, units=units, notes=tuple(notes), uri=str(path))


def _too_large(path: Path, size: str) -> SourceError:
    return SourceError(
        f"{path} is too large: {size}",
        f"a picture is decoded as a whole and has at most {_MOST_PIXELS:,} pixels",
        "convert it to a tiled TIFF or OME-Zarr",
        path=str(path),
    )
