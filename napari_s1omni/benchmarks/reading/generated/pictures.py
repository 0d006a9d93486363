"""Pictures in the modes and formats that Pillow writes. What they show is what Pillow shows of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_s1omni.benchmarks.reading.generated.draws import Draws, Made
from napari_s1omni.benchmarks.reading.references import picture

_ORIENTATION = 0x0112
"""EXIF tag that says how a camera was held."""


def png(folder: Path, draws: Draws) -> Made:
    """Write a PNG of any mode, perhaps with a transparent colour or a resolution."""
    mode = draws.one("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
    options: dict[str, Any] = {"dpi": (300, 300)} if draws.chance(0.3) else {}
    if mode in ("L", "P") and draws.chance(0.3):
        options["transparency"] = 3
    return _saved(_image(mode, draws), folder / draws.one("a.png", "A.PNG"), f"PNG, {mode}", options)


def jpeg(folder: Path, draws: Draws) -> Made:
    """Write a JPEG, perhaps of a camera that was turned."""
    mode = draws.one("L", "RGB", "RGB", "CMYK")
    options: dict[str, Any] = {"quality": 90}
    if draws.chance(0.6):
        exif = Image.Exif()
        exif[_ORIENTATION] = draws.one(2, 3, 4, 5, 6, 7, 8)
        options["exif"] = exif
    return _saved(_image(mode, draws), folder / draws.one("a.jpg", "a.jpeg"), "JPEG", options)


def other(folder: Path, draws: Draws) -> Made:
    """Write a BMP, WebP, GIF or JPEG 2000."""
    name = draws.one("bmp", "webp", "gif", "jp2")
    mode = draws.one(
        *{"bmp": ("1", "L", "P", "RGB"), "webp": ("RGB", "RGBA"), "gif": ("L", "P"), "jp2": ("L", "RGB")}[name]
    )
    options = {"webp": {"lossless": True}}.get(name, {})
    return _saved(_image(mode, draws), folder / f"a.{name}", {"jp2": "JPEG 2000"}.get(name, name.upper()), options)


def moving(folder: Path, draws: Draws) -> Made:
    """Write a GIF, WebP or PNG of three frames."""
    name = draws.one("gif", "webp", "png")
    frames = [_image("L" if name == "gif" else "RGB", draws, edge=24) for _ in range(3)]
    options: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": 100}
    if name == "webp":
        options["lossless"] = True
    return _saved(frames[0], folder / f"a.{name}", f"{name.upper()}, moving", options)


def grey_as_colours(folder: Path, draws: Draws) -> Made:
    """Write grey as three equal colours."""
    return _saved(_image("L", draws).convert(draws.one("RGB", "RGBA")), folder / "a.png", "PNG, grey as colours", {})


def _image(mode: str, draws: Draws, edge: int | None = None) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(draws.pixels("yx", "u2"))
    if mode == "1":
        return Image.fromarray(draws.pixels("yx", "?"))
    values = draws.pixels("yxs" if mode != "L" and mode != "P" else "yx", "u1")
    if edge:
        values = np.resize(values, (edge, edge, *values.shape[2:]))
    if mode in ("L", "RGB"):
        return Image.fromarray(values)
    if mode == "P":
        image = Image.fromarray(values).convert("P")
        image.putpalette(draws.pixels("sx", "u1").tobytes().ljust(768, b"\7")[:768])
        return image
    if mode == "LA":
        return Image.merge("LA", Image.fromarray(values).split()[:2])
    bands = Image.fromarray(values).split()
    return Image.merge(mode, (*bands, bands[0].rotate(180)))


def _saved(image: Image.Image, path: Path, format: str, options: dict[str, Any]) -> Made:
    image.save(path, **options)
    return Made(path, format, picture.read(path))


PICTURES = (png, png, jpeg, other, moving, grey_as_colours)
