"""Choice of the blocks of a volume: as few tiles as possible within a bound of memory.

A block draws the tiles and planes of its halo too, which its neighbours draw again. Larger blocks draw fewer of them,
and need more memory.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
from typing import Self

from napari_s1omni.core.tiling import TileGrid
from napari_s1omni.core.units import format_bytes
from napari_s1omni.planning.cost import estimate_cost
from napari_s1omni.planning.memory import peak_memory
from napari_s1omni.planning.plan import Plan

BOUND = 3 * 10**9
"""Bytes that the blocks of a worker may take beside its engine. The same on every machine, since objects at block
faces depend on where the faces are."""
_LEAST = 2**27
"""Bound in bytes below which smaller blocks no longer help."""
_DEPTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Planes of a block that are compared."""
_COUNTED = 4
"""Block sizes whose tiles are counted, for each depth: the largest that fit."""
_NEARLY = 1.03
"""Of blocks that draw at most this many times the fewest tiles, those with the least memory are taken."""


def choose_blocks(plan: Plan, *, edge: int | None, depth: int | None, memory: int | None = None) -> tuple[Plan, str]:
    """Give a plan of a volume the blocks with which it draws the fewest tiles.

    Parameters
    ----------
    plan : Plan
        Its own block size and depth are not used, unless they are given here.
    edge : int, optional
        Block size in source px, a whole number of steps; left out, it is chosen.
    depth : int, optional
        Planes of a block; left out, they are chosen.
    memory : int, optional
        Bytes that are free for a worker; with less than usual, blocks are smaller, which is noted.

    Returns
    -------
    (Plan, str)
        The plan with its blocks, and what there is to note on them; empty if nothing.
    """
    chosen, bound = _best(plan, edge, depth, BOUND), BOUND
    usual = chosen
    while memory is not None and chosen.memory > memory and bound > _LEAST:
        bound //= 2
        chosen = _best(plan, edge, depth, bound)
    note = ""
    if usual.grid != chosen.grid and memory is not None:
        note = (
            f"Blocks are {chosen.grid.block_size} px x {chosen.grid.depth} planes instead of "
            f"{usual.grid.block_size} px x {usual.grid.depth}, since only {format_bytes(memory)} of memory are free."
        )
    return dataclasses.replace(plan, grid=chosen.grid), note


@dataclasses.dataclass(frozen=True, slots=True)
class _Choice:
    """Blocks of one size."""

    grid: TileGrid
    tiles: int
    """Tiles that are run."""
    memory: int
    """Bytes of a worker at its peak."""

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Count what the blocks of a plan take."""
        return cls(plan.grid, estimate_cost(plan).tiles_computed, peak_memory(plan))


def _best(plan: Plan, edge: int | None, depth: int | None, bound: int) -> _Choice:
    """Return the blocks with the fewest tiles that fit into a bound; if none does, those with the least memory."""
    grid = plan.grid
    planes = grid.z[1] - grid.z[0]
    longest = max(grid.y[1] - grid.y[0], grid.x[1] - grid.x[0])
    edges = [edge] if edge else [n * grid.step for n in range(1, -(-longest // grid.step) + 1)]
    depths = [depth] if depth else sorted({min(d, planes) for d in _DEPTHS})
    room = bound + plan.engine.host.memory.resident
    found: list[_Choice] = []
    for deep in depths:
        fitting = itertools.takewhile(
            lambda one: peak_memory(one) <= room, (_with_blocks(plan, size, deep) for size in edges)
        )
        # Larger blocks draw fewer tiles, so the smaller ones need not be counted.
        found += map(_Choice.of, collections.deque(fitting, maxlen=_COUNTED))
    if not found:
        return _Choice.of(_with_blocks(plan, edges[0], depths[0]))
    fewest = min(one.tiles for one in found)
    return min((one for one in found if one.tiles <= _NEARLY * fewest), key=lambda one: (one.memory, one.tiles))


def _with_blocks(plan: Plan, edge: int, depth: int) -> Plan:
    return dataclasses.replace(plan, grid=dataclasses.replace(plan.grid, block_size=edge, depth=depth))
