"""Where a measurement is made, and the code for it: everything, or windows spread over a large layer."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_s1omni.asking.measuring import objects
from napari_s1omni.asking.measuring.grammar import Measurement
from napari_s1omni.asking.view import PixelBox
from napari_s1omni.asking.viewer import integer
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import unit_symbol
from napari_s1omni.errors import ViewError

_MOST_PIXELS = 12_000_000
"""Largest part that is measured as a whole, in px: with its copies it fits into the memory of the sandbox."""
_WINDOWS, _WINDOW = 3, 1024
"""Windows along each axis, and their edge in px, that are measured of a larger part."""


@dataclass(frozen=True, slots=True)
class MeasuringPlan:
    """What is measured, and where; all at full resolution."""

    measurement: Measurement
    boxes: dict[str, PixelBox]
    """By name."""
    part: PixelBox
    """What is asked about."""
    pixel: float
    """Size of a pixel in `unit`."""
    unit: str
    z: int
    t: int
    channel: int
    planes: int
    """Planes of the layer."""
    notes: tuple[str, ...]
    """What was decided, one sentence each."""

    @property
    def share(self) -> float:
        """Share of the part that is measured."""
        return sum(map(_area, self.boxes.values())) / _area(self.part)

    @property
    def sampled(self) -> bool:
        """Whether windows stand for the part."""
        return not self.measurement.boxes and len(self.boxes) > 1

    @property
    def symbol(self) -> str:
        """The unit as people write it."""
        return unit_symbol(self.unit)

    @property
    def area_symbol(self) -> str:
        """The unit of areas as people write it."""
        return unit_symbol(f"{self.unit}^2")

    @property
    def code(self) -> str:
        """The code that is run in the sandbox."""
        boxes = {name: tuple(box) for name, box in self.boxes.items()}
        given = "".join(f"    {name}={value!r},\n" for name, value in self.settings.items())
        return f"{inspect.getsource(objects)}\n\nmeasure(\n    region,\n    note,\n    {boxes!r},\n{given})\n"

    @property
    def settings(self) -> dict[str, Any]:
        """The other arguments of :func:`napari_s1omni.asking.measuring.objects.measure`."""
        return {
            "polarity": self.measurement.polarity,
            "extreme": self.measurement.extreme,
            "pixel": self.pixel,
            "unit": self.unit,
            "sampled": self.sampled,
            "z": self.z,
            "t": self.t,
            "c": self.channel,
        }


def plan_measurement(
    asked: Measurement, spec: LayerSpec, part: PixelBox, z: int | None = None, t: int | None = None, channel: int = 0
) -> MeasuringPlan:
    """Decide where to measure.

    Parameters
    ----------
    asked : Measurement
    spec : LayerSpec
        Of the layer at full resolution.
    part : PixelBox
        What may be seen of it.
    z, t : int, optional
        Plane and time point; by default the middle one and the first.
    channel : int

    Raises
    ------
    ViewError
        If a region that the question names does not lie in the part, or is too large.
    """
    notes = []
    z = integer("z", spec.size("z") // 2 if z is None else z, 0, spec.size("z") - 1)
    t = integer("t", t or 0, 0, spec.size("t") - 1)
    channel = integer("channel", channel, 0, spec.size("c") - 1)
    for axis, chosen, what in (("z", z, "plane"), ("t", t, "time point"), ("c", channel, "channel")):
        if spec.size(axis) > 1:
            notes.append(f"measured on {what} {chosen} of 0 to {spec.size(axis) - 1}")
    boxes = {f"region {number}": box for number, box in enumerate(asked.boxes, 1)}
    for name, box in boxes.items():
        place = f"rows {box.y0}:{box.y1}, columns {box.x0}:{box.x1}"
        if not part.contains(box) or box.y1 <= box.y0 or box.x1 <= box.x0:
            raise ViewError(
                f"{name}, {place},",
                f"rows within {part.y0}:{part.y1} and columns within {part.x0}:{part.x1}",
                "correct the region",
            )
        if _area(box) > _MOST_PIXELS:
            raise ViewError(
                f"{name}, {place}, has {_area(box):,} px", f"at most {_MOST_PIXELS:,}", "name a smaller one"
            )
    if not boxes and _area(part) <= _MOST_PIXELS:
        boxes = {"all": part}
    elif not boxes:
        boxes = {f"window {number}": window for number, window in enumerate(_windows(part), 1)}
        covered = sum(map(_area, boxes.values())) / _area(part)
        notes.append(f"measured in {len(boxes)} windows that cover {covered:.2%} of the part")
    unit, sizes = spec.unit_of("x"), (spec.scale_of("y"), spec.scale_of("x"))
    if unit is None:
        notes.append("the layer states no pixel size: sizes are in px")
    pixel = 1.0 if unit is None else float(np.sqrt(sizes[0] * sizes[1]))
    return MeasuringPlan(
        asked, boxes, part, pixel, "px" if unit is None else unit, z, t, channel, spec.size("z"), tuple(notes)
    )


def _windows(part: PixelBox) -> list[PixelBox]:
    edges = []
    for start, stop in ((part.y0, part.y1), (part.x0, part.x1)):
        edge = min(_WINDOW, stop - start)
        places = np.linspace(start, stop - edge, _WINDOWS).round().astype(int) if stop - start > edge else [start]
        edges.append([(int(place), int(place) + edge) for place in places])
    return [PixelBox(y[0], x[0], y[1], x[1]) for y in edges[0] for x in edges[1]]


def _area(box: PixelBox) -> int:
    return (box.y1 - box.y0) * (box.x1 - box.x0)
