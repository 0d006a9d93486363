"""Redoes some tiles of a result in place and keeps the previous result beside it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.tiling import Block, TilePlace
from napari_s1omni.errors import JobError
from napari_s1omni.execution.pipeline.failed_tiles import failed_tiles
from napari_s1omni.execution.redo.redo_log import RedoLog
from napari_s1omni.execution.run.run_output import RunOutput
from napari_s1omni.execution.stitching.uncertain_joins import UNCERTAIN_JOINS_FILE
from napari_s1omni.planning.cost import estimate_cost
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import replay
from napari_s1omni.storage.result import snapshots
from napari_s1omni.storage.result.store import ResultStore

_WITH_COMMAS = re.compile(r"\d+(,\d+){1,3}")
"""One tile as people write positions: ``3,5``."""


def parse_tiles(plan: Plan, text: str) -> set[TilePlace]:
    """Read ``3/5,4/5`` (row/column, in every plane), ``0/3/5`` (plane/row/column) or ``2/0/3/5`` (time point first).

    A single tile may also be written ``3,5``. The tiles are of every time point unless one is given, and of every
    channel.

    Raises
    ------
    JobError
        If the text has another form, or names a tile that is not part of the run.
    """
    grid = plan.grid
    found: set[TilePlace] = set()
    rows, cols = grid.tile_rows(grid.y), grid.tile_cols(grid.x)
    plain = text.replace(" ", "")
    for part in [plain.replace(",", "/")] if _WITH_COMMAS.fullmatch(plain) else plain.split(","):
        numbers = [int(number) for number in part.split("/")] if re.fullmatch(r"\d+(/\d+){1,3}", part) else []
        allowed = (range(*grid.t), range(*grid.z), rows, cols)[-len(numbers) :]
        if not numbers or any(n not in valid for n, valid in zip(numbers, allowed, strict=True)):
            raise JobError(
                f"this run has no tile {part!r}",
                f"a tile is row/column, plane/row/column or time/plane/row/column, with "
                f"rows {rows[0]} to {rows[-1]} and columns {cols[0]} to {cols[-1]}",
                "several tiles are separated by commas: 3/5,3/6",
            )
        times = [numbers[-4]] if len(numbers) == 4 else range(*grid.t)
        planes = [numbers[-3]] if len(numbers) > 2 else range(*grid.z)
        places = product(times, planes, range(grid.groups), [numbers[-2]], [numbers[-1]])
        found |= {TilePlace(*place) for place in places}
    return found


def all_failed_tiles(plan: Plan, store: ResultStore) -> set[TilePlace]:
    """Return the tiles of a result that failed, including all those of blocks that failed as a whole."""
    records = replay(store.work / "journal").values()
    return {place for record in records for place, _ in failed_tiles(plan, record)}


def uncertain_tiles(plan: Plan, store: ResultStore) -> set[TilePlace]:
    """Return the tiles that contain a place where joining labels was uncertain."""
    grid, path = plan.grid, store.work / UNCERTAIN_JOINS_FILE
    found: set[TilePlace] = set()
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                t, z, y, x = (int(row[axis]) for axis in "tzyx")
                y, x = y + grid.y[0], x + grid.x[0]
                rows, cols = grid.tile_rows((y, y + 1)), grid.tile_cols((x, x + 1))
                found |= {TilePlace(t + grid.t[0], z + grid.z[0], 0, i, j) for i in rows for j in cols}
    return found


def blocks_with_tiles(plan: Plan, tiles: Iterable[TilePlace]) -> Iterator[Block]:
    """Yield the blocks that generate at least one of some tiles, in order."""
    wanted = set(tiles)
    for block in plan.grid:
        planes = range(*block.field_z)
        own = (TilePlace(block.t, z, block.group, *tile.index) for z in planes for tile in plan.grid.tiles(block))
        if any(place in wanted for place in own):
            yield block


def begin_redo(plan: Plan, path: Path, tiles: set[TilePlace], sampling: Sampling, prompt: str | None = None) -> int:
    """Keep the present result, and mark the blocks of some tiles as stale; a run then makes them again.

    Parameters
    ----------
    plan : Plan
    path : Path
        The result.
    tiles : set of TilePlace
    sampling : Sampling
    prompt : str, optional
        Another prompt for these tiles.

    Returns
    -------
    int
        Number of blocks that will be made again.

    Raises
    ------
    JobError
        If there is nothing to redo.
    StoreError
        If the previous redo was neither accepted nor dropped.
    """
    if not tiles:
        raise JobError("nothing to redo", "tiles of the run, or failed or uncertain ones")
    needed = estimate_cost(plan).output_bytes // len(plan.grid)
    with RunOutput.begin(plan, path, forecast=needed, whole=False, worker="redo") as output:
        snapshots.take_snapshot(path)
        RedoLog.read(output.store.work).with_round(sampling, tiles, prompt).write(output.store.work)
        count = 0
        for block in blocks_with_tiles(plan, tiles):
            index = plan.shard_index(block.index)
            if index in output.blocks:
                old = output.blocks[index]
                output.append(old.replace(state="stale", tiles={}, shared=0, attempt=old.attempt + 1))
                count += 1
        output.store.finish(state="running")
        return count


@contextmanager
def lock_result(plan: Plan, path: Path) -> Iterator[None]:
    """Hold the lock of a result, so that no run writes it while a snapshot is restored or deleted."""
    with RunOutput.begin(plan, path, forecast=0, worker="redo"):
        yield
