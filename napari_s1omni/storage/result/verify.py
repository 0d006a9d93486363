"""verify: whether what is stored is still what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from napari_s1omni.errors import StoreDamaged
from napari_s1omni.storage.logs.journal import BlockRecord, BlockState
from napari_s1omni.storage.sinks.sink import BlockIndex

_KEPT: tuple[BlockState, ...] = ("written", "quarantined")
"""States of blocks that have something stored; around the holes of a quarantined one are px like any other."""


def verify(
    digest: Callable[[BlockIndex], str],
    records: Iterable[BlockRecord],
    quality: Callable[[BlockIndex], str] | None = None,
) -> Iterator[BlockIndex]:
    """Read every written block again; yield the index of each that is not what its record says.

    The coarse levels belong to no block: compute them again with
    ``complete_pyramid()`` without digests.

    Parameters
    ----------
    digest : callable
        Digest of a block as it is stored now, such as :meth:`ResultStore.digest`.
    records : iterable of BlockRecord
        Those in states ``written`` and ``quarantined`` are read; the others hold no pixels.
    quality : callable, optional
        Digest of a block's quality maps as they are stored now.
    """
    for record in records:
        if record.state not in _KEPT:
            continue
        checks = ((digest, record.digest), (quality, record.quality))
        if not all(_intact(read, record.block, expected) for read, expected in checks if read and expected):
            yield record.block


def _intact(read: Callable[[BlockIndex], str], block: BlockIndex, expected: str) -> bool:
    try:
        return read(block) == expected
    except StoreDamaged:
        return False
