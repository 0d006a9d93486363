"""What was done to the objects of a stack, as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def stack_notes(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Say how many objects of a stack were split and dropped, from the summary of its result."""
    notes = []
    if split := summary.get("split"):
        places = f"{split:,} places" if split > 1 else "one place"
        notes.append(f"Linked objects that grew narrow and wide again along z were split in {places} (split_z).")
    if thin := summary.get("thin"):
        notes.append(
            f"{thin:,} object{'s' if thin > 1 else ''} in fewer than {summary['min_planes']} planes "
            f"{'were' if thin > 1 else 'was'} dropped (min_planes)."
        )
    return tuple(notes)
