"""Keys: the names of thoughts, and the tiles that they belong to."""

from __future__ import annotations

import re
from collections.abc import Mapping

from napari_s1omni.engine.protocol import Thought
from napari_s1omni.execution.run.redo_log import Place, RedoLog
from napari_s1omni.planning.plan import Plan

_TILE = re.compile(r"t(\d+)/z(\d+)/g(\d+)/tile/(\d+)/(\d+)(?:/redo/\d+)?")
_ROUND = re.compile(r"/redo/(\d+)$")


def key_of(plan: Plan, place: Place) -> str:
    """Name of the thought that a tile is drawn from."""
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


def find_thought(
    plan: Plan, thoughts: Mapping[str, Thought], place: Place, redone: RedoLog | None = None
) -> tuple[str, Thought] | None:
    """Find the thought that a tile was drawn from, and its key; the last one where the tile was redone."""
    key = key_of(plan, place)
    again = redone.of(place) if redone else None
    for name in (f"{key}/redo/{again.number}", key) if again else (key,):
        if name in thoughts:
            return name, thoughts[name]
    return None


def tile_of(key: str) -> Place | None:
    """Which tile alone a thought is about; None where it is about more than one."""
    found = _TILE.fullmatch(key)
    if found is None:
        return None
    t, z, group, row, col = map(int, found.groups())
    return t, z, group, row, col


def round_of(key: str) -> int:
    """In which round of redoing something was thought; 0 is the run itself."""
    found = _ROUND.search(key)
    return int(found[1]) if found else 0
