"""Which levels of a pyramid show what the finest one shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from napari_s1omni.storage.readers.volumes.stored_pixels import StoredPixels

P = TypeVar("P", bound=StoredPixels)


def fitting_levels(axes: str, finest: P, others: Sequence[P], notes: list[str]) -> tuple[P, ...]:
    """Return the levels that are coarser along z, y and x, and equal along other axes, in order; note the others.

    Parameters
    ----------
    axes : str
        One letter per dimension.
    finest : StoredPixels
    others : sequence of StoredPixels
    notes : list of str
    """
    kept: list[P] = []
    for number, level in enumerate(others, 1):
        above = kept[-1] if kept else finest
        sizes = list(zip(level.shape, above.shape, strict=False))
        same = len(level.shape) == len(finest.shape) and level.dtype == finest.dtype
        if (
            same
            and level.shape != above.shape
            and all(n <= m and (n == m or a in "zyx") for a, (n, m) in zip(axes, sizes, strict=True))
        ):
            kept.append(level)
        else:
            notes.append(f"level {number} ({level.shape}, {level.dtype}) is no coarser copy of level 0 and is not used")
    return tuple(kept)
