"""Sink: the protocol by which a run writes its result, block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import ShardIndex
from napari_s1omni.errors import StoreError


@runtime_checkable
class Sink(Protocol):
    """Receives the blocks of a result and stores them in memory or on disk."""

    @property
    def target(self) -> LayerSpec:
        """The layer that is written."""
        ...

    @property
    def block(self) -> tuple[int, ...]:
        """Size of a block in pixels of the target, per axis."""
        ...

    @property
    def levels(self) -> Sequence[Any]:
        """Array-likes (shape, dtype, ``__getitem__``), full resolution first."""
        ...

    def write_block(self, origin: tuple[int, ...], pixels: NDArray[Any]) -> str:
        """Write one block and its part of the pyramid, replacing an earlier version.

        Parameters
        ----------
        origin : tuple of int
            First pixel, a multiple of the block size along every axis.
        pixels : array
            In the target's dtype, of the size of a block, or cut at the end of the target.

        Returns
        -------
        str
            Digest of the pixels, independent of how they are stored.

        Raises
        ------
        StoreError
            If origin, shape or dtype do not match a block.
        DiskFull
            If there is not enough space.
        """
        ...

    def read(self, box: tuple[slice, ...], level: int = 0) -> NDArray[Any]:
        """Read a box in pixels of a level; unwritten pixels are 0."""
        ...

    def digest(self, index: ShardIndex) -> str:
        """Return the digest of a block as stored now; that of :meth:`write_block` unless the block was altered.

        Raises
        ------
        StoreDamaged
            If it cannot be read.
        """
        ...

    def complete_pyramid(self, digests: Mapping[ShardIndex, str] | None = None) -> int:
        """Compute the coarse levels, which are not written with the blocks.

        Parameters
        ----------
        digests : mapping, optional
            Digest of each finished block. Only shards whose blocks are all
            finished, and changed since the last time, are computed.
            By default everything is computed.

        Returns
        -------
        int
            Number of computed shards.
        """
        ...


def check_block(
    origin: tuple[int, ...],
    pixels: NDArray[Any],
    *,
    shape: tuple[int, ...],
    block: tuple[int, ...],
    dtype: str,
    name: str,
) -> None:
    """Refuse pixels that are not exactly one block of an array of this shape, block size and dtype."""
    if len(origin) != len(shape) or any(o % b or not 0 <= o < n for o, b, n in zip(origin, block, shape, strict=True)):
        raise StoreError(
            f"block origin {origin} in {name} of shape {shape}",
            f"it is a multiple of the block size {block} inside the shape",
        )
    expected = tuple(min(b, n - o) for o, b, n in zip(origin, block, shape, strict=True))
    if pixels.shape != expected or pixels.dtype.name != dtype:
        raise StoreError(
            f"{pixels.dtype.name} pixels of shape {pixels.shape} at {origin} in {name}",
            f"this block is {dtype} of shape {expected}",
            origin=origin,
        )
