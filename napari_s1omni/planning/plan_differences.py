"""Say in a user's words how the plan of a run differs from that of the result in its output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PIXELS = {
    "grid.tile_size": "tile size",
    "grid.overlap": "overlap",
    "grid.block_size": "block size",
}
_NAMES = {
    "operation.type": "operation",
    "source.scale": "pixel size",
    "source.units": "units of the pixel size",
    "source.axes": "axes",
    "source.translate": "position of the image",
    "groups": "channels",
    **_PIXELS,
}
_CONSEQUENCES = {
    "source": "the metadata of the image",
    "normalization": "the intensity range of the image",
    "grid": "the blocks",
    "fit": "the size at which tiles are drawn",
    "target": "the form of the result",
    "instruction": "what the engine is told",
    "counterstain": "the stains that the engine sees",
    "even_ground": "the ground that the engine sees",
}
"""What follows from other settings, by the first part of its key; it is named only if nothing else differs."""
_ORDER = ("operation", "source_digest", "source", "region", "region_digest", "groups", "engine", "grid", "sampling")
"""First parts of keys, in the order in which they are told."""
_SHOWN = 60
"""Characters of a value that are shown."""


def describe_differences(old: Mapping[str, Any], new: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """Describe what differs between two fingerprints of a plan.

    Parameters
    ----------
    old, new : mapping
        From :meth:`napari_s1omni.planning.plan.Plan.fingerprint`: of the result, and of the job.
    keys : sequence of str
        The dotted keys that differ.

    Returns
    -------
    list of str
        Such as ``tile size 128 px instead of 256 px``; at least one for any key.
    """
    phrases = list(dict.fromkeys(_choices(old, new, sorted(keys, key=_rank))))
    if not phrases:
        phrases = list(dict.fromkeys(_CONSEQUENCES.get(key.split(".")[0], key) for key in keys))
    return phrases


def _rank(key: str) -> tuple[int, bool]:
    """Return the place of a key in the sentence: the operation first."""
    first = key.split(".")[0]
    return _ORDER.index(first) if first in _ORDER else 0, key != "operation.type"


def _choices(old: Mapping[str, Any], new: Mapping[str, Any], keys: Sequence[str]) -> Iterator[str]:
    """Yield what a user chose otherwise; what follows from it is left out."""
    other_image = "source_digest" in keys
    other_operation = "operation.type" in keys
    for key in keys:
        first, _, name = key.partition(".")
        if key == "source_digest":
            yield "the image has other pixels"
        elif first in ("region", "region_digest"):
            yield f"region {_region(new)} instead of {_region(old)}"
        elif first == "engine":
            yield _engine(old, new)
        elif key == "groups" and "operation.channels" in keys:
            continue
        elif (first in ("operation", "sampling") and (key == "operation.type" or not other_operation)) or (
            key in _NAMES and not (other_image and key.startswith(("source", "groups")))
        ):
            pixels = " px" if key in _PIXELS else ""
            yield f"{_NAMES.get(key, name)} {_value(new.get(key), pixels)} instead of {_value(old.get(key), pixels)}"
        elif first not in _CONSEQUENCES and first not in ("operation", "groups"):
            yield key


def _engine(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    names = [(side.get("engine.name"), side.get("engine.revision")) for side in (new, old)]
    if names[0] != names[1]:
        return " instead of ".join(f"engine {name}, revision {revision}" for name, revision in names)
    changed = [
        key for key in sorted(old.keys() | new.keys()) if key.startswith("engine.") and old.get(key) != new.get(key)
    ]
    return f"other settings of the engine ({', '.join(key.partition('.')[2] for key in changed)})"


def _region(fingerprint: Mapping[str, Any]) -> str:
    if fingerprint.get("region_digest"):
        return f"in a file (content {fingerprint['region_digest'][:8]})"
    spans = [(axis, fingerprint.get(f"region.{axis}")) for axis in "tzyx"]
    return ", ".join(f"{axis} {span[0]}:{span[1]}" for axis, span in spans if span) or "the whole image"


def _value(value: Any, unit: str = "") -> str:
    if value is None:
        return "left out"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return ", ".join(_value(part) for part in value) or "none"
    text = f"'{value}'" if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
    return (text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]}...'") + unit
