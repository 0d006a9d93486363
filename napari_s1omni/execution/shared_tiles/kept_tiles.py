"""Keeps drawn tiles for the other blocks that need them, so that no tile is drawn twice.

::

    engine draws a tile          other blocks need it?
        |                            |
        |---- add ----------------> in memory     newest 128 MB; and those that are not on disk yet
        |---- store (write-behind) > on disk      .s1omni/shared_tiles, up to S1OMNI_SCRATCH
                                     |
    block needs a tile ---- find --> memory, else disk, else it is drawn
    all its blocks are committed --> release: deleted

A tile is the same for every block that needs it: its pixels, its thought and its noise depend on its place alone. So it
does not matter who draws it, and a tile that is lost, damaged or had no room is drawn again with the same result.
Nobody waits for a tile: two workers that need one at the same moment both draw it. Leases keep workers apart, so that
this is rare. A tile is on disk before the first of its blocks is in the journal; what a kill loses is what was being
drawn. A stamp of everything that decides its pixels (the plan, sampling and prompt of a redo, the thought) is stored
with it and compared.

A tile that failed is not kept: each block that needs it tries it again, and has a hole where it fails.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block, TilePlace
from napari_s1omni.core.units import format_bytes
from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.pipeline.thought_provider import ThoughtProvider
from napari_s1omni.execution.pipeline.tile_attempt import GeneratedTile
from napari_s1omni.execution.pipeline.tile_input import TileInput
from napari_s1omni.planning.memory import kept_bytes
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.tile_sharing import TileSharing
from napari_s1omni.storage.files.tile_scratch import TileScratch

_LOOK_AGAIN = 5.0
"""Seconds between two looks for tiles that another process deleted, while the scratch is full."""


@dataclasses.dataclass(slots=True)
class _Kept:
    """A drawn tile in memory."""

    image: NDArray[np.float32]
    thought: str
    pending: bool
    """Whether it still waits for its own block, so that it must stay here."""


class KeptTiles:
    """The drawn tiles of one process that other blocks need.

    Parameters
    ----------
    plan : Plan
    sharing : TileSharing
    scratch : TileScratch, optional
        Where they are stored for later and for other processes; left out, they are only in memory.
    room : int
        Most bytes that this process keeps on disk at a time.
    spare : int
        Bytes that must stay free on the disk, for the result.
    unfinished : callable
        Whether a block, by number, is still to be made; other blocks need no tiles.
    """

    def __init__(
        self,
        plan: Plan,
        sharing: TileSharing,
        scratch: TileScratch | None = None,
        *,
        room: int = 0,
        spare: int = 0,
        unfinished: Callable[[int], bool] = lambda number: True,
    ) -> None:
        self.note = ""
        """Why tiles are drawn twice; empty while all are kept."""
        self._grid = plan.grid
        self._sharing = sharing
        self._scratch = scratch if room else None
        self._left_over = scratch
        self.room = room
        """Most bytes that this process keeps on disk at a time."""
        self.spare = spare
        """Bytes that must stay free on the disk."""
        self._unfinished = unfinished
        self._capacity = kept_bytes(plan)
        self._plan_digest = plan.digest
        self._thoughts: ThoughtProvider | None = None
        self._lock = threading.RLock()
        self._memory: dict[TilePlace, _Kept] = {}
        self._in_memory = 0
        self._on_disk: dict[TilePlace, int] = {}
        self._bytes_on_disk = 0
        self._looked = 0.0

    def use(self, thoughts: ThoughtProvider) -> None:
        """Set the thoughts of the run, from which stamps are made."""
        self._thoughts = thoughts

    def sweep(self) -> None:
        """Delete tiles on disk that no block needs any more, and count the others; only while no worker runs."""
        if self._scratch is None:
            # A run that kept tiles may have begun it.
            self.clear()
            return
        for place, size in self._scratch.places():
            if any(self._is_unfinished(index) for index in self._sharing.blocks(place)):
                self._count(place, size)
            else:
                self._drop(place)

    def find(self, tile: TileInput) -> GeneratedTile | None:
        """Return a tile that was drawn for another block; None if it is to be drawn."""
        place = tile.place
        if not self._sharing.is_shared(place):
            return None
        with self._lock:
            kept = self._memory.pop(place, None)
            if kept is not None:
                # The latest use counts.
                self._memory[place] = kept
        if kept is None:
            if self._scratch is None or not self._scratch.has(place) or (stamp := self._stamp(tile)) is None:
                return None
            image = self._scratch.get(place, stamp)
            if image is None:
                return None
            kept = _Kept(image, self._known_thoughts.key(tile), pending=False)
            self._remember(place, kept)
        return GeneratedTile(tile, kept.image, "kept", thought=kept.thought)

    def add(self, drawn: GeneratedTile) -> None:
        """Keep a tile in memory, right after it was drawn, if another block needs it."""
        place = drawn.source.place
        if drawn.state != "drawn" or drawn.image is None or not self._is_needed(drawn.source):
            return
        self._remember(place, _Kept(drawn.image, drawn.thought, pending=True))

    def store(self, drawn: GeneratedTile) -> None:
        """Store a tile on disk if it is kept; on a full disk it is left out, which :attr:`note` says."""
        place = drawn.source.place
        with self._lock:
            kept = self._memory.get(place)
            if kept is None or not kept.pending or drawn.state != "drawn":
                return
        try:
            stamp = self._stamp(drawn.source)
            if self._scratch is not None and stamp is not None and self._has_room(kept.image.nbytes):
                self._count(place, self._scratch.put(place, kept.image, stamp))
        except S1OmniError as error:
            self.note = (
                self.note or f"Some tiles at faces of blocks are drawn twice, since they cannot be kept: {error}"
            )
        # Until now it is held by the queue anyway; from now on, a part of a micro-batch would hold all of it.
        whole = kept.image.base
        if whole is not None and whole.nbytes > kept.image.nbytes:
            kept.image = kept.image.copy()
            kept.image.flags.writeable = False
        with self._lock:
            kept.pending = False
            self._trim()

    def release(self, block: Block) -> None:
        """Delete the tiles of a finished block that no unfinished block needs."""
        for place in self._sharing.of_block(block):
            if not any(self._is_unfinished(index) for index in self._sharing.blocks(place)):
                self._drop(place)

    def clear(self) -> None:
        """Delete all tiles, at the end of the run."""
        if self._left_over is not None:
            self._left_over.clear()

    @property
    def _known_thoughts(self) -> ThoughtProvider:
        if self._thoughts is None:
            raise ValueError("kept tiles need the thoughts of the run")
        return self._thoughts

    def _is_needed(self, tile: TileInput) -> bool:
        """Whether another block that is still to be made needs a tile."""
        if not self._sharing.is_shared(tile.place):
            return False
        own = tile.block.index
        return any(index != own and self._is_unfinished(index) for index in self._sharing.blocks(tile.place))

    def _is_unfinished(self, index: Any) -> bool:
        return self._unfinished(self._grid.ravel(index))

    def _stamp(self, tile: TileInput) -> bytes | None:
        """Return a digest of all that decides the pixels of a tile; None if its thought is not stored."""
        thoughts = self._known_thoughts
        thought = thoughts.stored(tile)
        if thought is None:
            return None
        said = [thought.text, list(thought.token_ids), thought.route, thought.margin, thought.prompt]
        sampling = thoughts.sampling(tile).model_dump(mode="json")
        facts = [self._plan_digest, tile.place, thoughts.key(tile), sampling, said]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).digest()

    def _remember(self, place: TilePlace, kept: _Kept) -> None:
        kept.image.flags.writeable = False
        with self._lock:
            self._forget(place)
            self._memory[place] = kept
            self._in_memory += kept.image.nbytes
            self._trim()

    def _trim(self) -> None:
        """Forget the tiles whose last use is longest ago, except those that are not stored yet."""
        if self._in_memory <= self._capacity:
            return
        for place in [place for place, kept in self._memory.items() if not kept.pending]:
            self._forget(place)
            if self._in_memory <= self._capacity:
                return

    def _forget(self, place: TilePlace) -> None:
        kept = self._memory.pop(place, None)
        if kept is not None:
            self._in_memory -= kept.image.nbytes

    def _drop(self, place: TilePlace) -> None:
        """Delete a tile from memory and disk."""
        with self._lock:
            self._forget(place)
            self._bytes_on_disk -= self._on_disk.pop(place, 0)
        if self._scratch is not None:
            # What cannot be deleted now is deleted at the end of the run.
            with contextlib.suppress(S1OmniError):
                self._scratch.remove(place)

    def _count(self, place: TilePlace, size: int) -> None:
        with self._lock:
            self._bytes_on_disk += size - self._on_disk.get(place, 0)
            self._on_disk[place] = size

    def _has_room(self, size: int) -> bool:
        """Whether one more tile may be stored. The oldest stay, since the next row of blocks needs them first."""
        if self._scratch is None:
            return False
        if self._bytes_on_disk + size > self.room:
            self._look_for_deleted(self._scratch)
        short = ""
        if self._bytes_on_disk + size > self.room:
            short = f"S1OMNI_SCRATCH allows {format_bytes(self.room)} for each worker"
        elif self._scratch.free < self.spare + size:
            short = f"the disk has {format_bytes(self._scratch.free)} free, and the result needs them"
        if short:
            self.note = (
                self.note or f"Some tiles at faces of blocks are drawn twice, since they cannot be kept: {short}."
            )
        return not short

    def _look_for_deleted(self, scratch: TileScratch) -> None:
        """Uncount tiles that the driver has deleted meanwhile."""
        if time.monotonic() - self._looked < _LOOK_AGAIN:
            return
        self._looked = time.monotonic()
        for place in [place for place in list(self._on_disk) if not scratch.has(place)]:
            with self._lock:
                self._bytes_on_disk -= self._on_disk.pop(place, 0)
