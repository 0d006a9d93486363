"""Read PNG and JPEG, which can only be decoded as a whole, when they are opened."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.array import default_chunks
from napari_s1omni.storage.readers.raw_image import RawImage

_AXES = {"1": "yx", "L": "yx", "I": "yx", "I;16": "yx", "I;16B": "yx", "F": "yx", "LA": "yxs", "RGB": "yxs"}


def read_picture(path: Path) -> RawImage:
    """Decode a PNG or JPEG.

    Raises
    ------
    SourceError
        If it is damaged, too large to decode, or a 16-bit colour PNG, which
        the decoder would reduce to 8 bits.
    """
    notes: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                _refuse_deep_colour(path)
                known = image.mode in (*_AXES, "RGBA")
                if not known:
                    notes.append(f"its {image.mode} colours are converted to RGB")
                axes = _AXES.get(image.mode, "yxs")
                pixels = np.asarray(image if known else image.convert("RGB"))
    except Image.DecompressionBombError as error:
        raise SourceError(
            f"{path}: {error}", "a PNG or JPEG is decoded as a whole", "convert it to a tiled TIFF or OME-Zarr"
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise SourceError(
            f"{path} cannot be decoded: {error}", remedy="open it in a viewer and save it again", path=str(path)
        ) from error
    return RawImage(pixels, axes, default_chunks(pixels.shape, axes), notes=tuple(notes), uri=str(path))


def _refuse_deep_colour(path: Path) -> None:
    """Refuse a PNG of 16 bits per colour, which Pillow would silently reduce to 8."""
    with path.open("rb") as file:
        header = file.read(26)
    if header.startswith(b"\x89PNG") and len(header) == 26 and header[24] == 16 and header[25] in (2, 4, 6):
        raise SourceError(
            f"{path} is a PNG of 16 bits per colour, which the decoder reduces to 8",
            "a PNG has 8 bits per colour, or 16 bits in one channel",
            "convert it to TIFF",
            path=str(path),
        )
