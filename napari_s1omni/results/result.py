"""Result: a finished or unfinished output, opened for reading."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import Span, TileIndex, TilePlace
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.execution.pipeline.failed_tiles import failed_tiles
from napari_s1omni.execution.pipeline.thought_keys import find_thought
from napari_s1omni.execution.run.redo_log import RedoLog
from napari_s1omni.execution.stitching.uncertain_joins import UNCERTAIN_JOINS_FILE
from napari_s1omni.planning.plan import Plan
from napari_s1omni.results.region_properties import Columns, Layers, join, measure_blocks
from napari_s1omni.storage.logs.journal import BlockRecord, replay
from napari_s1omni.storage.logs.thought_log import ThoughtLog
from napari_s1omni.storage.result.quality_maps import CONFIDENCE, HOLES, SEAMS
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.source import Source, open_reference


@dataclass(frozen=True, slots=True)
class Hole:
    """A tile that is missing in a result."""

    t: int
    """Time point of the result."""
    z: int
    """Plane of the result; outside of it where the tile was drawn for its neighbours."""
    y: Span
    """Rows of the result that it reaches."""
    x: Span
    """Columns of the result that it reaches."""
    tile: TileIndex
    """Row and column in the lattice."""
    reason: str
    """Why it failed."""


class Result:
    """What a run made, with the reasons for it.

    Parameters
    ----------
    store : ResultStore
    """

    def __init__(self, store: ResultStore) -> None:
        self._store = store
        self.plan = Plan.from_json(store.attributes["plan"])
        """The plan it was made by."""

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open the output folder of a run.

        Raises
        ------
        StoreError
            If it holds no result.
        """
        return cls(ResultStore.open(path))

    def __repr__(self) -> str:
        axes = ", ".join(f"{a}: {n}" for a, n in zip(self.spec.axes, self.spec.shape, strict=True))
        state = "complete" if self.complete else f"{len(self.records)} of {len(self.plan.grid)} blocks"
        return f"Result({self.path}, {self.plan.job.operation.type} by {self.plan.engine.name}, {axes}, {state})"

    @property
    def path(self) -> Path:
        """The output folder, an OME-Zarr image."""
        return self._store.path

    @property
    def spec(self) -> LayerSpec:
        """Axes, size, dtype, scale and units."""
        return self._store.target.replace(source=str(self.path))

    @property
    def array(self) -> Any:
        """Full resolution, a zarr array in the axes of :attr:`spec`; px are read when it is indexed."""
        return self._store.levels[0]

    @property
    def levels(self) -> list[Any]:
        """The pyramid, full resolution first; each a zarr array."""
        return self._store.levels

    def level_spec(self, level: int) -> LayerSpec:
        """Describe a level of the pyramid: its size, scale and place in the world."""
        spec, factor = self.spec, self._store.pyramid.levels[level].factor
        return spec.replace(
            shape=self._store.pyramid.levels[level].shape,
            scale=tuple(s * f for s, f in zip(spec.scale, factor, strict=True)),
            translate=tuple(t + (f - 1) / 2 * s for t, f, s in zip(spec.translate, factor, spec.scale, strict=True)),
        )

    @property
    def complete(self) -> bool:
        """Whether the run came to its end."""
        return self._store.attributes.get("state") == "complete"

    @property
    def summary(self) -> dict[str, Any]:
        """What the run noted at its end: objects, holes, seconds. Empty while it is not complete."""
        return dict(self._store.attributes.get("summary", {}))

    @property
    def software(self) -> dict[str, str]:
        """Packages that the run was begun with, and their versions."""
        return dict(self._store.attributes.get("software", {}))

    @property
    def records(self) -> list[BlockRecord]:
        """The journal: one record per finished block, in the order of the blocks."""
        return sorted(replay(self._store.work / "journal").values(), key=lambda record: record.block)

    @property
    def confidence(self) -> Any | None:
        """How sure each px of a mask is: uint8 in the axes of :attr:`spec`, 255 sure; 0 undecided, or not drawn.

        A zarr array; None for images and for results without one.
        """
        return self._map(CONFIDENCE)

    @property
    def seams(self) -> Any | None:
        """How visible the joins of each tile with its earlier neighbours are: about 1 cannot be seen.

        A zarr array of float32, one px per tile of the region's lattice; 0 where there is no join or nothing
        varies. ``summary["seams"]`` has the mean and the histogram. None for results without one.
        """
        return self._map(SEAMS)

    @property
    def hole_mask(self) -> Any | None:
        """Where something is missing: uint8 in the axes of :attr:`spec`, 1 where a tile that failed reaches, else 0.

        A zarr array, of which only blocks with holes are stored. None for results without one.
        """
        return self._map(HOLES)

    @property
    def holes(self) -> list[Hole]:
        """Tiles that failed twice and are missing, each with its place in px of the result."""
        grid, found = self.plan.grid, []
        for place, reason in (failed for record in self.records for failed in failed_tiles(self.plan, record)):
            tile = grid.tile(*place.tile)
            y, x = (
                (max(0, first - region[0]) * f, max(0, min(last, region[1]) - region[0]) * f)
                for (first, last), region, f in zip((tile.y, tile.x), (grid.y, grid.x), grid.factor, strict=True)
            )
            found.append(Hole(place.t - grid.t[0], place.z - grid.z[0], y, x, place.tile, reason))
        # Tiles at the faces of blocks fail for each of them.
        return list({(hole.t, hole.z, hole.tile): hole for hole in found}.values())

    def _map(self, name: str) -> Any | None:
        if not (self._store.work / name / "zarr.json").is_file():
            return None
        return self._store.work_array(name)

    @property
    def thoughts(self) -> Mapping[str, Thought]:
        """Every thought by its key, such as ``t0/z0/g0/tile/3/5`` (row 3, column 5 of the lattice)."""
        return ThoughtLog(self._store.work / "thoughts")

    @property
    def uncertain_joins(self) -> list[dict[str, str]]:
        """Rows of the table of uncertain joins between blocks; empty for images."""
        return list(self._uncertain())

    def _uncertain(self) -> Iterator[dict[str, str]]:
        path = self._store.work / UNCERTAIN_JOINS_FILE
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                yield from csv.DictReader(file)

    def layers(self, image: Source | None = None, channels: Sequence[int] | None = None) -> Layers:
        """Return labels and source, ready to be measured.

        Parameters
        ----------
        image : Source, optional
            The source layer; by default it is opened again where the plan found it.
        channels : sequence of int, optional
            Channels to measure; all by default.
        """
        grid = self.plan.grid
        if image is None and self.plan.source.source is not None:
            image = open_reference(self.plan.job.source, self.plan.source.source)
        if channels is None:
            channels = range(image.spec.size("c")) if image is not None else ()
        offset = {"t": grid.t[0], "z": grid.z[0], "y": grid.y[0], "x": grid.x[0]}
        return Layers(self.array, self.spec, self._store.block, image, offset, tuple(channels))

    def table(self, image: Source | None = None, channels: Sequence[int] | None = None) -> Columns:
        """Measure every object; see :func:`napari_s1omni.results.region_properties.measure_blocks`.

        Parameters
        ----------
        image, channels
            As in :meth:`layers`.

        Returns
        -------
        dict of column to array
            One row per object, sorted by label; ``pandas.DataFrame(result.table())`` makes a data frame.
            ``uncertain`` marks objects that were, or might have been, joined across blocks by a close call.
        """
        return join(self.measure(image, channels))

    def measure(self, image: Source | None = None, channels: Sequence[int] | None = None) -> Iterator[Columns]:
        """Measure block by block; the tables together are :meth:`table`, in another order.

        Parameters
        ----------
        image, channels
            As in :meth:`layers`.
        """
        named = (int(row[name]) for row in self._uncertain() for name in ("label", "other"))
        doubted = np.unique(np.fromiter(named, np.int64))
        for columns in measure_blocks(self.layers(image, channels)):
            yield {**columns, "uncertain": np.isin(columns["label"], doubted)}

    def thought_at(self, y: float, x: float, z: int = 0, t: int = 0, group: int = 0) -> tuple[str, Thought] | None:
        """Find the thought that decided a px.

        Parameters
        ----------
        y, x : float
            Position in px of the source.
        z, t, group : int
            Plane, time point and channel group.

        Returns
        -------
        (key, Thought) or None
            The tile that counts most there; None where nothing was thought.
        """
        grid = self.plan.grid
        # In the shared px the later tile counts more beyond the middle of the overlap.
        row, col = (
            max(0, min(int((v - grid.overlap / 2) // grid.step), n - 1))
            for v, n in zip((y, x), grid.lattice, strict=True)
        )
        redone = RedoLog.read(self._store.work)
        return find_thought(self.plan, self.thoughts, TilePlace(t, z, group, row, col), redone)
