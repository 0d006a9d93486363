"""Damage to JSON: values of another type, keys that are missing, numbers that are none, deep nesting."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

_NAN, _INF = float("nan"), float("inf")
_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 3, 0.5, -0.25, 2**31, 2**63, 10**30, 1e308, _NAN, _INF, -_INF),
    *("", "x", "0", "0.5", "NaN", "z", "time", "micrometer", "../..", "é" * 300),
    *([], {}, [[]], [None], {"a": {}}, [1, 2, 3], [0.0, 0.0]),
)
_DEEP = "deep nesting"
_LEVELS = 100_000


def damage_json(text: str, rng: random.Random) -> tuple[str, str]:
    """Return JSON with one change, and what it is.

    Raises
    ------
    ValueError, RecursionError
        If `text` is no JSON, or nested too deeply.
    """
    document = json.loads(text)
    places = list(_places(document, []))
    if not places:
        return "[]", "the document became a list"
    path = rng.choice(places)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    key, name = path[-1], "/".join(map(str, path))
    change = rng.choice(("value", "value", "value", "delete", "swap", "copy", "rename", "wrap", "deep"))
    if change == "value":
        holder[key] = rng.choice(_VALUES)
        told = f"{name} became {str(holder[key])[:20]!r}"
    elif change == "delete":
        del holder[key]
        told = f"{name} deleted"
    elif change == "swap":
        other = rng.choice(places)
        there = document
        for step in other[:-1]:
            there = there[step]
        # One may lie inside the other; a copy keeps the document a tree.
        first, second = json.loads(json.dumps([holder[key], there[other[-1]]]))
        there[other[-1]] = first
        holder[key] = second
        told = f"{name} and {'/'.join(map(str, other))} exchanged"
    elif change == "copy" and isinstance(holder, list):
        holder.append(json.loads(json.dumps(holder[key])))
        told = f"{name} repeated"
    elif change == "rename" and isinstance(holder, dict):
        holder[f"{key}_"] = holder.pop(key)
        told = f"{name} renamed"
    elif change == "deep":
        holder[key] = _DEEP
        told = f"{name} nested {_LEVELS} deep"
    else:
        holder[key] = [holder[key]]
        told = f"{name} put into a list"
    changed = json.dumps(document)
    return changed.replace(f'"{_DEEP}"', "[" * _LEVELS + "]" * _LEVELS), told


def _places(item: Any, path: list[Any]) -> Iterator[list[Any]]:
    """Yield the path of every value."""
    pairs = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
    for key, value in pairs:
        yield [*path, key]
        yield from _places(value, [*path, key])
