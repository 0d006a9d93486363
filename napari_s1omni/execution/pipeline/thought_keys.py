"""Keys of thoughts, and the tiles to which they belong."""

from __future__ import annotations

import re
from collections.abc import Mapping

from napari_s1omni.core.tiling import TilePlace
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.execution.redo.redo_log import RedoLog
from napari_s1omni.planning.plan import Plan

_TILE_KEY = re.compile(r"t(\d+)/z(\d+)/g(\d+)/tile/(\d+)/(\d+)(?:/redo/\d+)?")
_REDO_SUFFIX = re.compile(r"/redo/(\d+)$")


def thought_key(plan: Plan, place: TilePlace) -> str:
    """Return the key of the thought from which a tile is generated in the run itself."""
    t, z, group, row, col = place
    match plan.sampling.think:
        case "per_tile":
            return f"t{t}/z{z}/g{group}/tile/{row}/{col}"
        case "per_region":
            k = plan.sampling.region_tiles
            return f"t{t}/z{z}/g{group}/region/{row // k}/{col // k}"
        case "once":
            return f"g{group}/layer"
        case _:
            return "off"


def redo_key(key: str, number: int) -> str:
    """Return the key of a thought in a round of redoing; round 0 is the run itself."""
    return f"{key}/redo/{number}" if number else key


def find_thought(
    plan: Plan, thoughts: Mapping[str, Thought], place: TilePlace, redo_log: RedoLog | None = None
) -> tuple[str, Thought] | None:
    """Return the key and thought of a tile, the latest one if the tile was redone; None if there is none."""
    key = thought_key(plan, place)
    redone = redo_log.last_round(place) if redo_log else None
    for name in (redo_key(key, redone.number), key) if redone else (key,):
        if name in thoughts:
            return name, thoughts[name]
    return None


def tile_of_key(key: str) -> TilePlace | None:
    """Return the tile of a thought about a single tile; None for thoughts about more than one."""
    found = _TILE_KEY.fullmatch(key)
    return TilePlace(*map(int, found.groups())) if found else None


def redo_round_of_key(key: str) -> int:
    """Return the round of redoing in which a thought was made; 0 is the run itself."""
    found = _REDO_SUFFIX.search(key)
    return int(found[1]) if found else 0
