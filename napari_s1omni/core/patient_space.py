"""PatientSpace: where the pixels of a medical image lie in the patient."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

Vector = tuple[float, float, float]

_STRAIGHT = 1e-4
"""Largest part of a step along another axis that is rounding of the file."""
_TOWARDS = (("L", "R"), ("P", "A"), ("S", "I"))
"""Letters of the directions in which a coordinate grows and falls: left, posterior and superior grow."""


@dataclass(frozen=True, slots=True)
class PatientSpace:
    """Position and steps of a grid in millimetres towards left, back and head (LPS, as DICOM and ITK count)."""

    origin: Vector
    """Centre of the first pixel."""
    steps: tuple[Vector, Vector, Vector]
    """From one pixel to the next along x, y and z."""

    @classmethod
    def of_ras(cls, matrix: Sequence[Sequence[float]]) -> Self:
        """Return it from the affine (3 or 4, 4) of NIfTI, whose coordinates grow towards right, front and head."""
        columns = [(-float(matrix[0][k]), -float(matrix[1][k]), float(matrix[2][k])) for k in range(4)]
        return cls(columns[3], (columns[0], columns[1], columns[2]))

    def to_ras(self) -> list[list[float]]:
        """Return the affine (4, 4) of NIfTI."""
        columns = (*self.steps, self.origin)
        return [[-c[0] for c in columns], [-c[1] for c in columns], [c[2] for c in columns], [0.0, 0.0, 0.0, 1.0]]

    @property
    def spacing(self) -> Vector:
        """Length of the steps along x, y and z, in millimetres."""
        x, y, z = (math.hypot(*step) for step in self.steps)
        return x, y, z

    @property
    def directions(self) -> tuple[Vector, Vector, Vector]:
        """The steps along x, y and z as vectors of length 1."""
        x, y, z = ((s[0] / n, s[1] / n, s[2] / n) for s, n in zip(self.steps, self.spacing, strict=True))
        return x, y, z

    @property
    def straight(self) -> bool:
        """Whether x runs towards the left, y towards the back and z towards the head."""
        return all(
            abs(part - (row == column)) <= _STRAIGHT
            for column, step in enumerate(self.directions)
            for row, part in enumerate(step)
        )

    @property
    def towards(self) -> str:
        """The letters of the directions that x, y and z run towards most, such as ``LPS``."""
        letters = ""
        for step in self.steps:
            axis = max(range(3), key=lambda k: abs(step[k]))
            letters += _TOWARDS[axis][step[axis] < 0]
        return letters

    @property
    def turned_note(self) -> str:
        """What to say of an image whose axes are not straight."""
        shown = ", ".join(
            f"{axis} ({', '.join(f'{part:.3g}' for part in step)})"
            for axis, step in zip("xyz", self.directions, strict=True)
        )
        return (
            f"the image is turned, mirrored or sheared in the patient (x, y, z run towards {self.towards}; direction "
            f"cosines {shown}); pixels are kept as stored and the position is 0"
        )

    def scaled(self, factor: float) -> Self:
        """Return it with all lengths multiplied, for those in another unit than millimetres."""
        x, y, z, origin = ((v[0] * factor, v[1] * factor, v[2] * factor) for v in (*self.steps, self.origin))
        return type(self)(origin, (x, y, z))

    def part(self, first: Mapping[str, float], step: Mapping[str, float]) -> Self:
        """Return the space of a grid inside this one.

        Parameters
        ----------
        first : mapping of str to float
            Pixel of this grid where the centre of the other's first pixel lies, per axis; 0 if left out.
        step : mapping of str to float
            Pixels of this grid per pixel of the other, per axis; 1 if left out.
        """
        at = [first.get(a, 0.0) for a in "xyz"]
        origin = [o + sum(n * s[k] for n, s in zip(at, self.steps, strict=True)) for k, o in enumerate(self.origin)]
        steps = [
            (s[0] * f, s[1] * f, s[2] * f) for s, f in zip(self.steps, (step.get(a, 1.0) for a in "xyz"), strict=True)
        ]
        return type(self)((origin[0], origin[1], origin[2]), (steps[0], steps[1], steps[2]))
