"""Redone: which tiles were thought and drawn anew with other numbers, so that they can be made again exactly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.execution.run.state_files import read_state, write_state

NAME = "redone.json"

Place = tuple[int, int, int, int, int]
"""A tile: time point, plane, channel group, row and column in the lattice."""


@dataclass(frozen=True, slots=True)
class RedoRound:
    """Tiles that were redone together."""

    number: int
    """1 for the first."""
    sampling: Sampling
    tiles: frozenset[Place]
    prompt: str | None = None
    """The wording of this round; None is that of the run."""


class RedoLog:
    """What was redone in a result; nothing, as a rule.

    Parameters
    ----------
    rounds : iterable of Round
        The first one first.
    """

    def __init__(self, rounds: Iterable[RedoRound] = ()) -> None:
        self.rounds = tuple(rounds)
        self._of = {place: found for found in self.rounds for place in found.tiles}

    @classmethod
    def read(cls, work: Path) -> Self:
        """Read what was redone in a result from its folder ``.s1omni``."""
        note = read_state(work / NAME)
        return cls(
            RedoRound(
                i,
                Sampling.read(entry["sampling"], "sampling of what was redone"),
                frozenset((t, z, g, row, col) for t, z, g, row, col in entry["tiles"]),
                entry.get("prompt"),
            )
            for i, entry in enumerate(note.get("rounds", []), 1)
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

    def of(self, place: Place) -> RedoRound | None:
        """Return the last round in which a tile was redone."""
        return self._of.get(place)

    def and_then(self, sampling: Sampling, tiles: Iterable[Place], prompt: str | None = None) -> RedoLog:
        """Add a round."""
        return RedoLog((*self.rounds, RedoRound(len(self.rounds) + 1, sampling, frozenset(tiles), prompt)))
