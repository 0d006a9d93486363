"""The state of every tile of a run: where it is in the lattice, and how its block went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block, Span, TilePlace
from napari_s1omni.execution.pipeline.failed_tiles import failed_tiles
from napari_s1omni.frontends.views.tile_colours import COLOURS, RANGES, Quantity, enlarged_cells, sequential_colours
from napari_s1omni.frontends.views.tile_quality import TileQuality
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import BlockRecord


@dataclass(frozen=True, slots=True)
class TileInfo:
    """State and quality of one tile."""

    place: TilePlace
    """Time point, plane, channel group, and row and column in the lattice of the whole source."""
    state: str
    seconds: float | None
    """Mean time per tile of its block; None while it waits."""
    block: tuple[int, ...]
    """Index of its block along the axes of the target."""
    objects: float | None
    """Mean number of objects per tile of its block."""
    error: str | None
    """Reason of its failure."""
    seam: float | None = None
    """Seam score; a seam of about 1 is invisible."""
    confidence: float | None = None
    """Mean over its cell, 0 to 1."""

    @property
    def row(self) -> int:
        """Row in the lattice of the whole source."""
        return self.place.row

    @property
    def col(self) -> int:
        """Column in the lattice of the whole source."""
        return self.place.col

    def summary(self) -> str:
        """Describe the tile in one line."""
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

    def add(self, records: Iterable[BlockRecord], quality: Mapping[tuple[int, ...], TileQuality] | None = None) -> None:
        """Add finished blocks, and their quality maps where known."""
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
        """Return the tile whose cell holds a pixel of the source; None outside of the run."""
        grid = self.plan.grid
        if not (grid.y[0] <= y < grid.y[1] and grid.x[0] <= x < grid.x[1]):
            return None
        row, col = min(int(y // grid.step), self.rows[-1]), min(int(x // grid.step), self.cols[-1])
        return self.info(row, col, z, t, group)

    def info(self, row: int, col: int, z: int = 0, t: int = 0, group: int = 0) -> TileInfo:
        """Return the state of one tile."""
        place = TilePlace(t, z, group, row, col)
        block = self._block_of(place)
        record = self._records.get(block)
        state, seconds, objects, error = "waiting", None, None, None
        if record is not None:
            count = max(1, sum(record.tiles.values()))
            # Those that were drawn for another block took their time there.
            made = max(1, count - record.tiles.get("kept", 0))
            state = "empty" if record.state == "empty" else "drawn"
            seconds = sum(record.seconds.values()) / made
            objects = None if record.labels is None else record.labels / count
            error = next((failed[place] for failed in self._failed.values() if place in failed), None)
            if error is not None:
                state = "failed"
            elif record.state in ("failed", "stale"):
                state = "waiting"
        seam = confidence = None
        if record is not None and (maps := self._quality.get(block)) is not None:
            grid, at = self.plan.grid, self._block(block)
            depth, height, width = maps.seams.shape
            if 0 <= z - at.z[0] < depth:
                places = (grid.starting_in(at.y).start, row, height), (grid.starting_in(at.x).start, col, width)
                cell = (z - at.z[0], *(int(_in_map(first, [k], n)[0]) for first, k, n in places))
                seam, confidence = _finite(maps.seams[cell]), _finite(maps.confidence[cell])
        return TileInfo(place, state, seconds, block, objects, error, seam, confidence)

    def colour_image(self, by: Quantity = "state", z: int = 0, t: int = 0, group: int = 0) -> NDArray[np.uint8]:
        """Colour the lattice of one plane.

        Returns
        -------
        uint8 (height, width, 4)
            RGBA, one cell per tile, from :attr:`corner`.
        """
        grid, (height, width) = self.plan.grid, self.cells
        colours = np.zeros((height, width, 4), np.uint8)
        colours[...] = COLOURS["waiting"]
        row0, col0 = self.origin
        values = np.full((height, width), np.nan)
        # A copy: blocks may end while another thread makes the image.
        for record in list(self._records.values()):
            block = self._block(record.block)
            if not ((block.t, block.group) == (t, group) and block.z[0] <= z < block.z[1]):
                continue
            rows, cols = self._shown(block.y, grid.y), self._shown(block.x, grid.x)
            part = slice(rows.start - row0, rows.stop - row0), slice(cols.start - col0, cols.stop - col0)
            first_row, first_col = grid.starting_in(block.y).start, grid.starting_in(block.x).start
            info = self.info(first_row, first_col, z, t, group)
            colours[part] = COLOURS["drawn" if info.state == "failed" else info.state]
            if by in ("seam", "confidence"):
                if (maps := self._quality.get(record.block)) is not None:
                    plane = (maps.seams if by == "seam" else maps.confidence)[z - block.z[0]]
                    places = _in_map(first_row, rows, plane.shape[0]), _in_map(first_col, cols, plane.shape[1])
                    values[part] = plane[np.ix_(*places)]
                continue
            value = info.seconds if by == "time" else info.objects
            values[part] = np.nan if value is None else value
        if by != "state":
            colours = sequential_colours(values, RANGES.get(by))
        for *at, row, col in [place for failed in list(self._failed.values()) for place in failed]:
            if at == [t, z, group] and 0 <= row - row0 < height and 0 <= col - col0 < width:
                colours[row - row0, col - col0] = COLOURS["failed"]
        return enlarged_cells(colours)

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of the colour image, in cells."""
        rows, cols = self._shown(self.plan.grid.y, self.plan.grid.y), self._shown(self.plan.grid.x, self.plan.grid.x)
        return len(rows), len(cols)

    @property
    def origin(self) -> tuple[int, int]:
        """Lattice row and column of the first cell."""
        grid = self.plan.grid
        return grid.y[0] // grid.step, grid.x[0] // grid.step

    @property
    def corner(self) -> tuple[int, int]:
        """Row and column of the source at which the first cell begins, at most a step before the region."""
        (row, col), step = self.origin, self.plan.grid.step
        return row * step, col * step

    def counts(self) -> dict[str, int]:
        """Count the tiles of finished blocks by state."""
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

    def _shown(self, span: Span, region: Span) -> range:
        """Return the rows or columns of the lattice that show a block: those that start in it, or a cut first one."""
        own = self.plan.grid.starting_in(span)
        return range(span[0] // self.plan.grid.step if span[0] == region[0] else own.start, own.stop)


def _in_map(first: int, places: Iterable[int], size: int) -> NDArray[np.intp]:
    """Return where rows or columns of the lattice stand in a map of `size` values, whose first one is `first`."""
    return np.clip(np.asarray(list(places), np.intp) - first, 0, size - 1)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
