"""Choice of the blocks of a volume: as few tiles as possible within a bound of memory.

A block draws the tiles and planes of its halo too, which its neighbours draw again. Larger blocks draw fewer of them,
and need more memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

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
    found = list(_candidates(plan, edge, depth))
    bound = BOUND
    chosen = _best(found, bound)
    fixed = _fixed_memory(plan)
    while memory is not None and chosen.memory > memory and bound > _LEAST:
        bound //= 2
        chosen = _best(found, bound)
    note = ""
    if bound < BOUND:
        usual = _best(found, BOUND)
        if usual.grid != chosen.grid:
            note = (
                f"Blocks are {chosen.grid.block_size} px x {chosen.grid.depth} planes instead of "
                f"{usual.grid.block_size} px x {usual.grid.depth}, since {format_bytes(max(0, (memory or 0) - fixed))} "
                "of memory are free for them."
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
    beside: int
    """Bytes of these beside its engine."""


def _fixed_memory(plan: Plan) -> int:
    return plan.engine.host.memory.resident


def _candidates(plan: Plan, edge: int | None, depth: int | None) -> Iterator[_Choice]:
    grid = plan.grid
    planes = grid.z[1] - grid.z[0]
    longest = max(grid.y[1] - grid.y[0], grid.x[1] - grid.x[0])
    edges = [edge] if edge else [n * grid.step for n in range(1, -(-longest // grid.step) + 1)]
    for deep in [depth] if depth else sorted({min(d, planes) for d in _DEPTHS}):
        for size in edges:
            candidate = dataclasses.replace(plan, grid=dataclasses.replace(grid, block_size=size, depth=deep))
            memory = peak_memory(candidate)
            beside = memory - _fixed_memory(plan)
            yield _Choice(candidate.grid, estimate_cost(candidate).tiles_computed, memory, beside)
            # Memory grows with the block.
            if beside > BOUND:
                break


def _best(found: list[_Choice], bound: int) -> _Choice:
    within = [one for one in found if one.beside <= bound]
    if not within:
        return min(found, key=lambda one: one.memory)
    fewest = min(one.tiles for one in within)
    return min((one for one in within if one.tiles <= _NEARLY * fewest), key=lambda one: (one.memory, one.tiles))
