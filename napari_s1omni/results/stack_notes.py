"""What was done to the objects of a stack, as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def stack_notes(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Say how many objects of a stack were parted and dropped, from the summary of its result."""
    notes = []
    if parted := summary.get("parted"):
        notes.append(
            f"{parted:,} linked object{'s' if parted > 1 else ''} grew narrow and wide again along z and "
            f"{'were' if parted > 1 else 'was'} parted there (split_z)."
        )
    if thin := summary.get("thin"):
        notes.append(
            f"{thin:,} object{'s' if thin > 1 else ''} in fewer than {summary['min_planes']} planes "
            f"{'were' if thin > 1 else 'was'} dropped (min_planes)."
        )
    return tuple(notes)
