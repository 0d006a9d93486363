"""Leases: blocks that a worker runs together, and which blocks are given out again after a worker was lost.

Pure bookkeeping, without Dask and without a clock. At any time every block is in
exactly one state: pending, suspect, leased, done or quarantined.

When a worker dies, all its leases are lost, and it is unknown which of their
blocks killed it. All unfinished blocks of these leases become suspects. A
suspect is leased again alone, as the only block on its worker. A block is
quarantined only after it failed twice alone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from napari_s1omni.errors import ClusterError
from napari_s1omni.execution.executors.block_order import BlockOrder
from napari_s1omni.execution.run.control import Focus

LEASES_PER_WORKER = 2
"""Leases that a worker holds: one that it runs, and one to continue with."""
MAX_BLOCKS = 256
"""Most blocks in a lease; limits what a killed worker costs, and the size of a message."""
TARGET_SECONDS = 30.0
"""Seconds of work that a lease should hold."""
_MAX_FAILURES_ALONE = 2
"""Failures alone after which a block is quarantined."""
_MAX_FAILURES_IN_A_ROW = 8
"""Failures of suspects without a success between them, after which the workers are blamed and not the blocks."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Blocks that one worker runs together."""

    number: int
    """Counts the leases of a run."""
    blocks: tuple[int, ...]
    """Blocks by number, in the order in which they are run."""
    alone: bool = False
    """Whether it holds a single suspect, which must be the only block on its worker."""


class LeaseBook:
    """Leases blocks to workers, and decides what happens to blocks that a worker did not finish.

    Parameters
    ----------
    order : BlockOrder
        The blocks to run.
    seconds : float
        Seconds of work that a lease should hold.
    max_blocks : int
        Most blocks in a lease.
    """

    def __init__(self, order: BlockOrder, *, seconds: float = TARGET_SECONDS, max_blocks: int = MAX_BLOCKS) -> None:
        self._order = order
        self._seconds = seconds
        self._max_blocks = max_blocks
        self._count = 0
        self._seconds_per_block: float | None = None
        self._suspects: deque[int] = deque()
        self._failures_alone: dict[int, int] = {}
        self._leases: dict[str, list[Lease]] = {}
        self._succeeded = False
        self._failures_in_a_row = 0

    @property
    def pending_blocks(self) -> int:
        """Number of blocks that are neither finished nor leased."""
        return len(self._order) + len(self._suspects)

    @property
    def open_leases(self) -> int:
        """Number of leases that workers hold."""
        return sum(map(len, self._leases.values()))

    @property
    def workers(self) -> tuple[str, ...]:
        """Workers that hold a lease."""
        return tuple(worker for worker, leases in self._leases.items() if leases)

    def lease(self, worker: str, workers: int, focus: Focus | None = None) -> Lease | None:
        """Lease blocks to a worker; None if it holds enough, or nothing is left for it.

        Parameters
        ----------
        worker : str
        workers : int
            Number of workers.
        focus : tuple, optional
            Lease the blocks nearest to this point, one by one.
        """
        held = self._leases.setdefault(worker, [])
        if len(held) >= LEASES_PER_WORKER or any(lease.alone for lease in held):
            return None
        if not held and self._suspects:
            if not self._succeeded and self._failures_alone.get(self._suspects[0]) and len(self._order):
                # Before the first success it is unknown whether the block or the worker is to blame: try another block.
                return self._add(worker, tuple(self._order.take(1, focus, worker)), alone=True)
            return self._add(worker, (self._suspects.popleft(),), alone=True)
        blocks = self._order.take(1 if focus else self._lease_size(workers), focus, worker)
        return self._add(worker, tuple(blocks)) if blocks else None

    def complete(self, worker: str, lease: Lease, seconds: float) -> None:
        """Close a lease after all its blocks were done, which took `seconds`."""
        self._remove(worker, lease)
        self._note_success()
        latest = seconds / len(lease.blocks)
        # The latest lease has a weight of one half, because the content changes from place to place.
        known = self._seconds_per_block
        self._seconds_per_block = latest if known is None else (known + latest) / 2

    def requeue(self, worker: str, lease: Lease, unfinished: Iterable[int]) -> None:
        """Close a lease that ended early through no fault of its blocks; the unfinished ones are leased again."""
        self._remove(worker, lease)
        if lease.alone:
            self._suspects.extend(unfinished)
        else:
            self._order.put_back(list(unfinished))

    def requeue_after_failure(
        self, worker: str, lease: Lease, unfinished: Iterable[int], reason: str
    ) -> tuple[int, ...]:
        """Close a lease that killed its worker or ended with an error; the unfinished blocks become suspects.

        Parameters
        ----------
        worker : str
        lease : Lease
        unfinished : iterable of int
            Blocks of the lease that are not done.
        reason : str
            What happened.

        Returns
        -------
        tuple of int
            Blocks to be quarantined, because they failed alone too often.

        Raises
        ------
        ClusterError
            If it seems that the workers are broken and not the blocks.
        """
        self._remove(worker, lease)
        blocks = list(unfinished)
        if len(blocks) < len(lease.blocks):
            self._note_success()
        if not lease.alone:
            self._suspects.extend(blocks)
            return ()
        return tuple(block for block in blocks if self._failed_alone(block, reason))

    def _failed_alone(self, block: int, reason: str) -> bool:
        """Count a failure of a suspect; return whether it is to be quarantined, else it stays a suspect."""
        failures = self._failures_alone
        failures[block] = failures.get(block, 0) + 1
        bad = failures[block] >= _MAX_FAILURES_ALONE
        self._failures_in_a_row += bad or not self._succeeded
        others_left = (
            len(self._order)
            or any(failures.get(other, 0) < _MAX_FAILURES_ALONE for other in self._suspects)
            or self.open_leases
        )
        hopeless = bad and not self._succeeded and not others_left
        if hopeless or self._failures_in_a_row >= _MAX_FAILURES_IN_A_ROW:
            raise ClusterError(
                f"no block can be run: {reason}", "workers that finish a block", "look into their logs, then resume"
            )
        if bad and self._succeeded:
            return True
        self._suspects.append(block)
        return False

    def _note_success(self) -> None:
        self._succeeded = True
        self._failures_in_a_row = 0

    def _add(self, worker: str, blocks: tuple[int, ...], alone: bool = False) -> Lease:
        self._count += 1
        lease = Lease(self._count, blocks, alone)
        self._leases[worker].append(lease)
        return lease

    def _remove(self, worker: str, lease: Lease) -> None:
        self._leases[worker].remove(lease)
        if not self._leases[worker]:
            del self._leases[worker]

    def _lease_size(self, workers: int) -> int:
        """Number of blocks in the next lease."""
        if self._seconds_per_block is None:
            return 1
        wanted = self._seconds / max(self._seconds_per_block, 1e-9)
        # Guided self-scheduling: leases shrink towards the end, so that no worker is waited for.
        share = math.ceil(len(self._order) / (2 * LEASES_PER_WORKER * max(1, workers)))
        return int(max(1, min(wanted, self._max_blocks, share)))
