"""What code shows, as arrays of uint8: arrays, figures of matplotlib, images of PIL, files in the scratch folder."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
NEW_FILES = 4
"""Picture files of one cell that are shown, the newest first."""


def pixels(shown: Any, side: int) -> tuple[Any, str]:
    """Return a picture of uint8, (y, x) or (y, x, 3), and a sentence where its values were changed.

    Parameters
    ----------
    shown : array_like, PIL.Image.Image or matplotlib figure
    side : int
        Pixels of the longest side that is allowed.

    Raises
    ------
    ValueError
        If it is no picture, or too large.
    """
    if hasattr(shown, "figure") and not hasattr(shown, "savefig"):
        shown = shown.figure
    if hasattr(shown, "savefig"):
        return drawn(shown, side), ""
    if hasattr(shown, "convert") and hasattr(shown, "size"):
        check(shown.size[1], shown.size[0], side)
        shown = shown.convert("RGB")
    array = np.asarray(shown)
    if array.ndim == 3 and array.shape[2] in (1, 2, 4):
        array = array[..., 0] if array.shape[2] < 3 else array[..., :3]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3) or array.dtype.kind not in "buif":
        raise ValueError(f"show() takes (y, x) or (y, x, 3) numbers, not {array.dtype} of shape {array.shape}")
    check(array.shape[0], array.shape[1], side)
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array), ""
    if array.dtype == bool:
        return array.astype(np.uint8) * 255, ""
    values = array.astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) * (255 / (high - low) if high > low else 0)
    return scaled.round().astype(np.uint8), f"shown with {low:g} as black and {high:g} as white"


def check(height: float, width: float, side: int) -> None:
    """Refuse a picture that is empty or too large, before anything is drawn."""
    if not (1 <= height <= side and 1 <= width <= side):
        raise ValueError(f"a picture has 1 to {side} pixels a side, not {height:.0f} x {width:.0f}")


def drawn(figure: Any, side: int) -> Any:
    """Draw a figure of matplotlib, and return (y, x, 3) pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    width, height = figure.get_size_inches() * figure.dpi
    check(height, width, side)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def open_figures() -> list[Any]:
    """Return the figures of pyplot that are open, and close them there."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return []
    figures = [pyplot.figure(number) for number in pyplot.get_fignums()]
    pyplot.close("all")
    return figures


def files(folder: str) -> dict[str, tuple[int, int]]:
    """Return the picture files of a folder: name -> time and size."""
    found = {}
    for entry in os.scandir(folder):
        if entry.name.lower().endswith(ENDINGS) and entry.is_file(follow_symlinks=False):
            at = entry.stat(follow_symlinks=False)
            found[entry.name] = (at.st_mtime_ns, at.st_size)
    return found


def new_files(folder: str, before: dict[str, tuple[int, int]]) -> list[str]:
    """Return the names of picture files that came or changed, oldest first, at most :data:`NEW_FILES`."""
    now = files(folder)
    changed = sorted((name for name, at in now.items() if before.get(name) != at), key=lambda name: now[name])
    return changed[-NEW_FILES:]


def opened(path: str, side: int) -> Any:
    """Return the pixels of a picture file."""
    from PIL import Image

    with Image.open(path) as image:
        return pixels(image, side)[0]
