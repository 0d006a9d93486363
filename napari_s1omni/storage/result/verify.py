"""Find blocks whose stored pixels are no longer what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from napari_s1omni.core.tiling import ShardIndex
from napari_s1omni.errors import StoreDamaged
from napari_s1omni.storage.logs.journal import BlockRecord, BlockState

_STORED: tuple[BlockState, ...] = ("written", "quarantined")
"""States of blocks with stored pixels; a quarantined block has them around its holes."""


def find_damaged_blocks(
    digest: Callable[[ShardIndex], str],
    records: Iterable[BlockRecord],
    quality: Callable[[ShardIndex], str] | None = None,
) -> Iterator[ShardIndex]:
    """Reread every written block; yield the index of each whose digest differs from its record.

    The coarse levels are not checked: recompute them with
    ``complete_pyramid()`` without digests.

    Parameters
    ----------
    digest : callable
        Returns the digest of a block as stored now, such as :meth:`ResultStore.digest`.
    records : iterable of BlockRecord
        Those in states ``written`` and ``quarantined`` are checked; the others have no pixels.
    quality : callable, optional
        Returns the digest of a block's quality maps as stored now.
    """
    for record in records:
        if record.state not in _STORED:
            continue
        checks = ((digest, record.digest), (quality, record.quality))
        if not all(_intact(read, record.block, expected) for read, expected in checks if read and expected):
            yield record.block


def _intact(read: Callable[[ShardIndex], str], block: ShardIndex, expected: str) -> bool:
    try:
        return read(block) == expected
    except StoreDamaged:
        return False
