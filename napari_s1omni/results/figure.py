"""Figures drawn with Pillow: panels, contours and text on one sheet.

All lengths are in pixels of the finished sheet. Everything is drawn at twice
its size and reduced at the end, so that thin lines stay even.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SCALE = 2
"""Pixels drawn per pixel of the sheet, along each axis."""
PALETTE = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167))
"""Colour-blind safe colours (Okabe and Ito, 2008) that are bright enough for a dark image."""
INK = (25, 28, 33)
GREY = (105, 112, 122)
PAPER = (255, 255, 255)
CARD = (246, 247, 249)

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@cache
def font(size: float) -> Any:
    """Return Pillow's own typeface; `size` in pixels of the sheet."""
    return ImageFont.load_default(size * SCALE)


class Sheet:
    """A white sheet that takes panels and text.

    Parameters
    ----------
    width, height : int
        Size in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._image = Image.new("RGB", (width * SCALE, height * SCALE), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    def render(self) -> Image.Image:
        """Return the finished sheet."""
        return self._image.resize((self.width, self.height), Image.Resampling.LANCZOS)

    def panel(self, image: Image.Image, left: float, top: float) -> None:
        """Place a panel, drawn at :data:`SCALE`, with a thin frame."""
        self._image.paste(image, (round(left * SCALE), round(top * SCALE)))
        corner = ((left * SCALE) + image.width - 1, (top * SCALE) + image.height - 1)
        self._draw.rectangle((left * SCALE, top * SCALE, *corner), outline=(200, 204, 210), width=1)

    def text(self, words: str, left: float, top: float, size: float, colour: Colour = INK) -> float:
        """Write one line; return its right end."""
        self._draw.text((left * SCALE, top * SCALE), words, fill=colour, font=font(size))
        return left + text_width(words, size)

    def card(self, lines: Sequence[tuple[str, float, Colour]], box: Box, mark: Colour, margin_right: float = 0) -> None:
        """Write lines of text into a box with a coloured edge.

        Parameters
        ----------
        lines : sequence of (text, size, colour)
            Each is wrapped; text that does not fit ends in dots.
        box : (left, top, right, bottom)
        mark : colour
            Colour of the edge.
        margin_right : float
            Pixels to leave free at the right.
        """
        left, top, right, bottom = box
        self._draw.rectangle([v * SCALE for v in box], fill=CARD)
        self._draw.rectangle([v * SCALE for v in (left, top, left + 4, bottom)], fill=mark)
        y = top + 14
        for words, size, colour in lines:
            for line in wrap_text(words, size, right - left - 34 - margin_right):
                if y + 2.5 * size > bottom - 8:
                    self.text("...", left + 18, y, size, colour)
                    return
                self.text(line, left + 18, y, size, colour)
                y += 1.36 * size
            y += (0.1 if words.startswith("- ") else 0.35) * size


def text_width(words: str, size: float) -> float:
    """Return the width of one line in pixels."""
    return float(font(size).getlength(words)) / SCALE


def wrap_text(words: str, size: float, width: float) -> Iterator[str]:
    """Break text into lines of at most `width` pixels; the later lines of a list item are indented."""
    line, indent = "", "   " if words.startswith("- ") else ""
    for word in words.split():
        longer = f"{line} {word}" if line.strip() else f"{line}{word}"
        if line.strip() and text_width(longer, size) > width:
            yield line
            longer = indent + word
        line = longer
    yield line


@dataclass(frozen=True, slots=True)
class PanelView:
    """Part of an image that fills a panel, and its magnification."""

    width: int
    """Width of the panel in pixels."""
    height: int
    """Height of the panel in pixels."""
    zoom: float
    """Pixels of the panel per pixel of the image."""
    y: float = 0.0
    """First visible row of the image."""
    x: float = 0.0
    """First visible column of the image."""

    def image(self, pixels: NDArray[np.uint8], *, smooth: bool = True) -> Image.Image:
        """Render the visible part of a uint8 image, (H, W) or (H, W, 3)."""
        method = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
        stop = self.x + self.width / self.zoom, self.y + self.height / self.zoom
        size = self.width * SCALE, self.height * SCALE
        return Image.fromarray(pixels).convert("RGB").resize(size, method, box=(self.x, self.y, *stop))

    def labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return the visible labels at the size of the panel, at :data:`SCALE`."""
        rows = (np.arange(self.height * SCALE) + 0.5) / (self.zoom * SCALE) + self.y
        cols = (np.arange(self.width * SCALE) + 0.5) / (self.zoom * SCALE) + self.x
        found: NDArray[Any] = labels[np.ix_(rows.astype(int), cols.astype(int))]
        return found

    def box(self, y: tuple[float, float], x: tuple[float, float]) -> Box:
        """Return where a box of the image lies on the panel, at :data:`SCALE`."""
        k = self.zoom * SCALE
        return (x[0] - self.x) * k, (y[0] - self.y) * k, (x[1] - self.x) * k - 1, (y[1] - self.y) * k - 1


def label_colours(labels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the palette colour of each label: uint8 (..., 3); background is black."""
    colours = np.array([(0, 0, 0), *PALETTE], np.uint8)
    # Neighbouring objects often have neighbouring labels; a step of 5 in 6 colours makes them differ.
    found: NDArray[np.uint8] = colours[np.where(labels > 0, labels.astype(np.int64) * 5 % len(PALETTE) + 1, 0)]
    return found


def draw_contours(image: Image.Image, labels: NDArray[Any], thickness: int = 2) -> Image.Image:
    """Draw the outline of every object, just inside of it, over the image."""
    edge = np.zeros(labels.shape, bool)
    for _ in range(thickness):
        inside = np.where(edge, 0, labels)
        padded = np.pad(inside, 1, mode="edge")
        for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
            edge |= (labels > 0) & (padded[dy : dy + labels.shape[0], dx : dx + labels.shape[1]] != labels)
    pixels = np.asarray(image).copy()
    pixels[edge] = label_colours(labels)[edge]
    return Image.fromarray(pixels)


def fill_labels(image: Image.Image, labels: NDArray[Any], share: float = 0.6) -> Image.Image:
    """Fill every object with its colour, as a share of what is shown of the image."""
    pixels = np.asarray(image).copy()
    inside = labels > 0
    mixed = share * label_colours(labels)[inside] + (1 - share) * pixels[inside]
    pixels[inside] = mixed.astype(np.uint8)
    return Image.fromarray(pixels)


def draw_boxes(image: Image.Image, boxes: Sequence[Box], colour: Colour, alpha: float, width: int = 1) -> Image.Image:
    """Draw translucent rectangles over the image."""
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    for box in boxes:
        draw.rectangle(box, outline=(*colour, round(255 * alpha)), width=width)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")
