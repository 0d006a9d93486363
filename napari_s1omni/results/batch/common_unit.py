"""Lengths in one unit, for tables of images whose files use several: a scanner's millimetres beside micrometres."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from napari_s1omni.core.sizes.lengths import UM
from napari_s1omni.results.object_table import LENGTHS, WORLD

_COMMON = "micrometer"


def units_of(tables: Iterable[Path]) -> set[str]:
    """Return the units of length that tables of objects use; those of counts of pixels are left out."""
    found: set[str] = set()
    for path in tables:
        with path.open(encoding="utf-8", newline="") as file:
            found.add((next(csv.DictReader(file), None) or {}).get("unit", ""))
    return found & UM.keys()


def in_micrometres(row: Mapping[str, str]) -> dict[str, str]:
    """Return a row of a table of objects with its lengths, areas and volumes in micrometres."""
    factor = UM.get(row.get("unit", ""), 1.0)
    if factor == 1.0:
        return dict(row)
    _, _, power = row.get("area_unit", "").partition("^")
    by = {**dict.fromkeys((*LENGTHS, *WORLD), factor), "area": factor ** int(power or 2)}
    changed = {name: f"{float(row[name]) * by[name]:.10g}" for name in by if row.get(name)}
    return {**row, **changed, "unit": _COMMON, "area_unit": f"{_COMMON}^{power or 2}"}
