"""Sink: where a run puts its result, block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import StoreError

BlockIndex = tuple[int, ...]
"""Which block along each axis of the target, counted from the output's own origin."""


@runtime_checkable
class Sink(Protocol):
    """Takes every block of a result once; the same whether it keeps it in memory or on disk."""

    @property
    def target(self) -> LayerSpec:
        """What is written."""
        ...

    @property
    def block(self) -> tuple[int, ...]:
        """Size of a block in px of the target, per axis."""
        ...

    @property
    def levels(self) -> Sequence[Any]:
        """Array-likes (shape, dtype, ``__getitem__``), full resolution first."""
        ...

    def write_block(self, origin: tuple[int, ...], pixels: NDArray[Any]) -> str:
        """Write one block and its part of the pyramid; a second time replaces it.

        Parameters
        ----------
        origin : tuple of int
            First px, a multiple of the block size along every axis.
        pixels : array
            In the target's dtype; as large as a block, or up to the end of the target.

        Returns
        -------
        str
            Digest over the pixels, independent of how they are stored.

        Raises
        ------
        StoreError
            If origin, shape or dtype are not those of a block.
        DiskFull
            If there is no space for it.
        """
        ...

    def read(self, box: tuple[slice, ...], level: int = 0) -> NDArray[Any]:
        """Read a box in px of a level; what was not written is 0."""
        ...

    def digest(self, index: BlockIndex) -> str:
        """Digest of a block as it is now; equals that of :meth:`write_block` unless the block was altered.

        Raises
        ------
        StoreDamaged
            If it cannot be read.
        """
        ...

    def complete_pyramid(self, digests: Mapping[BlockIndex, str] | None = None) -> int:
        """Compute the coarse levels, which no block owns.

        Parameters
        ----------
        digests : mapping, optional
            Digest of each block that is done. Only what depends on these alone
            is computed, and only where they changed since the last time.
            Without it everything is computed.

        Returns
        -------
        int
            How many units were computed.
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
    """Refuse what is not exactly one block of an array of this shape, block size and dtype."""
    if len(origin) != len(shape) or any(o % b or not 0 <= o < n for o, b, n in zip(origin, block, shape, strict=True)):
        raise StoreError(
            f"origin {origin} in {name} of shape {shape}", f"multiples of the block size {block} inside the shape"
        )
    expected = tuple(min(b, n - o) for o, b, n in zip(origin, block, shape, strict=True))
    if pixels.shape != expected or pixels.dtype.name != dtype:
        raise StoreError(
            f"{pixels.dtype.name} pixels of shape {pixels.shape} at {origin} in {name}",
            f"{dtype} of shape {expected}",
            origin=origin,
        )
