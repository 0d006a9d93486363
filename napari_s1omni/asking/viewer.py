"""The viewer: it shows parts of a layer and gives out their pixels, and keeps a record of all that was seen.

It is the only way to the layer, also for code in the sandbox. A view is made from the level of the pyramid that is just
sharp enough; without a pyramid, larger parts are read strip by strip and averaged, so memory stays bounded.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.asking.view import Picture, PixelBox, ViewRecord, picture_digest
from napari_s1omni.errors import ViewError
from napari_s1omni.results.display_colors import (
    MOST_CHANNELS,
    Window,
    color_channels,
    color_picture,
    display_window,
    picture_top,
)
from napari_s1omni.storage.source import Source

_STRIP = 2**22
"""Pixels that are read at once."""
_SAMPLES, _SAMPLE = 3, 256
"""Windows along each axis, and their edge in px, from which the contrast of a large plane is taken."""


@dataclass(frozen=True, slots=True)
class ViewBudget:
    """What one question may read."""

    views: int = 64
    """Pictures."""
    pixels: int = 256 * 10**6
    """Pixels, of views and of regions together."""
    seconds: float = 60.0
    """Time spent reading."""
    largest_view: int = 2048
    """Longest edge of a picture, in px."""


class Viewer:
    """Looks at one layer.

    Parameters
    ----------
    source : Source
        The layer.
    budget : ViewBudget, optional
    box : PixelBox, optional
        Part of the layer that may be seen; by default all of it.
    """

    def __init__(self, source: Source, budget: ViewBudget | None = None, box: PixelBox | None = None) -> None:
        self.source, self.budget = source, budget or ViewBudget()
        self.levels = [source, *source.levels()]
        spec = source.spec
        self.box = box or PixelBox(0, 0, spec.size("y"), spec.size("x"))
        self.pictures: list[Picture] = []
        """All views so far."""
        self.pixels_read, self.seconds = 0, 0.0
        self._windows: dict[tuple[int, int], Window] = {}
        self._top: float | None = None

    def view(
        self,
        box: tuple[int, int, int, int] | None = None,
        *,
        level: int | None = None,
        z: int | None = None,
        t: int | None = None,
        channels: tuple[int, ...] | None = None,
        contrast: tuple[float, float] | None = None,
        size: int = 1024,
    ) -> Picture:
        """Show a part of the layer.

        Parameters
        ----------
        box : (int, int, int, int), optional
            First row and column, and those after the last, in px of the full resolution; by default all of it.
        level : int, optional
            Level of the pyramid; by default the one that is just sharp enough.
        z, t : int, optional
            Plane and time point; by default the middle one and the first.
        channels : tuple of int, optional
            By default all, at most four.
        contrast : (float, float), optional
            Values shown black and in full colour; by default the 0.5 and 99.5 percentiles of the whole plane, so
            that views can be compared.
        size : int
            Longest edge of the picture, in px.

        Raises
        ------
        ViewError
            If a value is not allowed, or what one question may read is used up; the message says what is allowed.
        SourceError
            If the layer cannot be read.
        """
        if len(self.pictures) >= self.budget.views:
            raise ViewError("another view", f"{self.budget.views} in all were allowed", "answer with what was seen")
        spec = self.source.spec
        wanted = self._box(box)
        size = integer("size", size, 16, self.budget.largest_view)
        z = spec.size("z") // 2 if z is None else integer("z", z, 0, spec.size("z") - 1)
        t = 0 if t is None else integer("t", t, 0, spec.size("t") - 1)
        shown = self._channels(channels)
        stated = None if contrast is None else contrast_window(contrast)
        number = self._level(wanted, size) if level is None else integer("level", level, 0, len(self.levels) - 1)
        planes, seen, step, count = self._planes(number, wanted, z, t, shown, size)
        windows: tuple[Window, ...] = ()
        if spec.rgb:
            pixels = color_picture(planes, self._picture_top(planes))
        else:
            if len(planes) > MOST_CHANNELS:
                planes = planes.max(axis=0, keepdims=True)
            windows = tuple(stated or self._window(t, c) for c in shown[: len(planes)])
            known = self.source.acquisition.channels
            named = [known[c] for c in shown] if known else []
            pixels = color_channels(planes, windows, named)
        rows, cols = pixels.shape[:2]
        name = f"view {len(self.pictures) + 1}"
        record = ViewRecord(name, seen, number, step, t, z, shown, windows, (rows, cols), picture_digest(pixels), count)
        self.pictures.append(Picture(record, pixels))
        return self.pictures[-1]

    def part_of(self, name: str | None, rel: Sequence[float]) -> PixelBox:
        """Return a part of an earlier picture as a box of the layer.

        Parameters
        ----------
        name : str or None
            Name of the picture; None is the last one.
        rel : sequence of 4 float
            ``(x0, y0, x1, y1)`` in thousandths of the picture, as many models point.

        Raises
        ------
        ViewError
            If there is no such picture, or the numbers are no part of it.
        """
        named = {picture.record.name: picture for picture in self.pictures}
        chosen = named.get(name) if name is not None else (self.pictures[-1] if self.pictures else None)
        if chosen is None:
            raise ViewError(f"the picture {name!r}", f"shown were {', '.join(named) or 'none'}", "name one of these")
        try:
            x0, y0, x1, y1 = (float(value) for value in rel)
        except (TypeError, ValueError):
            x0 = y0 = x1 = y1 = math.nan
        if not (0 <= x0 < x1 <= 1000 and 0 <= y0 < y1 <= 1000):
            raise ViewError(f"rel = {rel!r}", "(x0, y0, x1, y1) that increase from 0 to 1000", "correct them")
        box = chosen.record.box
        height, width = box.y1 - box.y0, box.x1 - box.x0
        return PixelBox(
            box.y0 + math.floor(y0 * height / 1000),
            box.x0 + math.floor(x0 * width / 1000),
            box.y0 + math.ceil(y1 * height / 1000),
            box.x0 + math.ceil(x1 * width / 1000),
        )

    def region(
        self, y: int, x: int, height: int, width: int, *, level: int = 0, z: int = 0, t: int = 0, c: int = 0
    ) -> NDArray[Any]:
        """Return the pixels (height, width) of one channel as they are stored.

        Rows, columns and sizes are in px of the level.

        Raises
        ------
        ViewError
            If a value is not allowed, or what one question may read is used up; the message says what is allowed.
        SourceError
            If the layer cannot be read.
        """
        level = integer("level", level, 0, len(self.levels) - 1)
        source = self.levels[level]
        spec = source.spec
        allowed = self._at_level(level, self.box)[0]
        y, x = integer("y", y, allowed.y0, allowed.y1 - 1), integer("x", x, allowed.x0, allowed.x1 - 1)
        height, width = integer("height", height, 1, allowed.y1 - y), integer("width", width, 1, allowed.x1 - x)
        z, t, c = (integer(a, v, 0, spec.size(a) - 1) for a, v in (("z", z), ("t", t), ("c", c)))
        pixels = self._read(source, PixelBox(y, x, y + height, x + width), z, t, slice(c, c + 1))
        return pixels.reshape(height, width)

    def _box(self, box: tuple[int, int, int, int] | None) -> PixelBox:
        if box is None:
            return self.box
        if len(box) != 4:
            raise ViewError(f"a box of {len(box)} numbers", "(y0, x0, y1, x1)", "give four whole numbers")
        y0, x0 = (
            integer(name, value, self.box[i], self.box[i + 2] - 1)
            for i, (name, value) in enumerate(zip(("y0", "x0"), box[:2], strict=True))
        )
        y1 = integer("y1", box[2], y0 + 1, self.box.y1)
        x1 = integer("x1", box[3], x0 + 1, self.box.x1)
        return PixelBox(y0, x0, y1, x1)

    def _channels(self, channels: tuple[int, ...] | None) -> tuple[int, ...]:
        count = self.source.spec.size("c")
        if channels is None or self.source.spec.rgb:
            return tuple(range(count))
        if not 1 <= len(set(channels)) == len(channels) <= count:
            raise ViewError(f"channels {channels}", f"different ones of 0 to {count - 1}", "choose at least one")
        return tuple(integer("channel", c, 0, count - 1) for c in channels)

    def _level(self, box: PixelBox, size: int) -> int:
        """Return the finest level at which a box is at most `size` px long, else the coarsest."""
        for number in range(len(self.levels)):
            part = self._at_level(number, box)[0]
            if max(part.y1 - part.y0, part.x1 - part.x0) <= size:
                return number
        return len(self.levels) - 1

    def _at_level(self, level: int, box: PixelBox) -> tuple[PixelBox, tuple[float, float]]:
        """Return a box in px of a level, rounded outwards, and the full resolution's pixels per pixel of the level."""
        spec, full = self.levels[level].spec, self.source.spec
        factors = tuple(spec.scale_of(a) / full.scale_of(a) for a in "yx")
        low = [math.floor(box[i] / factors[i]) for i in range(2)]
        high = [min(spec.size("yx"[i]), math.ceil(box[i + 2] / factors[i])) for i in range(2)]
        low = [min(a, b - 1) for a, b in zip(low, high, strict=True)]
        return PixelBox(low[0], low[1], high[0], high[1]), (factors[0], factors[1])

    def _planes(
        self, level: int, box: PixelBox, z: int, t: int, channels: tuple[int, ...], size: int
    ) -> tuple[NDArray[np.float32], PixelBox, tuple[float, float], int]:
        """Return planes (c, y, x), the box they show, their step, and the pixels read."""
        source = self.levels[level]
        part, factors = self._at_level(level, box)
        height, width = part.y1 - part.y0, part.x1 - part.x0
        by = max(1, math.ceil(max(height, width) / size))
        count = height * width * len(channels)
        self._check_pixels(count)
        # Levels of a pyramid may have fewer planes.
        z = (
            min(z, source.spec.size("z") - 1)
            if source.spec.size("z") == self.source.spec.size("z")
            else (z * source.spec.size("z") // self.source.spec.size("z"))
        )
        chosen = slice(min(channels), max(channels) + 1)
        inside = [c - chosen.start for c in channels]
        rows = max(1, _STRIP // (width * by * len(channels))) * by
        strips = []
        for y in range(part.y0, part.y1, rows):
            strip = self._read(source, PixelBox(y, part.x0, min(part.y1, y + rows), part.x1), z, t, chosen)[inside]
            strips.append(_averaged(strip.astype(np.float32), by))
        seen = PixelBox(
            max(self.box.y0, math.floor(part.y0 * factors[0])),
            max(self.box.x0, math.floor(part.x0 * factors[1])),
            min(self.box.y1, math.ceil(part.y1 * factors[0])),
            min(self.box.x1, math.ceil(part.x1 * factors[1])),
        )
        return np.concatenate(strips, 1), seen, (by * factors[0], by * factors[1]), count

    def _read(self, source: Source, box: PixelBox, z: int, t: int, channels: slice) -> NDArray[Any]:
        """Read (c, y, x)."""
        self._check_pixels((box.y1 - box.y0) * (box.x1 - box.x0) * (channels.stop - channels.start))
        places = {
            "t": slice(t, t + 1),
            "c": channels,
            "z": slice(z, z + 1),
            "y": slice(box.y0, box.y1),
            "x": slice(box.x0, box.x1),
        }
        begin = time.monotonic()
        pixels = source.read(tuple(places[a] for a in source.spec.axes))
        self.seconds += time.monotonic() - begin
        self.pixels_read += pixels.size
        return pixels.reshape(-1, *pixels.shape[-2:])

    def _check_pixels(self, count: int) -> None:
        left = self.budget.pixels - self.pixels_read
        if count > left:
            raise ViewError(
                f"{count / 1e6:.3g} million pixels",
                f"{max(0, left) / 1e6:.3g} million are left",
                "look at a smaller part",
            )
        if self.seconds > self.budget.seconds:
            raise ViewError(
                f"{self.seconds:.0f} s of reading",
                f"{self.budget.seconds:.0f} s were allowed",
                "answer with what was seen",
            )

    def _window(self, t: int, channel: int) -> Window:
        """Return the contrast of one channel, from the coarsest level, or from windows spread over it."""
        key = (t, channel)
        if key not in self._windows:
            source = self.levels[-1]
            size = source.spec.size("y"), source.spec.size("x")
            boxes = [PixelBox(0, 0, *size)]
            if math.prod(size) > _STRIP:
                starts = [
                    [round(i * (n - _SAMPLE) / (_SAMPLES - 1)) for i in range(_SAMPLES)] if n > _SAMPLE else [0]
                    for n in size
                ]
                boxes = [
                    PixelBox(y, x, min(size[0], y + _SAMPLE), min(size[1], x + _SAMPLE))
                    for y in starts[0]
                    for x in starts[1]
                ]
            z = source.spec.size("z") // 2
            values = [self._read(source, box, z, t, slice(channel, channel + 1)).ravel() for box in boxes]
            self._windows[key] = display_window(np.concatenate(values).astype(np.float32))
        return self._windows[key]

    def _picture_top(self, planes: NDArray[np.float32]) -> float:
        if self._top is None:
            self._top = picture_top(self.source.spec.dtype, planes)
        return self._top


def integer(name: str, value: Any, low: int, high: int) -> int:
    """Return a whole number within limits; refuse anything else, also true and false.

    Raises
    ------
    ViewError
        If it is none.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)
    if not whole or not low <= value <= high:
        raise ViewError(f"{name} = {value!r}", f"whole numbers from {low} to {high}", "choose one of these", name=name)
    return int(value)


def contrast_window(contrast: Any) -> Window:
    """Return a stated contrast; refuse what are not two finite, increasing numbers.

    Raises
    ------
    ViewError
        If it is none.
    """
    try:
        low, high = (float(value) for value in contrast)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ViewError(f"contrast = {contrast!r}", "two finite numbers, the smaller first", "state both, or neither")
    return low, high


def _averaged(planes: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    """Average squares of `by` px; those at the end have what there is."""
    if by == 1:
        return planes
    for axis in (1, 2):
        n = planes.shape[axis]
        starts = np.arange(0, n, by)
        counts = np.minimum(by, n - starts).astype(np.float32)
        shape = [1, 1, 1]
        shape[axis] = len(starts)
        planes = np.add.reduceat(planes, starts, axis) / counts.reshape(shape)
    return planes
