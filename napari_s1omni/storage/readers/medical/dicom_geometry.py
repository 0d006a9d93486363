"""Where the slices of a series lie: their distance, gaps between them, and the tilt of a gantry."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

import numpy as np

from napari_s1omni.core.patient_space import PatientSpace, Vector
from napari_s1omni.storage.readers.medical.dicom_frames import Frame, normal_of

_UNEVEN = 0.02
"""Part of the distance of slices by which it may differ between two of them: rounding and the table of the scanner."""
_TILT = 0.1
"""Degrees of tilt that are rounding."""
_LISTED = 4


def place_along(frame: Frame) -> float:
    """Return the place of a frame along the normal of its plane, in millimetres."""
    if frame.position is None or frame.orientation is None:
        return 0.0
    return sum(p * n for p, n in zip(frame.position, normal_of(frame.orientation), strict=True))


def read_geometry(slices: Sequence[Frame], notes: list[str]) -> tuple[float | None, PatientSpace | None]:
    """Return the distance of slices along their normal in millimetres, and where their pixels lie.

    Parameters
    ----------
    slices : sequence of Frame
        In their order along the normal.
    notes : list of str
        Receives gaps, uneven distances and the tilt of a gantry.
    """
    first, last = slices[0], slices[-1]
    if first.position is None or first.orientation is None:
        return first.depth, None
    normal = np.array(normal_of(first.orientation))
    depth, across = first.depth, normal * (first.depth or 1.0)
    if len(slices) > 1:
        depth = _distance(slices, notes)
        step = (np.array(last.position) - np.array(first.position)) / (len(slices) - 1)
        # Gaps make the mean step longer than the distance of neighbours.
        across = step * depth / max(float(step @ normal), 1e-9)
        _note_tilt(slices, across, normal, notes)
    if first.spacing is None:
        return depth, None
    rows, columns = first.spacing
    x, y = (np.array(first.orientation[k : k + 3]) for k in (0, 3))
    return depth, PatientSpace(first.position, (_vector(x * columns), _vector(y * rows), _vector(across)))


def _vector(values: np.ndarray) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z


def _distance(slices: Sequence[Frame], notes: list[str]) -> float:
    """Return the distance of slices, and note where it is another."""
    places = [place_along(frame) for frame in slices]
    steps = [b - a for a, b in itertools.pairwise(places)]
    usual = statistics.median_low(steps)
    odd = [k for k, step in enumerate(steps) if abs(step - usual) > _UNEVEN * usual]
    if not odd:
        return (places[-1] - places[0]) / len(steps)
    alone = all(b - a > 1 for a, b in itertools.pairwise(odd))
    if alone and all(steps[k] > 1.5 * usual and abs(steps[k] / usual - round(steps[k] / usual)) <= 0.1 for k in odd):
        lacking = sum(round(steps[k] / usual) - 1 for k in odd)
        where = ", ".join(f"{places[k]:g} and {places[k + 1]:g} mm" for k in odd[:_LISTED])
        more = f" and {len(odd) - _LISTED} more places" if len(odd) > _LISTED else ""
        notes.append(
            f"{lacking} slices are missing (gap between {where}{more}): the others are stacked {usual:g} mm apart "
            "without gaps, so places and sizes along z are wrong there"
        )
        return usual
    kinds = sorted({round(step, 2) for step in steps})
    listed = ", ".join(f"{kind:g}" for kind in kinds[:_LISTED]) + (" ..." if len(kinds) > _LISTED else "")
    notes.append(
        f"the slices have mixed spacings ({listed} mm): they are stacked {usual:g} mm apart, the most usual distance, "
        "so places and sizes along z are wrong where it is another"
    )
    return usual


def _note_tilt(slices: Sequence[Frame], step: np.ndarray, normal: np.ndarray, notes: list[str]) -> None:
    """Note slices that are shifted against each other along their rows or columns."""
    length = float(np.linalg.norm(step))
    shift = step - (step @ normal) * normal
    angle = math.degrees(math.asin(min(1.0, float(np.linalg.norm(shift)) / length))) if length else 0.0
    if angle > _TILT:
        notes.append(
            f"the gantry is tilted by {angle:.1f}°: each slice is shifted by {np.linalg.norm(shift):.3g} mm against "
            "the one before; pixels are kept as stored, so the volume is sheared"
        )
    first = np.array(slices[0].position)
    for frame in slices:
        away = np.array(frame.position) - first
        aside = away - (away @ normal) * normal - shift * float(away @ normal) / max(float(step @ normal), 1e-9)
        if float(np.linalg.norm(aside)) > 0.5 * min(frame.spacing or (math.inf,)):
            notes.append("some slices are shifted aside against the others; pixels are kept as stored")
            return
