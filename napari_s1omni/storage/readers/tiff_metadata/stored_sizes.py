"""StoredSizes: pixel size, units and channel names as a file gives them, without what cannot be a size."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from napari_s1omni.core.acquisition import Acquisition


@dataclass(slots=True)
class StoredSizes:
    """What a description says about the axes, by axis letter."""

    scale: dict[str, float] = field(default_factory=dict)
    """Pixel size in `units`."""
    units: dict[str, str] = field(default_factory=dict)
    """Unit as spelled in the file."""
    channel_names: tuple[str, ...] = ()
    translate: dict[str, float] = field(default_factory=dict)
    """Position of the first pixel in `units`, in a file that states it."""
    notes: list[str] = field(default_factory=list)
    """What was found and not used."""
    acquisition: Acquisition = field(default_factory=Acquisition)
    """What it says of microscope, time and channels."""

    def add(self, axis: str, value: Any, unit: str | None, name: str) -> None:
        """Add the size of a pixel along an axis, or a note if it is no number above 0.

        Parameters
        ----------
        axis : str
        value : number or str
        unit : str or None
            As spelled in the file.
        name : str
            The key in the file, for the note.
        """
        try:
            size = float(value)
        except (TypeError, ValueError):
            size = math.nan
        if not (math.isfinite(size) and size > 0):
            self.notes.append(f"{name} is {value}, which is no size of a pixel; no size is taken from it")
            return
        self.scale[axis] = size
        if unit:
            self.units[axis] = unit
        else:
            self.units.pop(axis, None)
