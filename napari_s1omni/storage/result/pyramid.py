"""The levels of a multiscale image: their shapes, how they are computed, and who writes which shard.

Every level is made from the one above it. A halved axis keeps ``ceil(n / 2)``
pixels; at an odd end the window holds the pixels that exist. Images take the mean of the
window's pixels that are not NaN, integers rounded half to even; labels take the most frequent id, the
first in C order among equals, so that no id is invented.

Levels are written *with the blocks*, as long as halving a block gives whole
pixels and at least :data:`SMALLEST_SHARD` px.
Shards of consecutive levels are nested.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.storage.result.levels import Box, Level, Levels, Pixels

SMALLEST_SHARD = 256
"""Smallest edge in pixels of a block's part of a level that gets its own file."""
SMALLEST_LEVEL = 512
"""The last level has at most this many pixels along y and x."""
ISOTROPIC = 1.5
"""z is halved if its pixel size is at most this many times that of y."""


@dataclass(frozen=True, slots=True)
class HalvedLevel(Level):
    """One level of a :class:`Pyramid`."""

    factor: tuple[int, ...]
    """Pixels of level 0 per pixel of this level."""
    halved: tuple[bool, ...]
    """Whether each axis is halved from the level above."""


@dataclass(frozen=True, slots=True)
class Pyramid(Levels):
    """The levels of one array."""

    levels: tuple[HalvedLevel, ...]
    """Level 0, the array itself, first."""
    labels: bool
    """Whether pixels are ids rather than intensities."""

    @classmethod
    def of(cls, target: LayerSpec, block: tuple[int, ...]) -> Pyramid:
        """Return the levels of `target`, written in blocks of `block` px."""
        flat = tuple(target.axes.index(axis) for axis in "yx")
        level = HalvedLevel(target.shape, block, True, (1,) * len(block), (False,) * len(block))
        levels = [level]
        while max(level.shape[i] for i in flat) > SMALLEST_LEVEL:
            level = _next(level, target, flat)
            levels.append(level)
        return cls(tuple(levels), target.kind == "labels" or target.np_dtype.kind == "b")

    def name(self, level: int) -> str:
        """Return the name of the array of a level: its number."""
        return str(level)

    def place(self, level: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """See :meth:`Levels.place`: the first pixel covers `factor` pixels, so its centre is (factor - 1) / 2."""
        factor = self.levels[level].factor
        return factor, tuple((f - 1) / 2 for f in factor)

    def block_levels(self, origin: tuple[int, ...], pixels: Pixels) -> Iterator[tuple[int, tuple[int, ...], Pixels]]:
        """Yield (level, origin, pixels) of all levels that are written with a block, level 0 first."""
        yield 0, origin, pixels
        for i, level in enumerate(self.levels[1:], 1):
            if not level.with_blocks:
                return
            pixels = halve(pixels, level.halved, labels=self.labels)
            origin = tuple(o // 2 if h else o for o, h in zip(origin, level.halved, strict=True))
            yield i, origin, pixels

    def compute_shard(self, level: int, origin: tuple[int, ...], read: Callable[[Box, int], Pixels]) -> Pixels:
        """Compute one shard of a coarse level from the level above, which ``read(box, level)`` reads."""
        at, above = self.levels[level], self.levels[level - 1]
        box = []
        for o, s, h, n in zip(origin, at.shard, at.halved, above.shape, strict=True):
            k = 2 if h else 1
            box.append(slice(o * k, min((o + s) * k, n)))
        return halve(read(tuple(box), level - 1), at.halved, labels=self.labels)

    def blocks_under(self, level: int, origin: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """Yield the indices of the blocks that a shard depends on, in C order."""
        at, base = self.levels[level], self.levels[0]
        ranges = []
        for o, s, f, n, b in zip(origin, at.shard, at.factor, base.shape, base.shard, strict=True):
            ranges.append(range(o * f // b, math.ceil(min((o + s) * f, n) / b)))
        yield from itertools.product(*ranges)


def _next(above: HalvedLevel, target: LayerSpec, flat: tuple[int, ...]) -> HalvedLevel:
    """Return the level below `above`."""
    size = [s * f for s, f in zip(target.scale, above.factor, strict=True)]
    halved = []
    for i, axis in enumerate(target.axes):
        fine = axis in "yx" or (axis == "z" and size[i] <= ISOTROPIC * size[flat[0]])
        halved.append(fine and above.shape[i] > 1)
    shard = []
    with_blocks = above.with_blocks
    for i, (s, n, h) in enumerate(zip(above.shard, above.shape, halved, strict=True)):
        if not h:
            shard.append(s)
            continue
        whole = s % 2 == 0 or s >= n
        smallest = SMALLEST_SHARD if i in flat and s < n else 1
        if whole and math.ceil(s / 2) >= smallest:
            shard.append(math.ceil(s / 2))
        else:
            # A multiple, so that the shards of the two levels are nested.
            shard.append(s * math.ceil(smallest / s))
            with_blocks = False
    shape = tuple(math.ceil(n / 2) if h else n for n, h in zip(above.shape, halved, strict=True))
    factor = tuple(f * 2 if h else f for f, h in zip(above.factor, halved, strict=True))
    return HalvedLevel(shape, tuple(shard), with_blocks, factor, tuple(halved))


def halve(pixels: Pixels, axes: tuple[bool, ...], *, labels: bool = False) -> Pixels:
    """Halve the chosen axes of an array.

    Parameters
    ----------
    pixels : array
        Starts at an even pixel of its level along the halved axes.
    axes : tuple of bool
        Whether to halve each axis.
    labels : bool
        Take the most frequent value of each window instead of the mean.

    Returns
    -------
    array
        Same dtype; ``ceil(n / 2)`` pixels along the halved axes.
    """
    if not any(axes):
        return pixels
    # Repeating the last pixel does not change the mean or the mode of a partial window.
    odd = [(0, n % 2 if h else 0) for n, h in zip(pixels.shape, axes, strict=True)]
    if any(after for _, after in odd):
        pixels = np.pad(pixels, odd, mode="edge")
    return _mode(pixels, axes) if labels else _mean(pixels, axes)


def _halves(pixels: Pixels, axis: int) -> tuple[Pixels, Pixels]:
    before = (slice(None),) * axis
    return pixels[(*before, slice(0, None, 2))], pixels[(*before, slice(1, None, 2))]


def _sum(pixels: Pixels, axes: tuple[bool, ...], dtype: np.dtype[Any]) -> Pixels:
    for i, chosen in enumerate(axes):
        if chosen:
            pixels = np.add(*_halves(pixels, i), dtype=dtype)
    return pixels


def _mean(pixels: Pixels, axes: tuple[bool, ...]) -> Pixels:
    dtype = pixels.dtype
    shift = sum(axes)
    if dtype.kind == "f" and np.isnan(pixels).any():
        # The mean of the pixels that are known.
        known = ~np.isnan(pixels)
        total = _sum(np.where(known, pixels, 0), axes, np.dtype(np.float64))
        count = _sum(known.astype(np.float64), axes, np.dtype(np.float64))
        return np.asarray(total / np.where(count > 0, count, np.nan), dtype)
    if dtype.kind == "f":
        return np.asarray(_sum(pixels, axes, np.dtype(np.float64)) / 2**shift, dtype)
    if dtype.itemsize < 8:
        total = _sum(pixels, axes, np.dtype(np.int32 if dtype.itemsize < 4 else np.int64))
        whole = total >> shift
    else:
        # Sums of 64-bit integers overflow, so quotients and remainders are summed separately.
        total = _sum(pixels & (2**shift - 1), axes, dtype)
        whole = _sum(pixels >> shift, axes, dtype) + (total >> shift)
    rest = total & (2**shift - 1)
    # Round half to even.
    up = rest + (whole & 1) > 2**shift // 2
    return np.asarray(whole + up, dtype)


def _mode(pixels: Pixels, axes: tuple[bool, ...]) -> Pixels:
    parts = [pixels]
    for i, h in enumerate(axes):
        if h:
            parts = [half for part in parts for half in _halves(part, i)]
    best = np.array(parts[0], order="C")
    # Only windows with more than one id, at the borders of objects, need counting.
    mixed = np.nonzero(np.logical_or.reduce([part != best for part in parts[1:]]))
    values = np.stack([part[mixed] for part in parts])
    counts = np.zeros(values.shape, np.uint8)
    for value in values:
        counts += values == value
    best[mixed] = np.take_along_axis(values, counts.argmax(axis=0)[None], axis=0)[0]
    return best
