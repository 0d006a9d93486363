"""What is looked at: a part of a layer, the picture that shows it, and what is kept of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.results.display_colors import Window


class PixelBox(NamedTuple):
    """A rectangle in px of the full resolution; rows and columns `y1` and `x1` are outside."""

    y0: int
    x0: int
    y1: int
    x1: int

    def contains(self, other: PixelBox) -> bool:
        """Return whether the whole of another box lies in this one."""
        return self.y0 <= other.y0 and self.x0 <= other.x0 and self.y1 >= other.y1 and self.x1 >= other.x1


@dataclass(frozen=True, slots=True)
class ViewRecord:
    """Where a picture comes from; kept with the answer, so that anyone can look at the same place again."""

    name: str
    box: PixelBox
    """What it shows."""
    level: int
    """Level of the pyramid that was read; 0 is the full resolution."""
    step: tuple[float, float]
    """Pixels of the full resolution per pixel of the picture, along y and x."""
    t: int
    z: int
    channels: tuple[int, ...]
    windows: tuple[Window, ...]
    """The values of each channel that are shown black and in full colour; empty for colour pictures."""
    shape: tuple[int, int]
    """Rows and columns of the picture."""
    digest: str
    """SHA-256 of its pixels."""
    pixels_read: int
    """Pixels that were read of the layer."""

    def caption(self, unit_size: tuple[float, str] | None = None) -> str:
        """Say in one line what the picture shows; `unit_size`: size and unit of a pixel of the full resolution."""
        box, (rows, cols) = self.box, self.shape
        parts = [
            f"{self.name}: rows {box.y0} to {box.y1}, columns {box.x0} to {box.x1} of the layer",
            f"{cols} x {rows} px, one pixel is {_number(self.step[1])} px of the layer"
            + ("" if unit_size is None else f" ({_number(self.step[1] * unit_size[0])} {unit_size[1]})"),
            f"level {self.level}, z {self.z}, t {self.t}",
        ]
        shown = ", ".join(
            f"channel {number} from {_number(low)} to {_number(high)}"
            for number, (low, high) in zip(self.channels, self.windows, strict=False)
        )
        return "; ".join([*parts, *([shown] if shown else [])])

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "box": list(self.box),
            "level": self.level,
            "step": list(self.step),
            "t": self.t,
            "z": self.z,
            "channels": list(self.channels),
            "windows": [list(window) for window in self.windows],
            "shape": list(self.shape),
            "digest": self.digest,
            "pixels_read": self.pixels_read,
        }


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture with its record."""

    record: ViewRecord
    pixels: NDArray[np.uint8]
    """(rows, columns, 3)."""

    def to_layer(self, y: float, x: float) -> tuple[float, float]:
        """Return the place in the layer, in px of the full resolution, of a place in the picture, in its pixels.

        Both count from the centre of their first pixel.
        """
        box, (step_y, step_x) = self.record.box, self.record.step
        return box.y0 + (y + 0.5) * step_y - 0.5, box.x0 + (x + 0.5) * step_x - 0.5


def picture_digest(pixels: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of a picture's shape and pixels."""
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def _number(value: float) -> str:
    return f"{value:.4g}"
