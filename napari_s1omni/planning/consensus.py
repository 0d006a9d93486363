"""What is measured on a layer before any tile is drawn, so that all of its tiles are drawn alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Consensus:
    """What some places of a layer have in common. It does not depend on the region of a job."""

    polarity: str | None = None
    """``bright`` or ``dark`` objects; None if the places do not agree."""
    places: int = 0
    """Places in which something was measured."""
    agreeing: int = 0
    """Places with this polarity."""
    whole: bool = False
    """Whether one place is the whole layer."""
    size: float | None = None
    """Median diameter of what stands out, in source px; only said, since engines measure sizes better in each tile."""

    @property
    def sentence(self) -> str:
        """The polarity for people; empty if it is not known."""
        if self.polarity is None:
            return ""
        ground = "dark" if self.polarity == "bright" else "bright"
        where = f"{self.agreeing} of {self.places} places of the layer"
        if self.agreeing == self.places:
            where = "the whole layer" if self.whole else f"{self.places} place{'s'[: self.places > 1]} of the layer"
        return f"Objects are {self.polarity} on {ground} ground, measured on {where}; every tile is told so."

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON; inverse of :meth:`from_json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read it back from a stored plan."""
        return cls(**data)
