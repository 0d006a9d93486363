"""What is measured on a layer before any tile is drawn, so that all of its tiles are drawn alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from napari_s1omni.planning.even_ground import EvenGround

_NEW = ("unevenness", "even_ground")
"""Fields that earlier versions lack."""


@dataclass(frozen=True, slots=True)
class Consensus:
    """What some places of a layer have in common. It does not depend on the region of a job."""

    polarity: str | None = None
    """``bright`` or ``dark`` objects, in a stained section those in hematoxylin; None if the places do not agree."""
    places: int = 0
    """Places in which something was measured."""
    agreeing: int = 0
    """Places with this polarity."""
    whole: bool = False
    """Whether one place is the whole layer."""
    size: float | None = None
    """Diameter of what stands out in the place with the most contrast, in source px. Engines are not told: they
    measure it better in each tile."""
    section: bool = False
    """Whether it is a stained section in transmitted light."""
    counterstain: str | None = None
    """Stain that is taken out of what an engine sees, so that hematoxylin is left; None leaves the image as it is."""

    unevenness: float | None = None
    """How much the ground of bright objects varies across a place, in contrasts of the objects; the median of places.
    None if objects are not bright, and in plans of earlier versions."""
    even_ground: EvenGround | None = None
    """How uneven ground is taken out of what an engine sees; None leaves the image as it is."""

    @property
    def sentence(self) -> str:
        """What is told to the engine or taken out of the image, for people; may be empty."""
        parts = []
        if self.counterstain is not None:
            parts.append("Nuclei are looked for in hematoxylin alone, without the brown stain (DAB).")
        if self.polarity is not None:
            ground = "dark" if self.polarity == "bright" else "bright"
            where = f"{self.agreeing} of {self.places} places of the layer"
            if self.agreeing == self.places:
                where = "the whole layer" if self.whole else f"{self.places} place{'s'[: self.places > 1]} of the layer"
            parts.append(f"Objects are {self.polarity} on {ground} ground, measured on {where}.")
        if self.even_ground is not None:
            parts.append(
                f"The ground is uneven: it varies by {self.unevenness:.1f} times the contrast of the objects. It is "
                f"found over {self.even_ground.window:.0f} px around each pixel and taken out before tiles are drawn."
            )
        return " ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON; inverse of :meth:`from_json`."""
        data = dataclasses.asdict(self)
        # Left out where nothing is known, as in results of earlier versions.
        return {name: value for name, value in data.items() if name not in _NEW or value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read it back from a stored plan."""
        even = data.get("even_ground")
        return cls(**{**data, "even_ground": None if even is None else EvenGround(**even)})
