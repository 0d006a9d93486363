"""Leases: which blocks are handed out together, and what becomes of those that do not come back.

Pure bookkeeping; it knows no Dask and no clock. At any time every block is in
exactly one place: waiting, suspected, handed out, done or condemned.

A worker that dies takes its leases with it, and nobody knows which of their
blocks killed it. All of them become suspects, and a suspect runs alone: as the
only block on its worker. Only a block that fails alone twice is condemned.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from napari_s1omni.errors import ClusterError
from napari_s1omni.execution.executors.block_order import BlockOrder
from napari_s1omni.execution.run.control import Focus

WINDOW = 2
"""Leases a worker holds: one in work and one to go on with."""
LARGEST = 256
"""Most blocks in a lease: what a killed worker costs is bounded, and so is a message."""
SECONDS = 30.0
"""Work in a lease that is aimed at."""
_STRIKES = 2
"""Lonely failures after which a block is condemned."""
_BAD_LUCK = 8
"""Lonely failures one after the other that tell of a broken worker rather than of bad blocks."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Blocks that one worker runs without asking again."""

    epoch: int
    """Counts the leases of a run."""
    blocks: tuple[int, ...]
    """By number, in the order in which they are to be run."""
    alone: bool = False
    """A suspect, which runs as the only block of its worker."""


class LeaseBook:
    """Hands out blocks and takes note of what came back.

    Parameters
    ----------
    order : BlockOrder
        The blocks to run.
    seconds : float
        Work in a lease that is aimed at.
    largest : int
        Most blocks in a lease.
    """

    def __init__(self, order: BlockOrder, *, seconds: float = SECONDS, largest: int = LARGEST) -> None:
        self._order = order
        self._seconds = seconds
        self._largest = largest
        self._epoch = 0
        self._pace: float | None = None
        self._suspects: deque[int] = deque()
        self._strikes: dict[int, int] = {}
        self._out: dict[str, list[Lease]] = {}
        self._succeeded = False
        self._luck = 0

    @property
    def waiting(self) -> int:
        """Blocks that nobody has."""
        return len(self._order) + len(self._suspects)

    @property
    def out(self) -> int:
        """Leases that are handed out."""
        return sum(map(len, self._out.values()))

    @property
    def suspects(self) -> int:
        """Blocks that wait to be run alone."""
        return len(self._suspects)

    def held(self, worker: str) -> tuple[Lease, ...]:
        """Return the leases of a worker."""
        return tuple(self._out.get(worker, ()))

    @property
    def holders(self) -> tuple[str, ...]:
        """Workers that have a lease."""
        return tuple(worker for worker, leases in self._out.items() if leases)

    def next(self, worker: str, workers: int, focus: Focus | None = None) -> Lease | None:
        """Hand out a lease, or None if this worker has enough or nothing is left for it.

        Parameters
        ----------
        worker : str
        workers : int
            How many there are.
        focus : tuple, optional
            Take the blocks nearest to this point, one by one.
        """
        held = self._out.setdefault(worker, [])
        if len(held) >= WINDOW or any(lease.alone for lease in held):
            return None
        if not held and self._suspects:
            if not self._succeeded and self._strikes.get(self._suspects[0]) and len(self._order):
                # While nothing ever succeeded, nobody knows whether it is the block or the worker.
                return self._give(worker, tuple(self._order.take(1, focus)), alone=True)
            return self._give(worker, (self._suspects.popleft(),), alone=True)
        blocks = self._order.take(1 if focus else self._size(workers), focus)
        return self._give(worker, tuple(blocks)) if blocks else None

    def done(self, worker: str, lease: Lease, seconds: float) -> None:
        """Take back a lease of which every block is done."""
        self._take(worker, lease)
        self._went_well()
        pace = seconds / len(lease.blocks)
        # The newest lease counts for half: content changes from place to place.
        self._pace = pace if self._pace is None else (self._pace + pace) / 2

    def returned(self, worker: str, lease: Lease, undone: Iterable[int]) -> None:
        """Take back a lease that was not run to its end, through no fault of its blocks."""
        self._take(worker, lease)
        if lease.alone:
            self._suspects.extend(undone)
        else:
            self._order.put_back(list(undone))

    def failed(self, worker: str, lease: Lease, undone: Iterable[int], why: str) -> tuple[int, ...]:
        """Take back a lease that took its worker with it, or ended with an error.

        Returns
        -------
        tuple of int
            Blocks that are condemned now.

        Raises
        ------
        ClusterError
            If it is rather the workers that are broken.
        """
        self._take(worker, lease)
        undone = list(undone)
        if len(undone) < len(lease.blocks):
            self._went_well()
        if not lease.alone:
            self._suspects.extend(undone)
            return ()
        condemned = []
        for block in undone:
            self._strikes[block] = self._strikes.get(block, 0) + 1
            guilty = self._strikes[block] >= _STRIKES
            self._luck += guilty or not self._succeeded
            others = len(self._order) or any(self._strikes.get(n, 0) < _STRIKES for n in self._suspects) or self.out
            if self._luck >= _BAD_LUCK or (guilty and not self._succeeded and not others):
                raise ClusterError(
                    f"no block can be run: {why}", "workers that finish a block", "look into their logs, then resume"
                )
            if guilty and self._succeeded:
                condemned.append(block)
            else:
                self._suspects.append(block)
        return tuple(condemned)

    def _went_well(self) -> None:
        self._succeeded = True
        self._luck = 0

    def _give(self, worker: str, blocks: tuple[int, ...], alone: bool = False) -> Lease:
        self._epoch += 1
        lease = Lease(self._epoch, blocks, alone)
        self._out[worker].append(lease)
        return lease

    def _take(self, worker: str, lease: Lease) -> None:
        self._out[worker].remove(lease)
        if not self._out[worker]:
            del self._out[worker]

    def _size(self, workers: int) -> int:
        if self._pace is None:
            return 1
        wanted = self._seconds / max(self._pace, 1e-9)
        # Guided self-scheduling: towards the end everyone gets less, so that nobody is waited for.
        share = math.ceil(len(self._order) / (2 * WINDOW * max(1, workers)))
        return int(max(1, min(wanted, self._largest, share)))
