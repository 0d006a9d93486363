"""Smaller copies of an array, level by level, and who writes which part of them.

Every level is made from the one above it. A halved axis keeps ``ceil(n / 2)``
px; at an odd end the window holds what exists. Images take the mean of the
window, integers rounded half to even; labels take the most frequent id, the
first in C order among equals, so that no id is invented.

A level is *owned* by the blocks as long as halving a block gives whole px and
the half is at least :data:`SMALLEST_SHARD` px: its shards are written together
with the block. The levels below are made of *units*, one shard each, computed
once everything under them is there. Shards of consecutive levels are nested.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec

Pixels = NDArray[Any]
Box = tuple[slice, ...]

SMALLEST_SHARD = 256
"""Edge in px below which a block's part of a level is not worth a file of its own."""
SMALLEST_LEVEL = 512
"""A level whose larger side is at most this many px is the last."""
ISOTROPIC = 1.5
"""z is halved where its px is at most this many times as large as that of y."""


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a pyramid; every tuple has one entry per axis."""

    shape: tuple[int, ...]
    """Size in px of this level."""
    shard: tuple[int, ...]
    """Size in px of this level of one file."""
    factor: tuple[int, ...]
    """Px of level 0 per px of this level."""
    halved: tuple[bool, ...]
    """Which axes were halved from the level above."""
    owned: bool
    """Whether the writer of a block writes this level too."""


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The levels of one array."""

    levels: tuple[Level, ...]
    """Level 0, the array itself, first."""
    labels: bool
    """Whether the px are ids rather than intensities."""

    @classmethod
    def of(cls, target: LayerSpec, block: tuple[int, ...]) -> Pyramid:
        """Lay out the levels of `target`, written in blocks of `block` px."""
        flat = tuple(target.axes.index(axis) for axis in "yx")
        level = Level(target.shape, block, (1,) * len(block), (False,) * len(block), True)
        levels = [level]
        while max(level.shape[i] for i in flat) > SMALLEST_LEVEL:
            level = _next(level, target, flat)
            levels.append(level)
        return cls(tuple(levels), target.kind == "labels" or target.np_dtype.kind == "b")

    def cascade(self, origin: tuple[int, ...], pixels: Pixels) -> Iterator[tuple[int, tuple[int, ...], Pixels]]:
        """Yield (level, origin, pixels) of everything that the writer of a block writes, level 0 first."""
        yield 0, origin, pixels
        for i, level in enumerate(self.levels[1:], 1):
            if not level.owned:
                return
            pixels = halve(pixels, level.halved, labels=self.labels)
            origin = tuple(o // 2 if h else o for o, h in zip(origin, level.halved, strict=True))
            yield i, origin, pixels

    @property
    def coarse(self) -> tuple[int, ...]:
        """Indices of the levels that are made of units."""
        return tuple(i for i, level in enumerate(self.levels) if not level.owned)

    def units(self, level: int) -> Iterator[tuple[int, ...]]:
        """Yield the origins of the units of a coarse level, in C order."""
        at = self.levels[level]
        yield from itertools.product(*(range(0, n, s) for n, s in zip(at.shape, at.shard, strict=True)))

    def reduce(self, level: int, origin: tuple[int, ...], read: Callable[[Box, int], Pixels]) -> Pixels:
        """Compute one unit from the level above, through ``read(box, level)``."""
        at, above = self.levels[level], self.levels[level - 1]
        box = []
        for o, s, h, n in zip(origin, at.shard, at.halved, above.shape, strict=True):
            k = 2 if h else 1
            box.append(slice(o * k, min((o + s) * k, n)))
        return halve(read(tuple(box), level - 1), at.halved, labels=self.labels)

    def blocks_under(self, level: int, origin: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """Yield the indices of the blocks that a unit depends on, in C order."""
        at, base = self.levels[level], self.levels[0]
        ranges = []
        for o, s, f, n, b in zip(origin, at.shard, at.factor, base.shape, base.shard, strict=True):
            ranges.append(range(o * f // b, math.ceil(min((o + s) * f, n) / b)))
        yield from itertools.product(*ranges)

    def stale(
        self, digests: Mapping[tuple[int, ...], str] | None, known: Callable[[int, tuple[int, ...]], str | None]
    ) -> Iterator[tuple[int, tuple[int, ...], str | None]]:
        """Yield (level, origin, inputs) of the units to compute, finer levels first.

        Parameters
        ----------
        digests : mapping or None
            Digest of each finished block; None yields every unit, with inputs None.
        known : callable
            Gives the inputs from which a unit was last computed, or None.
        """
        for level in self.coarse:
            for origin in self.units(level):
                if digests is None:
                    yield level, origin, None
                    continue
                inputs = self.inputs(level, origin, digests)
                if inputs is not None and known(level, origin) != inputs:
                    yield level, origin, inputs

    def inputs(self, level: int, origin: tuple[int, ...], digests: Mapping[tuple[int, ...], str]) -> str | None:
        """Digest of all that a unit is made from; None while a block under it is missing from `digests`."""
        found = hashlib.sha256()
        for block in self.blocks_under(level, origin):
            if block not in digests:
                return None
            found.update(f"{block}{digests[block]};".encode())
        return found.hexdigest()[:32]


def _next(above: Level, target: LayerSpec, flat: tuple[int, ...]) -> Level:
    """Lay out the level under `above`."""
    size = [s * f for s, f in zip(target.scale, above.factor, strict=True)]
    halved = []
    for i, axis in enumerate(target.axes):
        fine = axis in "yx" or (axis == "z" and size[i] <= ISOTROPIC * size[flat[0]])
        halved.append(fine and above.shape[i] > 1)
    shard = []
    owned = above.owned
    for i, (s, n, h) in enumerate(zip(above.shard, above.shape, halved, strict=True)):
        if not h:
            shard.append(s)
            continue
        whole = s % 2 == 0 or s >= n
        smallest = SMALLEST_SHARD if i in flat and s < n else 1
        if whole and math.ceil(s / 2) >= smallest:
            shard.append(math.ceil(s / 2))
        else:
            # A multiple keeps the shards of the two levels nested.
            shard.append(s * math.ceil(smallest / s))
            owned = False
    shape = tuple(math.ceil(n / 2) if h else n for n, h in zip(above.shape, halved, strict=True))
    factor = tuple(f * 2 if h else f for f, h in zip(above.factor, halved, strict=True))
    return Level(shape, tuple(shard), factor, tuple(halved), owned)


def halve(pixels: Pixels, axes: tuple[bool, ...], *, labels: bool = False) -> Pixels:
    """Halve the chosen axes of an array.

    Parameters
    ----------
    pixels : array
        Starts at an even px of its level along the halved axes.
    axes : tuple of bool
        Which axes to halve.
    labels : bool
        Take the most frequent value of each window instead of the mean.

    Returns
    -------
    array
        Same dtype; ``ceil(n / 2)`` px along the halved axes.
    """
    if not any(axes):
        return pixels
    # Repeating the last px leaves both the mean and the mode of a partial window as they are.
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
    if dtype.kind == "f":
        return np.asarray(_sum(pixels, axes, np.dtype(np.float64)) / 2**shift, dtype)
    if dtype.itemsize < 8:
        total = _sum(pixels, axes, np.dtype(np.int32 if dtype.itemsize < 4 else np.int64))
        whole = total >> shift
    else:
        # Sums of 64-bit integers overflow: the whole parts and the rests are added apart.
        total = _sum(pixels & (2**shift - 1), axes, dtype)
        whole = _sum(pixels >> shift, axes, dtype) + (total >> shift)
    rest = total & (2**shift - 1)
    # Above the half up, below it down, at the half to the even one.
    up = rest + (whole & 1) > 2**shift // 2
    return np.asarray(whole + up, dtype)


def _mode(pixels: Pixels, axes: tuple[bool, ...]) -> Pixels:
    parts = [pixels]
    for i, h in enumerate(axes):
        if h:
            parts = [half for part in parts for half in _halves(part, i)]
    best = np.array(parts[0], order="C")
    # Only windows of more than one id need counting: those at the borders of objects.
    mixed = np.nonzero(np.logical_or.reduce([part != best for part in parts[1:]]))
    values = np.stack([part[mixed] for part in parts])
    counts = np.zeros(values.shape, np.uint8)
    for value in values:
        counts += values == value
    best[mixed] = np.take_along_axis(values, counts.argmax(axis=0)[None], axis=0)[0]
    return best
