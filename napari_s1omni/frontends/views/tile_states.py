"""Tiles: what is known of every cell of a run's lattice, and how it is coloured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block, TilePlace
from napari_s1omni.execution.pipeline.failed_tiles import failed_tiles
from napari_s1omni.frontends.views.tile_quality import TileQuality
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import BlockRecord

Quantity = Literal["state", "seam", "confidence", "time", "objects"]
QUANTITIES: dict[Quantity, str] = {
    "state": "State",
    "seam": "Seam score",
    "confidence": "Confidence",
    "time": "Seconds per tile",
    "objects": "Objects per tile",
}
"""What the lattice can be coloured by."""

STATES = ("waiting", "drawn", "empty", "failed")
COLOURS: dict[str, tuple[int, int, int, int]] = {
    "waiting": (127, 127, 127, 70),
    "drawn": (0, 158, 115, 60),
    "empty": (86, 180, 233, 90),
    "failed": (213, 94, 0, 190),
}
"""State -> red, green, blue, opacity; told apart by colour-blind readers (Okabe and Ito, 2008)."""

RANGES: dict[Quantity, tuple[float, float]] = {"seam": (0.9, 1.5), "confidence": (0.5, 1.0)}
"""Ends of the colours of what means the same in every run."""
_SEAM = (235, 235, 235, 110)
_CIVIDIS = np.array(
    [(0, 32, 77), (40, 62, 108), (87, 93, 109), (124, 123, 120), (165, 156, 116), (211, 193, 100), (255, 234, 70)]
)
"""Dark to bright for what is ordered, even for colour-blind readers (Nunez, Anderton and Renslow, 2018)."""
_CELLS = (48, 24, 12, 6)
"""Px of the picture per cell, with a seam of one: the largest that keeps the picture small."""
_PICTURE = 2**19
"""Px that a picture with seams may have; larger lattices get one px per cell."""


@dataclass(frozen=True, slots=True)
class TileInfo:
    """What is known of one tile."""

    place: TilePlace
    """Time point, plane, channel group, and row and column in the lattice of the whole source."""
    state: str
    seconds: float | None
    """Time of one tile of its block; None while it waits."""
    block: tuple[int, ...]
    """Index of its block along the axes of the target."""
    objects: float | None
    """Mean number of objects per tile of its block."""
    error: str | None
    """Why it failed."""
    seam: float | None = None
    """Seam score; about 1 cannot be seen."""
    confidence: float | None = None
    """Mean over its cell, 0 to 1."""

    @property
    def row(self) -> int:
        """In the lattice of the whole source."""
        return self.place.row

    @property
    def col(self) -> int:
        """In the lattice of the whole source."""
        return self.place.col

    def sentence(self) -> str:
        """Say it in one line."""
        words = [f"tile {self.row}/{self.col}: {self.state}"]
        if self.seconds is not None:
            words.append(f"{self.seconds:.2g} s per tile")
        if self.seam is not None:
            words.append(f"seam {self.seam:.2f}")
        if self.confidence is not None:
            words.append(f"confidence {self.confidence:.2f}")
        if self.objects is not None:
            words.append(f"about {self.objects:.1f} objects")
        if self.error:
            words.append(self.error)
        return " · ".join(words)


class TileStates:
    """The lattice of one run.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        grid = plan.grid
        self.rows = grid.tile_rows(grid.y)
        self.cols = grid.tile_cols(grid.x)
        self._records: dict[tuple[int, ...], BlockRecord] = {}
        self._failed: dict[tuple[int, ...], dict[TilePlace, str]] = {}
        self._quality: dict[tuple[int, ...], TileQuality] = {}

    def enter(
        self, records: Iterable[BlockRecord], quality: Mapping[tuple[int, ...], TileQuality] | None = None
    ) -> None:
        """Take note of finished blocks, and of what their maps say."""
        self._quality.update(quality or {})
        for record in records:
            known = self._records.get(record.block)
            if known is not None and known.attempt > record.attempt:
                continue
            self._records[record.block] = record
            self._failed.pop(record.block, None)
            if failed := dict(failed_tiles(self.plan, record)):
                self._failed[record.block] = failed

    def at(self, y: float, x: float, z: int = 0, t: int = 0, group: int = 0) -> TileInfo | None:
        """Tell about the tile whose cell holds a px of the source; None outside of the run."""
        grid = self.plan.grid
        if not (grid.y[0] <= y < grid.y[1] and grid.x[0] <= x < grid.x[1]):
            return None
        row, col = min(int(y // grid.step), self.rows[-1]), min(int(x // grid.step), self.cols[-1])
        return self.info(row, col, z, t, group)

    def info(self, row: int, col: int, z: int = 0, t: int = 0, group: int = 0) -> TileInfo:
        """Tell about one tile."""
        place = TilePlace(t, z, group, row, col)
        block = self._block_of(place)
        record = self._records.get(block)
        state, seconds, objects, error = "waiting", None, None, None
        if record is not None:
            count = max(1, sum(record.tiles.values()))
            state = "empty" if record.state == "empty" else "drawn"
            seconds = sum(record.seconds.values()) / count
            objects = None if record.labels is None else record.labels / count
            error = next((failed[place] for failed in self._failed.values() if place in failed), None)
            if error is not None:
                state = "failed"
            elif record.state in ("failed", "stale"):
                state = "waiting"
        seam = confidence = None
        if record is not None and (maps := self._quality.get(block)) is not None:
            grid, at = self.plan.grid, self._block(block)
            cell = z - at.z[0], row - at.y[0] // grid.step, col - at.x[0] // grid.step
            if all(0 <= i < n for i, n in zip(cell, maps.seams.shape, strict=True)):
                seam, confidence = _known(maps.seams[cell]), _known(maps.confidence[cell])
        return TileInfo(place, state, seconds, block, objects, error, seam, confidence)

    def picture(self, by: Quantity = "state", z: int = 0, t: int = 0, group: int = 0) -> NDArray[np.uint8]:
        """Colour the lattice: RGBA uint8, one cell per step, from the first row and column of the region."""
        height, width = self.cells
        colours = np.zeros((height, width, 4), np.uint8)
        colours[...] = COLOURS["waiting"]
        row0, col0 = self.origin
        values = np.full((height, width), np.nan)
        # A copy: blocks may end while the picture is made in another thread.
        for record in list(self._records.values()):
            block = self._block(record.block)
            if not ((block.t, block.group) == (t, group) and block.z[0] <= z < block.z[1]):
                continue
            step = self.plan.grid.step
            part = (
                slice(block.y[0] // step - row0, -(-block.y[1] // step) - row0),
                slice(block.x[0] // step - col0, -(-block.x[1] // step) - col0),
            )
            info = self.info(block.y[0] // step, block.x[0] // step, z, t, group)
            colours[part] = COLOURS["drawn" if info.state == "failed" else info.state]
            if by in ("seam", "confidence"):
                if (maps := self._quality.get(record.block)) is not None:
                    plane = (maps.seams if by == "seam" else maps.confidence)[z - block.z[0]]
                    room = values[part]
                    room[...] = plane[: room.shape[0], : room.shape[1]]
                continue
            value = info.seconds if by == "time" else info.objects
            values[part] = np.nan if value is None else value
        if by != "state":
            colours = _ordered(values, RANGES.get(by))
        for *at, row, col in [place for failed in list(self._failed.values()) for place in failed]:
            if at == [t, z, group] and 0 <= row - row0 < height and 0 <= col - col0 < width:
                colours[row - row0, col - col0] = COLOURS["failed"]
        cell = next((c for c in _CELLS if height * width * c**2 <= _PICTURE), 0)
        if not cell:
            return colours
        large = colours.repeat(cell, 0).repeat(cell, 1)
        for axis in (0, 1):
            seams = [slice(None)] * 3
            seams[axis] = slice(cell - 1, None, cell)
            large[tuple(seams)] = _SEAM
        return large

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of the picture, in cells."""
        grid = self.plan.grid
        return -(-(grid.y[1] - grid.y[0]) // grid.step), -(-(grid.x[1] - grid.x[0]) // grid.step)

    @property
    def origin(self) -> tuple[int, int]:
        """Lattice row and column of the first cell."""
        grid = self.plan.grid
        return grid.y[0] // grid.step, grid.x[0] // grid.step

    def counts(self) -> dict[str, int]:
        """Count the tiles of finished blocks by what became of them."""
        found: dict[str, int] = {}
        for record in self._records.values():
            for state, n in record.tiles.items():
                found[state] = found.get(state, 0) + n
        return found

    def _block_of(self, place: TilePlace) -> tuple[int, ...]:
        (t, z, group, row, col), grid = place, self.plan.grid
        found = {
            "t": t - grid.t[0],
            "c": group,
            "z": (z - grid.z[0]) // grid.depth,
            "y": max(0, row * grid.step - grid.y[0]) // grid.block_size,
            "x": max(0, col * grid.step - grid.x[0]) // grid.block_size,
        }
        return tuple(found[a] for a in self.plan.target.axes)

    def _block(self, index: tuple[int, ...]) -> Block:
        return self.plan.grid.block(self.plan.block_index(index))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _ordered(values: NDArray[np.float64], ends: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Colour what is ordered, dark to bright; what is not known is grey."""
    known = values[np.isfinite(values)]
    low, high = ends or ((float(known.min()), float(known.max())) if known.size else (0.0, 1.0))
    share = np.clip((np.nan_to_num(values, nan=low) - low) / (high - low if high > low else 1.0), 0, 1)
    place = share * (len(_CIVIDIS) - 1)
    first = np.minimum(place.astype(int), len(_CIVIDIS) - 2)
    part = (place - first)[..., None]
    rgb = _CIVIDIS[first] * (1 - part) + _CIVIDIS[first + 1] * part
    out = np.concatenate([rgb, np.full((*values.shape, 1), 150)], axis=-1).astype(np.uint8)
    out[~np.isfinite(values)] = COLOURS["waiting"]
    return out
