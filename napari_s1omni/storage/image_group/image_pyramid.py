"""The levels of labels inside an image: as many as the image has, of the same sizes, in the same places.

Programs halve an image with floor or ceil, by 2 or 3, along z or not. So each level takes the nearest pixel of the
level before it, as the image's own scales and translations say; an id stays an id. Level 0 is the one that was
segmented. Where that is not the finest level of the image, the finer ones are enlarged from it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.storage.image_group.image_levels import ImageLevel, ImageLevels
from napari_s1omni.storage.image_group.label_place import LabelPlace
from napari_s1omni.storage.result.levels import Box, Level, Levels, Pixels
from napari_s1omni.storage.result.pyramid import SMALLEST_SHARD

_ROUNDING = 1e-6
"""Fraction of a pixel that is lost when positions are computed."""


@dataclass(frozen=True, slots=True)
class FollowedLevel(Level):
    """One level of an :class:`ImagePyramid`."""

    path: str
    """Name of the array."""
    number: int
    """Level of the image with the same pixels."""
    first: tuple[int, ...]
    """First pixel in that level of the image."""
    step: tuple[float, ...]
    """Pixels of level 0 per pixel of this level."""
    start: tuple[float, ...]
    """Centre of the first pixel, in pixels of level 0."""


@dataclass(frozen=True, slots=True)
class ImagePyramid(Levels):
    """Levels of labels that follow those of an image."""

    levels: tuple[FollowedLevel, ...]
    """The segmented level, then the coarser ones, then the finer ones from coarse to fine."""

    @classmethod
    def of(cls, image: ImageLevels, target: LayerSpec, block: tuple[int, ...], place: LabelPlace) -> Self:
        """Return the levels of labels in an image, written in blocks of `block` px.

        Parameters
        ----------
        image : ImageLevels
        target : LayerSpec
            The labels.
        block : tuple of int
            Size of a block in pixels, per axis of `target`.
        place : LabelPlace
        """
        origin = place.origin or (0,) * len(target.axes)
        count = len(image.levels)
        levels = []
        for number in (*range(place.level, count), *reversed(range(place.level))):
            spans = [
                _follow(image.levels[place.level], image.levels[number], axis, o, n)
                for axis, o, n in zip(target.axes, origin, target.shape, strict=True)
            ]
            shape = tuple(span.size for span in spans)
            step = tuple(span.step for span in spans)
            shard = block if number == place.level else _shard(target.axes, shape, block, step)
            path = image.levels[number].path
            levels.append(
                FollowedLevel(
                    shape=shape,
                    shard=shard,
                    with_blocks=number == place.level,
                    path=path if "/" not in path and path.strip(".") else str(number),
                    number=number,
                    first=tuple(span.first for span in spans),
                    step=step,
                    start=tuple(span.start for span in spans),
                )
            )
        return cls(tuple(levels))

    @classmethod
    def from_json(cls, data: Sequence[Mapping[str, Any]]) -> Self:
        """Inverse of :meth:`to_json`."""
        fields: list[dict[str, Any]] = [
            {n: tuple(v) if isinstance(v, list) else v for n, v in level.items()} for level in data
        ]
        return cls(tuple(FollowedLevel(**level) for level in fields))

    def to_json(self) -> list[dict[str, Any]]:
        """Plain data for JSON."""
        return [{n: list(v) if isinstance(v, tuple) else v for n, v in asdict(level).items()} for level in self.levels]

    def name(self, level: int) -> str:
        """Return the name of the array of a level: that of the image's level."""
        return self.levels[level].path

    def place(self, level: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """See :meth:`Levels.place`."""
        return self.levels[level].step, self.levels[level].start

    def is_finer(self, level: int) -> bool:
        """Whether a level is finer than the one that was segmented."""
        return self.levels[level].number < self.levels[0].number

    def block_levels(self, origin: tuple[int, ...], pixels: Pixels) -> Iterator[tuple[int, tuple[int, ...], Pixels]]:
        """Yield the block itself: all other levels are computed once the blocks are written."""
        yield 0, origin, pixels

    def compute_shard(self, level: int, origin: tuple[int, ...], read: Callable[[Box, int], Pixels]) -> Pixels:
        """Compute one shard from the level before it, which ``read(box, level)`` reads."""
        at = self.levels[level]
        index = [
            self._nearest(level, axis, np.arange(o, min(o + s, n)))
            for axis, (o, s, n) in enumerate(zip(origin, at.shard, at.shape, strict=True))
        ]
        pixels = read(tuple(slice(int(i[0]), int(i[-1]) + 1) for i in index), self._before(level))
        return pixels[np.ix_(*(i - i[0] for i in index))]

    def blocks_under(self, level: int, origin: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """Yield the indices of the blocks that a shard depends on, in C order.

        These are the blocks under every shard that it reads, since those are written as a whole.
        """
        at = self.levels[level]
        spans = [(o, min(o + s, n)) for o, s, n in zip(origin, at.shard, at.shape, strict=True)]
        while level:
            before = self._before(level)
            for axis, (start, stop) in enumerate(spans):
                ends = self._nearest(level, axis, np.array([start, stop - 1]))
                edge, size = self.levels[before].shard[axis], self.levels[before].shape[axis]
                spans[axis] = int(ends[0]) // edge * edge, min((int(ends[1]) // edge + 1) * edge, size)
            level = before
        block = self.levels[0].shard
        yield from itertools.product(
            *(range(start // b, -(-stop // b)) for (start, stop), b in zip(spans, block, strict=True))
        )

    def _before(self, level: int) -> int:
        """Return the level from which a level is computed: the image's level next to it, on the side of level 0."""
        return 0 if self.levels[level].number == self.levels[0].number - 1 else level - 1

    def _nearest(self, level: int, axis: int, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the nearest pixels of the level before, for pixels of a level along one axis."""
        at, before = self.levels[level], self.levels[self._before(level)]
        position = (at.start[axis] - before.start[axis] + index * at.step[axis]) / before.step[axis]
        return _nearest(position, before.shape[axis])


@dataclass(frozen=True, slots=True)
class _Span:
    """Labels along one axis of one level."""

    first: int
    """First pixel in the image's level."""
    size: int
    step: float
    start: float


def _follow(base: ImageLevel, level: ImageLevel, axis: str, origin: int, size: int) -> _Span:
    """Return which pixels of a level show the pixels ``origin : origin + size`` of the segmented level."""
    whole, count = base.shape[axis], level.shape[axis]
    step = level.scale[axis] / base.scale[axis]
    start = (level.translate[axis] - base.translate[axis]) / base.scale[axis]
    # Programs round at each level, so extents may differ by some coarse pixels; others contradict the sizes.
    if abs(count * step - whole) > 2 * max(step, 1) or abs(start) > 2 * max(step, 1):
        step, start = whole / count, 0.0
    found = _nearest(start + np.arange(count) * step, whole)
    first = 0 if origin == 0 else min(int(np.searchsorted(found, origin)), count - 1)
    stop = count if origin + size == whole else int(np.searchsorted(found, origin + size))
    return _Span(first, max(1, stop - first), step, start + first * step - origin)


def _nearest(position: NDArray[np.floating[Any]], size: int) -> NDArray[np.int64]:
    """Return the nearest pixels; half way between two, the first of them."""
    return np.asarray(np.clip(np.ceil(position - 0.5 - _ROUNDING), 0, size - 1), np.int64)


def _shard(
    axes: Sequence[str], shape: tuple[int, ...], block: tuple[int, ...], step: tuple[float, ...]
) -> tuple[int, ...]:
    """Return a shard that takes about one block to compute, along y and x at least :data:`SMALLEST_SHARD` px."""
    shard = []
    for axis, n, b, s in zip(axes, shape, block, step, strict=True):
        least = SMALLEST_SHARD if axis in "yx" else 1
        shard.append(min(n, max(least, math.ceil(b / max(s, 1)))))
    return tuple(shard)
