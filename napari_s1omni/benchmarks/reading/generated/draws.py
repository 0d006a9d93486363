"""Random choices of a generated file, which depend on its seed alone, and what was written into it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.benchmarks.reading.seen import Seen, arrange

_T = TypeVar("_T")
_FEW = {"t": (2, 3), "c": (2, 4), "z": (2, 5), "s": (3, 3)}
"""Axis -> smallest and largest number of pixels, beside y and x."""


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A file that was written."""

    path: Path
    """What to open."""
    format: str
    """Its row in the table."""
    truth: Seen
    """What was written."""


class Draws:
    """The choices of one file."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._values = np.random.default_rng(self._random.getrandbits(63))

    def one(self, *choices: _T) -> _T:
        """Return one of the choices."""
        return self._random.choice(choices)

    def chance(self, probability: float = 0.5) -> bool:
        """Return True with this probability."""
        return self._random.random() < probability

    def number(self, low: float, high: float) -> float:
        """Return a number with four decimals."""
        return round(self._random.uniform(low, high), 4)

    def pixels(self, axes: str, dtype: Any) -> NDArray[Any]:
        """Return random pixels over the whole range of integers, or around 0."""
        shape = [self._random.randint(*_FEW.get(a, (17, 40))) for a in axes]
        kind = np.dtype(dtype)
        if kind.kind == "b":
            return self._values.random(shape) > 0.5
        if kind.kind in "iu":
            limits = np.iinfo(kind)
            native = kind.newbyteorder("=")
            return self._values.integers(limits.min, limits.max, shape, dtype=native, endpoint=True).astype(kind)
        return self._values.normal(0, 100, shape).astype(kind)

    def sizes(self, axes: str) -> dict[str, float]:
        """Return a pixel size per axis of time and space, different along each."""
        return {a: self.number(0.05, 0.9) + "xyzt".index(a) for a in axes if a in "tzyx"}

    def channel_names(self, count: int) -> tuple[str, ...]:
        """Return names of channels, now and then two of the same."""
        names = ["DAPI", "GFP", "actin", "Cy5, far red", "β-tubulin", "488 nm"]
        self._random.shuffle(names)
        if count > 1 and self.chance(0.2):
            names[1] = names[0]
        return tuple(names[:count])


def written(
    letters: str,
    pixels: NDArray[Any],
    scale: Mapping[str, float] | None = None,
    units: Mapping[str, str | None] | None = None,
    position: Mapping[str, float] | None = None,
    names: tuple[str, ...] | None = (),
    *,
    images: int = 1,
) -> Seen:
    """Return what was written, with dimensions in stored order; sizes that are not given are 1 without a unit."""
    axes, arranged, guessed = arrange(letters, pixels)
    spatial = axes.replace("c", "")
    return Seen(
        "what was written",
        axes,
        arranged,
        {**dict.fromkeys(spatial, 1.0), **_along(scale, spatial)},
        {**dict.fromkeys(spatial), **_along(units, spatial)},
        {**dict.fromkeys(spatial, 0.0), **_along(position, spatial)},
        names,
        guessed and len(letters) > 2,
        images,
    )


def _along(values: Mapping[str, Any] | None, axes: str) -> dict[str, Any]:
    return {a: v for a, v in (values or {}).items() if a in axes}
