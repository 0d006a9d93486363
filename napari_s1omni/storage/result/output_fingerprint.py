"""Compare the fingerprint of a run with the one stored in its output, so that only the same run is resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_s1omni.errors import PlanMismatch, StoreDamaged, StoreExists
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.files.fsync_store import WORK

FINGERPRINT = f"{WORK}/fingerprint.json"
"""Key of the fingerprint in an output."""


def is_begun(path: Path) -> bool:
    """Whether a run was begun in this output."""
    return (path / FINGERPRINT).exists()


def is_same_run(path: Path, fingerprint: Mapping[str, Any]) -> bool:
    """Whether a run with this fingerprint was begun in this output; False if its fingerprint cannot be read."""
    return stored_fingerprint(path) == fingerprint


def stored_fingerprint(path: Path) -> dict[str, Any] | None:
    """Return the fingerprint of the run that was begun in this output; None if there is none that can be read."""
    try:
        stored = json.loads((path / FINGERPRINT).read_bytes())
    except (OSError, ValueError):
        return None
    return stored if isinstance(stored, dict) else None


def check_same_run(path: Path, fingerprint: Mapping[str, Any], *, resume: bool) -> None:
    """Refuse an output that was begun with another fingerprint, or with this one if it must not be resumed.

    Raises
    ------
    PlanMismatch
        ``facts['keys']`` names the keys that differ.
    StoreExists
        If the same run was begun here and `resume` is off.
    StoreDamaged
        If the stored fingerprint is not valid.
    """
    file = path / FINGERPRINT
    with disk_errors("reading", file):
        text = file.read_bytes()
    try:
        old = json.loads(text)
    except ValueError as error:
        raise StoreDamaged(f"{file} cannot be read: {error}", remedy="choose another output") from error
    keys = differing_keys(old, fingerprint)
    if keys:
        raise PlanMismatch(
            f"{path} was begun with another plan; different: {', '.join(keys)}",
            remedy="use the settings it was begun with, or choose another output",
            path=str(path),
            keys=keys,
        )
    if not resume:
        raise StoreExists(f"{path} already holds this run", remedy="resume it, or choose another output")


def differing_keys(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> tuple[str, ...]:
    """Return the dotted keys that differ between two fingerprints, sorted."""
    keys: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            keys += differing_keys(a, b, f"{prefix}{key}.")
        elif a != b or (key in old) != (key in new):
            keys.append(prefix + key)
    return tuple(keys)
