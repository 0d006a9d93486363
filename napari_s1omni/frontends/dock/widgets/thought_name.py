"""Readable names for the keys of thoughts."""

from __future__ import annotations

from napari_s1omni.execution.pipeline.thought_keys import redo_round_of_key

_AXES = {"t": "t", "z": "z", "g": "channel"}
"""Prefix of a key part -> its name; parts with index 0 are left out."""


def thought_name(key: str) -> str:
    """Return a readable name: ``tile 3/5``, ``tile 0/1 (z 4), redone``, ``the whole layer``."""
    if number := redo_round_of_key(key):
        return f"{thought_name(key.removesuffix(f'/redo/{number}'))}, redone"
    parts = key.split("/")
    if parts[-1] == "layer":
        return "the whole layer"
    if len(parts) >= 3 and parts[-3] in ("tile", "region"):
        place = ", ".join(f"{_AXES[p[0]]} {p[1:]}" for p in parts[:-3] if p[0] in _AXES and p[1:] != "0")
        return f"{parts[-3]} {parts[-2]}/{parts[-1]}{f' ({place})' if place else ''}"
    return "the prompt"
