"""Failed tiles as values, and a parser for the text in which older journals stored them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from napari_s1omni.core.tiling import TileIndex

_TEXT = re.compile(r"(?:^|; )(\d+)/(\d+)/(\d+): (.*?)(?=; \d+/\d+/\d+: |$)", re.DOTALL)
"""One tile in the old text form ``z/row/column: reason; z/row/column: reason``."""


@dataclass(frozen=True, slots=True)
class TileFailure:
    """A tile of a block that could not be generated."""

    z: int
    """Plane, in source pixels."""
    tile: TileIndex
    """Row and column in the lattice of the whole source."""
    reason: str
    """Type and message of the error."""

    def __str__(self) -> str:
        return f"{self.z}/{self.tile.row}/{self.tile.col}: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"z": self.z, "tile": list(self.tile), "reason": self.reason}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_json`."""
        return cls(data["z"], TileIndex(*data["tile"]), data["reason"])


def parse_failures(text: str) -> tuple[TileFailure, ...]:
    """Read the failed tiles of a block from the old text form; none if `text` is about the whole block."""
    return tuple(
        TileFailure(int(z), TileIndex(int(row), int(col)), reason)
        for z, row, col, reason in (_TEXT.findall(text) if _TEXT.match(text) else ())
    )
