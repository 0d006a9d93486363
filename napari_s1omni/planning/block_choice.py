"""Choice of the blocks of a volume: as few pixels as possible are read and finished twice, within a bound of memory.

A block reads the tiles and planes of its halo too, and makes objects in them, as its neighbours do. Larger blocks do
less of this, and need more memory. How many tiles are drawn does not depend on blocks.
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
"""Block sizes whose pixels are counted, for each depth: the largest that fit."""
_NEARLY = 1.03
"""Of blocks that read at most this many times the fewest bytes, those with the least memory are taken."""


def choose_blocks(plan: Plan, *, edge: int | None, depth: int | None, memory: int | None = None) -> tuple[Plan, str]:
    """Give a plan of a volume the blocks with which it reads the fewest bytes.

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
    read: int
    """Bytes that are read, halos included."""
    memory: int
    """Bytes of a worker at its peak."""

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Count what the blocks of a plan take."""
        return cls(plan.grid, estimate_cost(plan).read_bytes, peak_memory(plan))


def _best(plan: Plan, edge: int | None, depth: int | None, bound: int) -> _Choice:
    """Return the blocks that read the fewest bytes and fit into a bound; if none does, those with the least memory."""
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
        # Larger blocks read less, so the smaller ones need not be counted.
        found += map(_Choice.of, collections.deque(fitting, maxlen=_COUNTED))
    if not found:
        return _Choice.of(_with_blocks(plan, edges[0], depths[0]))
    fewest = min(one.read for one in found)
    return min((one for one in found if one.read <= _NEARLY * fewest), key=lambda one: (one.memory, one.read))


def _with_blocks(plan: Plan, edge: int, depth: int) -> Plan:
    return dataclasses.replace(plan, grid=dataclasses.replace(plan.grid, block_size=edge, depth=depth))
