"""What every set of levels has in common: which arrays there are, and who writes which of their shards.

The finer levels may be written *with the blocks*. The *coarse* levels are computed shard by shard, once all blocks
under a shard are written.
"""

from __future__ import annotations

import hashlib
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Pixels = NDArray[Any]
Box = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Level:
    """One level; every tuple has one entry per axis."""

    shape: tuple[int, ...]
    """Size in pixels of this level."""
    shard: tuple[int, ...]
    """Size in pixels of this level of one shard."""
    with_blocks: bool
    """Whether this level is written together with the blocks."""


class Levels(ABC):
    """The levels of one result; level 0 is the result itself."""

    levels: tuple[Level, ...]

    @abstractmethod
    def name(self, level: int) -> str:
        """Return the name of the array of a level."""

    @abstractmethod
    def place(self, level: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return, in pixels of level 0 per axis, the size of a pixel of a level and the centre of its first one."""

    def is_finer(self, level: int) -> bool:
        """Whether a level has more pixels than the result itself, from which it is enlarged."""
        return False

    @abstractmethod
    def block_levels(self, origin: tuple[int, ...], pixels: Pixels) -> Iterator[tuple[int, tuple[int, ...], Pixels]]:
        """Yield (level, origin, pixels) of all levels that are written with a block, level 0 first."""

    @abstractmethod
    def compute_shard(self, level: int, origin: tuple[int, ...], read: Callable[[Box, int], Pixels]) -> Pixels:
        """Compute one shard of a coarse level from an earlier level, which ``read(box, level)`` reads."""

    @abstractmethod
    def blocks_under(self, level: int, origin: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """Yield the indices of the blocks that a shard depends on, in C order."""

    @property
    def coarse_levels(self) -> tuple[int, ...]:
        """Indices of the levels that are not written with the blocks, in the order in which they are computed."""
        return tuple(i for i, level in enumerate(self.levels) if not level.with_blocks)

    def shard_origins(self, level: int) -> Iterator[tuple[int, ...]]:
        """Yield the origins of the shards of a level, in C order."""
        at = self.levels[level]
        yield from itertools.product(*(range(0, n, s) for n, s in zip(at.shape, at.shard, strict=True)))

    def shards_over(self, blocks: Collection[tuple[int, ...]]) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield (level, origin) of the coarse shards that depend on some blocks, in the order of computation."""
        changed = set(blocks)
        for level in self.coarse_levels:
            for origin in self.shard_origins(level):
                if not changed.isdisjoint(self.blocks_under(level, origin)):
                    yield level, origin

    def stale_shards(
        self, digests: Mapping[tuple[int, ...], str] | None, known: Callable[[int, tuple[int, ...]], str | None]
    ) -> Iterator[tuple[int, tuple[int, ...], str | None]]:
        """Yield (level, origin, input digest) of the coarse shards to compute, in the order of computation.

        Parameters
        ----------
        digests : mapping or None
            Digest of each finished block. None yields every shard, with input digest None.
        known : callable
            Returns the input digest from which a shard was last computed, or None.
        """
        for level in self.coarse_levels:
            for origin in self.shard_origins(level):
                if digests is None:
                    yield level, origin, None
                    continue
                inputs = self.input_digest(level, origin, digests)
                if inputs is not None and known(level, origin) != inputs:
                    yield level, origin, inputs

    def input_digest(self, level: int, origin: tuple[int, ...], digests: Mapping[tuple[int, ...], str]) -> str | None:
        """Return the digest of all blocks under a shard; None while one is missing from `digests`."""
        found = hashlib.sha256()
        for block in self.blocks_under(level, origin):
            if block not in digests:
                return None
            found.update(f"{block}{digests[block]};".encode())
        return found.hexdigest()[:32]
