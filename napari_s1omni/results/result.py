"""Reading the output of a run, finished or not."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from napari_s1omni.core.acquisition import Acquisition
from napari_s1omni.core.pixel_frame import PixelFrame
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import Span, TilePlace
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.errors import StoreDamaged
from napari_s1omni.execution.pipeline.failed_tiles import failed_tiles
from napari_s1omni.execution.pipeline.thought_keys import find_thought
from napari_s1omni.execution.redo.redo_log import RedoLog
from napari_s1omni.execution.stitching.uncertain_joins import UNCERTAIN_JOINS_FILE
from napari_s1omni.operations.channels import channel_index
from napari_s1omni.planning.plan import Plan
from napari_s1omni.results.measured_layers import MeasuredLayers
from napari_s1omni.results.object_table import ObjectTable
from napari_s1omni.results.region_properties import measure_blocks
from napari_s1omni.results.stack_notes import stack_notes
from napari_s1omni.results.tables import Columns, join_tables
from napari_s1omni.storage.logs.journal import BlockRecord, replay
from napari_s1omni.storage.logs.thought_log import ThoughtLog
from napari_s1omni.storage.result.corrections import list_corrections
from napari_s1omni.storage.result.quality_maps import CONFIDENCE, EXPECTED_ERROR, HOLES, SEAMS
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.source import Source, open_reference


@dataclass(frozen=True, slots=True)
class Hole:
    """A tile that failed and is missing in a result."""

    t: int
    """Time point of the result."""
    z: int
    """Plane of the result; outside of it for a tile that was generated only for its neighbours."""
    y: Span
    """Rows of the result that it covers."""
    x: Span
    """Columns of the result that it covers."""
    tile: tuple[int, int]
    """Row and column in the lattice."""
    reason: str
    """Why it failed."""


class Result:
    """The output of a run: pixels, plan, journal, quality maps and thoughts.

    Open it with :meth:`open`. Pixels are read only when :attr:`array` is indexed, so a result may be larger
    than memory; an unfinished result can be read while it is written.

    Parameters
    ----------
    store : ResultStore
    image : Source, optional
        The source layer, if it is open already or lies in memory.

    Examples
    --------
    >>> result = Result.open("nuclei.zarr")
    >>> result.array[0:512, 0:512]
    >>> result.table()["area"].mean()
    """

    def __init__(self, store: ResultStore, image: Source | None = None) -> None:
        self._store = store
        self._image = image
        self.plan = Plan.from_json(store.attributes["plan"])
        """The plan of the run: every choice, in numbers."""
        self.acquisition = Acquisition.from_json(store.attributes.get("acquisition", {}))
        """What the file of the source says about microscope and time."""

    @classmethod
    def open(cls, path: str | Path, image: Source | None = None) -> Self:
        """Open the output folder of a run.

        Parameters
        ----------
        path : str or Path
            Its path, or a URL, from which it is read and never changed.
        image : Source, optional
            The source layer, to be measured; by default it is opened where the plan found it.

        Raises
        ------
        StoreMissing
            If it holds no result.
        StoreDamaged
            If its metadata cannot be read.
        """
        store = ResultStore.open(path)
        try:
            return cls(store, image)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreDamaged(
                f"the metadata of {store.uri} cannot be read ({type(error).__name__}: {error})",
                remedy="restore the file zarr.json from a copy, or run the job into another output",
            ) from error

    def __repr__(self) -> str:
        axes = ", ".join(f"{a}: {n}" for a, n in zip(self.spec.axes, self.spec.shape, strict=True))
        state = "complete" if self.complete else f"{len(self.records)} of {len(self.plan.grid)} blocks"
        return f"Result({self.uri}, {self.plan.job.operation.type} by {self.plan.engine.name}, {axes}, {state})"

    @property
    def path(self) -> Path:
        """The output folder, an OME-Zarr image.

        Raises
        ------
        StoreError
            If the result is behind a URL.
        """
        return self._store.path

    @property
    def uri(self) -> str:
        """The path of the output folder, or its URL."""
        return self._store.uri

    @property
    def is_remote(self) -> bool:
        """Whether the result is behind a URL and is only read."""
        return self._store.is_remote

    @property
    def work(self) -> Path:
        """The folder ``.s1omni`` with the journal; of a result behind a URL, a copy of its small files."""
        return self._store.work

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the objects of a stack, and what could not be read if the result is behind a URL."""
        return (*self._store.notes, *stack_notes(self.summary))

    @property
    def spec(self) -> LayerSpec:
        """Axes, shape, dtype, scale and units of :attr:`array`."""
        return self._store.target.replace(source=self.uri)

    @property
    def array(self) -> Any:
        """Full resolution: a zarr array in the axes of :attr:`spec`. Indexing it reads pixels."""
        return self._store.levels[0]

    @property
    def block(self) -> tuple[int, ...]:
        """Size of a block, the piece that is read at once, in pixels along the axes of :attr:`spec`."""
        return self._store.block

    @property
    def levels(self) -> list[Any]:
        """The pyramid, full resolution first; each a zarr array."""
        return self._store.levels

    def checked_level(self, level: int = 0) -> Any:
        """Return a level of the pyramid as an array-like that raises :class:`StoreDamaged` for damaged pixels."""
        return self._store.checked_level(level)

    @property
    def frame(self) -> PixelFrame:
        """Where the pixels of :attr:`array` lie among the full-resolution pixels of the source.

        Raises
        ------
        SourceError
            If an older version made the result on a coarser level, and the source cannot be opened any more.
        """
        grid, job, source = self.plan.grid, self.plan.job, self.plan.source
        if source.frame is None and job.source.level:
            source = open_reference(job.source, source.source).spec
        first = {"t": grid.t[0], "z": grid.z[0], "y": grid.y[0], "x": grid.x[0]}
        return source.pixel_frame.part(first, {"y": grid.factor[0], "x": grid.factor[1]})

    def level_spec(self, level: int) -> LayerSpec:
        """Return shape, scale and position in the world of a level of the pyramid; 0 is full resolution."""
        spec, (size, start) = self.spec, self._store.pyramid.place(level)
        return spec.replace(
            shape=self._store.pyramid.levels[level].shape,
            scale=tuple(s * f for s, f in zip(spec.scale, size, strict=True)),
            translate=tuple(t + f * s for t, f, s in zip(spec.translate, start, spec.scale, strict=True)),
        )

    @property
    def complete(self) -> bool:
        """Whether the run has finished."""
        return self._store.attributes.get("state") == "complete"

    @property
    def summary(self) -> dict[str, Any]:
        """Objects, holes and seconds, written when the run finished; empty before."""
        return dict(self._store.attributes.get("summary", {}))

    @property
    def software(self) -> dict[str, str]:
        """Packages that the run used, and their versions."""
        return dict(self._store.attributes.get("software", {}))

    @property
    def records(self) -> list[BlockRecord]:
        """The journal: one record per finished block, in the order of the blocks."""
        return sorted(replay(self._store.work / "journal").values(), key=lambda record: record.block)

    @property
    def confidence(self) -> Any | None:
        """Confidence of each pixel of a mask, a zarr array: uint8 in the axes of :attr:`spec`, 0 to 255 (certain); None
        for images and for results without it.
        """
        return self._quality_map(CONFIDENCE)

    @property
    def seams(self) -> Any | None:
        """Seam score of each tile: the step across its joins over the step across nearby lines; about 1 is invisible.

        A zarr array of float32 with one value per tile of the region; 0 where there is no join, or where the
        image is constant. ``summary["seams"]`` has the mean and the histogram. None for results without it.
        """
        return self._quality_map(SEAMS)

    @property
    def hole_mask(self) -> Any | None:
        """Mask of missing tiles, a zarr array of uint8 in the axes of :attr:`spec`: 1 where a failed tile lies."""
        return self._quality_map(HOLES)

    @property
    def expected_error(self) -> Any | None:
        """Error to expect of each pixel as the engine says, a zarr array like these: uint8, 255 is the whole range."""
        return self._quality_map(EXPECTED_ERROR)

    @property
    def holes(self) -> list[Hole]:
        """Tiles that failed twice and are missing, each with its position in pixels of the result."""
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

    def _quality_map(self, name: str) -> Any | None:
        return self._store.work_array(name) if self._store.has_work_array(name) else None

    @property
    def thoughts(self) -> Mapping[str, Thought]:
        """Every thought by its key, such as ``t0/z0/g0/tile/3/5`` (row 3, column 5 of the lattice)."""
        return ThoughtLog(self._store.thoughts)

    @property
    def uncertain_joins(self) -> list[dict[str, str]]:
        """Pairs of labels whose join across blocks was a close call, one row each; empty for images."""
        return list(self._read_uncertain_joins())

    def _read_uncertain_joins(self) -> Iterator[dict[str, str]]:
        path = self._store.work / UNCERTAIN_JOINS_FILE
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                yield from csv.DictReader(file)

    def layers(self, image: Source | None = None, channels: Sequence[int | str] | None = None) -> MeasuredLayers:
        """Return labels and source for a measurement.

        Parameters
        ----------
        image : Source, optional
            The source layer; by default it is opened where the plan found it.
        channels : sequence of int or str, optional
            Channels to measure, by index or name; all by default.
        """
        grid = self.plan.grid
        image = image or self._image
        if image is None and self.plan.source.source is not None:
            image = open_reference(self.plan.job.source, self.plan.source.source)
        if image is None:
            chosen: Iterable[int] = ()
        elif channels is None:
            chosen = range(image.spec.size("c"))
        else:
            chosen = dict.fromkeys(channel_index(c, image.spec) for c in channels)
        offset = {"t": grid.t[0], "z": grid.z[0], "y": grid.y[0], "x": grid.x[0]}
        return MeasuredLayers(
            self.checked_level(), self.spec, self._store.block, image, offset, tuple(chosen), self.frame
        )

    def table(self, image: Source | None = None, channels: Sequence[int | str] | None = None) -> ObjectTable:
        """Measure every object of a mask.

        Parameters
        ----------
        image : Source, optional
            The source layer; by default it is opened where the plan found it.
        channels : sequence of int or str, optional
            Channels whose intensity to measure, by index or name; all by default.

        Returns
        -------
        ObjectTable
            A dict of column to array whose length is the number of objects, sorted by label. A notebook shows it with
            units; ``to_pandas()`` makes a data frame of it. Names and definitions are those of
            ``skimage.measure.regionprops_table`` with the pixel size as its spacing. ``area`` is in ``area_unit``: a
            volume in a stack, an area in a single plane, also where that plane has a step along z.
            ``equivalent_diameter_area``, ``axis_*_length`` and ``perimeter`` are in ``unit``, as are
            the positions in the world ``centroid_z``, ``centroid_y``, ``centroid_x``. ``perimeter`` is NaN where
            pixels are not square. ``num_pixels`` counts pixels of the result.

            ``bbox-0``, ... and ``centroid-0``, ... are in pixels of the source at full resolution, along z (in a
            stack), y and x, whatever region and level the run worked on; ``bbox_min_y``, ``bbox_max_y``, ... are the
            boxes by the name of the axis, and ``t`` is the time point of the source. Pixel 0 has its centre at 0 and
            the box of an object ends before its last number, as in scikit-image.

            ``touches_border`` marks objects that the border of the layer may cut, ``uncertain`` those whose join
            across blocks was a close call.

        Raises
        ------
        PlanError
            If the result is an image, not a mask.
        SourceError
            If the source cannot be opened any more.

        Examples
        --------
        >>> table = result.table().to_pandas()
        >>> table[~table.touches_border].area.median()
        """
        return ObjectTable(join_tables(self.measure(image, channels)))

    def measure(self, image: Source | None = None, channels: Sequence[int | str] | None = None) -> Iterator[Columns]:
        """Measure block by block; together the tables have the rows of :meth:`table`, in another order.

        Parameters
        ----------
        image, channels
            As in :meth:`table`.

        Yields
        ------
        dict of column to array

        Raises
        ------
        StoreDamaged
            If pixels cannot be read, or, at the end, if objects of a complete result are missing.
        """
        named = (int(row[name]) for row in self._read_uncertain_joins() for name in ("label", "other"))
        uncertain, measured = np.unique(np.fromiter(named, np.int64)), 0
        for columns in measure_blocks(self.layers(image, channels)):
            measured += len(columns["label"])
            yield {**columns, "uncertain": np.isin(columns["label"], uncertain)}
        # Zarr reads a block whose file was deleted as background.
        found = self.summary.get("objects") if self.complete and not self.is_remote else None
        if found is not None and measured < found and not list_corrections(self._store):
            raise StoreDamaged(
                f"{self.uri} holds {measured:,} of the {found:,} objects that were found",
                "its blocks must stay as they were written",
                f"redo what is missing with: s1omni resume {self.uri} --verify",
            )

    def thought_at(self, y: float, x: float, z: int = 0, t: int = 0, group: int = 0) -> tuple[str, Thought] | None:
        """Return the thought behind a pixel.

        Parameters
        ----------
        y, x : float
            Position in pixels of the whole source, at the level that was run.
        z, t, group : int
            Plane and time point of the source at that level, and channel group.

        Returns
        -------
        (key, Thought) or None
            The thought of the tile with the largest weight there, and its key in :attr:`thoughts`. None where
            there is no thought: outside of the region, in an empty tile, or before the run got there.

        Examples
        --------
        >>> key, thought = result.thought_at(y=100, x=250)
        >>> key, thought.trace
        """
        grid = self.plan.grid
        # In an overlap the later tile has the larger weight beyond the middle.
        row, col = (
            max(0, min(int((v - grid.overlap / 2) // grid.step), n - 1))
            for v, n in zip((y, x), grid.lattice, strict=True)
        )
        redone = RedoLog.read(self._store.work)
        return find_thought(self.plan, self.thoughts, TilePlace(t, z, group, row, col), redone)
