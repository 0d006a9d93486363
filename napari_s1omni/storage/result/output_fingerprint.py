"""Compare the fingerprint of a run with the one stored in its output, so that only the same run is resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_s1omni.core.image_references import short_reference
from napari_s1omni.errors import PlanMismatch, StoreDamaged, StoreExists
from napari_s1omni.planning.plan_differences import describe_differences
from napari_s1omni.planning.zarr_folder import read_attributes
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.result.metadata import KEY

FINGERPRINT = f"{WORK}/fingerprint.json"
"""Key of the fingerprint in an output."""
_REPLACE = (
    "replace it with --overwrite (overwrite=True in Python), which keeps the present result until you accept or drop "
    "the new one with s1omni redo"
)
"""The third way on, after another output and the result that is there."""


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
        raise StoreDamaged(f"{file} cannot be read: {error}", remedy=f"choose another output, or {_REPLACE}") from error
    keys = differing_keys(old, fingerprint)
    if keys:
        different = describe_differences(old, fingerprint, keys)
        own = _own_attributes(path)
        ways = "look at" if own.get("state") == "complete" else "continue"
        command = "show" if own.get("state") == "complete" else "resume"
        raise PlanMismatch(
            f"{path} holds {_describe_result(own, old)}. This job differs: {'; '.join(different)}",
            remedy=f"choose another output; or {ways} what is there (s1omni {command} {path}); or {_REPLACE}",
            path=str(path),
            keys=keys,
            different=different,
        )
    if not resume:
        raise StoreExists(f"{path} already holds this run", remedy="resume it, or choose another output")


def _own_attributes(path: Path) -> dict[str, Any]:
    try:
        return dict(read_attributes(path).get(KEY) or {})
    except (OSError, ValueError):
        return {}


def _describe_result(own: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> str:
    """Say what an output holds: ``a finished segmentation of coins.png ('segment the coins'), 24 objects``."""
    operation = str(fingerprint.get("operation.type") or "result").replace("_", " ")
    source = f" of {short_reference(own['source'])}" if own.get("source") else ""
    prompt = f" ('{fingerprint['operation.prompt']}')" if fingerprint.get("operation.prompt") else ""
    objects = (own.get("summary") or {}).get("objects")
    found = "" if objects is None else f", {objects:,} objects"
    return f"{'a finished' if own.get('state') == 'complete' else 'an unfinished'} {operation}{source}{prompt}{found}"


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
