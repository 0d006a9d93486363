"""Redo: some tiles thought and drawn anew, in place, with the state before kept beside it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.tiling import Block
from napari_s1omni.errors import JobError
from napari_s1omni.execution.pipeline.block_geometry import target_index
from napari_s1omni.execution.run.redo_log import Place, RedoLog
from napari_s1omni.execution.run.run_output import RunOutput
from napari_s1omni.execution.stitching.stitching_pass import TABLE
from napari_s1omni.planning.cost import cost
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import replay
from napari_s1omni.storage.result import snapshots
from napari_s1omni.storage.result.store import ResultStore

_HOLE = re.compile(r"(?:^|; )(\d+)/(\d+)/(\d+): ")


def parse_tiles(plan: Plan, text: str) -> set[Place]:
    """Read ``3/5,4/5`` (row/column, in every plane), ``0/3/5`` (plane/row/column) or ``2/0/3/5`` (time point first).

    In every time point where none is named, and in every channel.

    Raises
    ------
    JobError
        If it is none of these, or names a tile that the run has not.
    """
    grid = plan.grid
    found: set[Place] = set()
    rows, cols = grid.tile_rows(grid.y), grid.tile_cols(grid.x)
    for part in text.replace(" ", "").split(","):
        numbers = [int(number) for number in part.split("/")] if re.fullmatch(r"\d+(/\d+){1,3}", part) else []
        allowed = (range(*grid.t), range(*grid.z), rows, cols)[-len(numbers) :]
        if not numbers or any(n not in there for n, there in zip(numbers, allowed, strict=True)):
            raise JobError(
                f"tile {part!r}",
                f"row/column, plane/row/column or time/plane/row/column, "
                f"rows {rows[0]} to {rows[-1]}, columns {cols[0]} to {cols[-1]}",
            )
        times = [numbers[-4]] if len(numbers) == 4 else range(*grid.t)
        planes = [numbers[-3]] if len(numbers) > 2 else range(*grid.z)
        found |= set(product(times, planes, range(grid.groups), [numbers[-2]], [numbers[-1]]))
    return found


def failed_tiles(plan: Plan, store: ResultStore) -> set[Place]:
    """Tiles that failed, and all those of blocks that failed as a whole."""
    found: set[Place] = set()
    indices = {target_index(plan, index): index for index in plan.grid.indices()}
    for record in replay(store.work / "journal").values():
        if record.state not in ("quarantined", "failed"):
            continue
        block = plan.grid.block(indices[record.block])
        holes = _HOLE.findall(record.error or "")
        if holes:
            found |= {(block.t, int(z), block.group, int(row), int(col)) for z, row, col in holes}
        else:
            found |= {
                (block.t, z, block.group, *tile.index) for z in range(*block.field_z) for tile in plan.grid.tiles(block)
            }
    return found


def uncertain_tiles(plan: Plan, store: ResultStore) -> set[Place]:
    """Tiles that see a place at which joining labels was a close call."""
    grid, path = plan.grid, store.work / TABLE
    found: set[Place] = set()
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                t, z, y, x = (int(row[axis]) for axis in "tzyx")
                y, x = y + grid.y[0], x + grid.x[0]
                rows, cols = grid.tile_rows((y, y + 1)), grid.tile_cols((x, x + 1))
                found |= {(t + grid.t[0], z + grid.z[0], 0, i, j) for i in rows for j in cols}
    return found


def blocks_of(plan: Plan, tiles: Iterable[Place]) -> Iterator[Block]:
    """Yield the blocks that draw at least one of some tiles, in order."""
    wanted = set(tiles)
    for block in plan.grid:
        drawn = ((block.t, z, block.group, *t.index) for z in range(*block.field_z) for t in plan.grid.tiles(block))
        if any(place in wanted for place in drawn):
            yield block


def begin_redo(plan: Plan, path: Path, tiles: set[Place], sampling: Sampling, prompt: str | None = None) -> int:
    """Keep the present generation, and mark what is to be made anew; a run then makes it.

    Parameters
    ----------
    plan : Plan
    path : Path
        The result.
    tiles : set of Place
    sampling : Sampling
    prompt : str, optional
        Another wording for these tiles.

    Returns
    -------
    int
        Blocks that are to be made anew.

    Raises
    ------
    JobError
        If there is nothing to redo.
    StoreError
        If the generation before the last is still undecided.
    """
    if not tiles:
        raise JobError("nothing to redo", "tiles of the run, or failed or uncertain ones")
    needed = cost(plan).output_bytes // len(plan.grid)
    with RunOutput.begin(plan, path, forecast=needed, whole=False, worker="redo") as output:
        snapshots.take_snapshot(path)
        RedoLog.read(output.store.work).and_then(sampling, tiles, prompt).write(output.store.work)
        count = 0
        for block in blocks_of(plan, tiles):
            index = target_index(plan, block.index)
            if index in output.ledger:
                old = output.ledger[index]
                output.enter(old.replace(state="stale", tiles={}, attempt=old.attempt + 1))
                count += 1
        output.store.finish(state="running")
        return count


@contextmanager
def held(plan: Plan, path: Path) -> Iterator[None]:
    """Hold the lock of a result, so that nobody runs into a generation that comes or goes."""
    with RunOutput.begin(plan, path, forecast=0, worker="redo"):
        yield
