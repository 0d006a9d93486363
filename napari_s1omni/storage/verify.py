"""verify: whether what is stored is still what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from napari_s1omni.errors import StoreDamaged
from napari_s1omni.storage.journal import BlockRecord
from napari_s1omni.storage.sink import BlockIndex


def verify(digest: Callable[[BlockIndex], str], records: Iterable[BlockRecord]) -> Iterator[BlockIndex]:
    """Read every written block again; yield the index of each that is not what its record says.

    The coarse levels belong to no block: compute them again with
    ``complete_pyramid()`` without digests.

    Parameters
    ----------
    digest : callable
        Digest of a block as it is stored now, such as :meth:`ResultStore.digest`.
    records : iterable of BlockRecord
        Those in state ``written`` are read; the others hold no pixels.
    """
    for record in records:
        if record.state != "written":
            continue
        try:
            intact = digest(record.block) == record.digest
        except StoreDamaged:
            intact = False
        if not intact:
            yield record.block
