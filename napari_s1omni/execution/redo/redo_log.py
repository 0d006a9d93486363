"""Which tiles were redone with which sampling, so that they can be made again exactly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.tiling import TilePlace
from napari_s1omni.execution.run.state_files import read_state, write_state

NAME = "redone.json"
"""File in ``.s1omni``."""


@dataclass(frozen=True, slots=True)
class RedoRound:
    """Tiles that were redone together."""

    number: int
    """1 for the first round."""
    sampling: Sampling
    tiles: frozenset[TilePlace]
    prompt: str | None = None
    """The prompt of this round; None is that of the run."""


class RedoLog:
    """The rounds of redoing of a result; usually there are none.

    Parameters
    ----------
    rounds : iterable of RedoRound
        In order.
    """

    def __init__(self, rounds: Iterable[RedoRound] = ()) -> None:
        self.rounds = tuple(rounds)
        self._last = {place: found for found in self.rounds for place in found.tiles}

    @classmethod
    def read(cls, work: Path) -> Self:
        """Read the log of a result from its folder ``.s1omni``."""
        stored = read_state(work / NAME)
        return cls(
            RedoRound(
                i,
                Sampling.read(entry["sampling"], "sampling of what was redone"),
                frozenset(TilePlace(*place) for place in entry["tiles"]),
                entry.get("prompt"),
            )
            for i, entry in enumerate(stored.get("rounds", []), 1)
        )

    def write(self, work: Path) -> None:
        """Store it in a result's folder ``.s1omni``."""
        rounds = [
            {
                "sampling": found.sampling.model_dump(mode="json"),
                "tiles": sorted(found.tiles),
                **({"prompt": found.prompt} if found.prompt else {}),
            }
            for found in self.rounds
        ]
        write_state(work / NAME, {"rounds": rounds})

    def last_round(self, place: TilePlace) -> RedoRound | None:
        """Return the last round in which a tile was redone, or None."""
        return self._last.get(place)

    def with_round(self, sampling: Sampling, tiles: Iterable[TilePlace], prompt: str | None = None) -> RedoLog:
        """Return a log with one more round."""
        return RedoLog((*self.rounds, RedoRound(len(self.rounds) + 1, sampling, frozenset(tiles), prompt)))
