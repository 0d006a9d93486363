"""Reads the records that workers append to the journal, into the block table of the driver."""

from __future__ import annotations

import time
from collections.abc import Iterable

from napari_s1omni.errors import ClusterError
from napari_s1omni.execution.executors.leases import Lease
from napari_s1omni.execution.run.events import BlockDone, OnEvent, TilesDone
from napari_s1omni.execution.run.run_output import RunOutput
from napari_s1omni.execution.run.watch import JournalTail

_MAX_DELAY = 90.0
"""Seconds that a network file system gets to show what other machines wrote."""
_INTERVAL = 0.25


class JournalReader:
    """Follows the journal of a run, and turns new records into events.

    Parameters
    ----------
    output : RunOutput
        Its block table is updated.
    on_event : callable
        Told of finished blocks and their tiles.
    """

    def __init__(self, output: RunOutput, on_event: OnEvent) -> None:
        self._blocks = output.blocks
        self._add = output.add
        self._on_event = on_event
        self._tail = JournalTail(output.store.work / "journal", history=False)

    def update(self) -> None:
        """Read the new records."""
        for record in self._tail.read():
            number = self._blocks.number(record.block)
            known = self._blocks.is_finished(number)
            self._add(record)
            if self._blocks.is_finished(number) and not known:
                if drawn := record.tiles.get("drawn", 0):
                    seconds = record.seconds.get("think", 0.0) + record.seconds.get("generate", 0.0)
                    self._on_event(TilesDone(drawn, seconds))
                self._on_event(BlockDone(record))

    def unfinished(self, lease: Lease) -> list[int]:
        """Return the blocks of a lease that are not finished, as of now: a lost worker may have finished some."""
        self.update()
        return [number for number in lease.blocks if not self._blocks.is_finished(number)]

    def wait_for(self, blocks: Iterable[int]) -> None:
        """Wait until the records of finished blocks can be read here: a network file system may be late.

        Raises
        ------
        ClusterError
            If they do not appear.
        """
        end = time.monotonic() + _MAX_DELAY
        finished = list(blocks)
        while missing := [number for number in finished if not self._blocks.is_finished(number)]:
            if time.monotonic() > end:
                raise ClusterError(
                    f"{len(missing)} blocks that workers finished are not in the journal as it is seen here",
                    "a folder that all machines see alike",
                    "look at the file system, then resume",
                )
            time.sleep(_INTERVAL)
            self.update()
