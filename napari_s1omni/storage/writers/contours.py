"""Trace the outlines of labels along pixel edges, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.core.spec import LayerSpec

Ring = NDArray[np.int64] | NDArray[np.float64]
"""Corners (n, 2) of x, y in pixels, open: the last joins the first. 0, 0 is the outer corner of the first pixel."""

_TURNS = {(1, 0): ((0, 1), (1, 0), (0, -1)), (0, 1): ((-1, 0), (0, 1), (1, 0))}
_TURNS |= {(-1, 0): ((0, -1), (-1, 0), (0, 1)), (0, -1): ((1, 0), (0, -1), (-1, 0))}
"""Step (x, y) -> next steps to try: right, ahead, left. Right first separates pixels that only share a corner."""


@dataclass(frozen=True, slots=True)
class TracedObject:
    """One label in one plane."""

    label: int
    t: int
    """Time point."""
    z: int
    """Plane."""
    parts: tuple[tuple[Ring, ...], ...]
    """For each part connected by pixel edges: its outer ring, then its holes."""


def trace_mask(mask: NDArray[np.bool_], x: int = 0, y: int = 0) -> tuple[tuple[Ring, ...], ...]:
    """Trace the outlines of a mask.

    Parameters
    ----------
    mask : bool (H, W)
    x, y : int
        Position of its first pixel.

    Returns
    -------
    tuple of tuple of Ring
        For each 4-connected part its outer ring, clockwise with y pointing down,
        and its holes. Filling them by pixel centres returns the mask.
    """
    parts, count = ndi.label(mask)
    found = []
    for number, box in enumerate(ndi.find_objects(parts, count), 1):
        rings = _rings(parts[box] == number)
        # The outer ring encloses the largest area.
        rings.sort(key=lambda ring: -abs(_area(ring)))
        shift = np.array([x + box[1].start, y + box[0].start])
        found.append(tuple(ring + shift for ring in rings))
    return tuple(found)


def trace_labels(array: Any, spec: LayerSpec, block: tuple[int, ...]) -> Iterator[TracedObject]:
    """Yield every label of a layer, plane by plane, reading block by block.

    Labels inside one block are traced at once. For labels in several blocks the
    bounding box is collected first; those that begin in the same block are then
    traced from one window. Memory holds the ids of one plane and one such window.

    Parameters
    ----------
    array : array-like
        Labels in the axes of `spec`, 0 is background.
    spec : LayerSpec
    block : tuple of int
        Size of the boxes to read, in pixels per axis.
    """
    for t, z in product(*(range(spec.size(a)) if a in spec else (0,) for a in "tz")):
        yield from _trace_plane(array, spec, t, z, dict(zip(spec.axes, block, strict=True)))


def _trace_plane(array: Any, spec: LayerSpec, t: int, z: int, sizes: Mapping[str, int]) -> Iterator[TracedObject]:
    starts = list(product(*(range(0, spec.size(a), sizes[a]) for a in "yx")))
    boxes = [tuple(slice(s, min(s + sizes[a], spec.size(a))) for a, s in zip("yx", at, strict=True)) for at in starts]
    seen = np.concatenate([np.unique(_plane(array, spec, t, z, *box)) for box in boxes])
    ids, times = np.unique(seen, return_counts=True)
    # A label in several blocks need not touch their borders: its parts may be separate.
    shared = set(ids[times > 1].tolist())
    bounds: dict[int, list[int]] = {}
    for y, x in boxes:
        for label, (rows, cols), mask in _objects(_plane(array, spec, t, z, y, x)):
            if label not in shared:
                yield TracedObject(label, t, z, trace_mask(mask, cols.start + x.start, rows.start + y.start))
                continue
            here = [rows.start + y.start, rows.stop + y.start, cols.start + x.start, cols.stop + x.start]
            known = bounds.get(label, here)
            bounds[label] = [end(p, q) for end, p, q in zip((min, max, min, max), known, here, strict=True)]
    groups: dict[tuple[int, int], dict[int, list[int]]] = {}
    for label, box in bounds.items():
        groups.setdefault((box[0] // sizes["y"], box[2] // sizes["x"]), {})[label] = box
    for group in groups.values():
        yield from _trace_window(array, spec, t, z, group)


def _trace_window(
    array: Any, spec: LayerSpec, t: int, z: int, group: Mapping[int, list[int]]
) -> Iterator[TracedObject]:
    """Trace labels that begin in the same block, from one window around all of them."""
    box = np.array(list(group.values()))
    top, left = int(box[:, 0].min()), int(box[:, 2].min())
    labels = _plane(array, spec, t, z, slice(top, int(box[:, 1].max())), slice(left, int(box[:, 3].max())))
    for label, (y0, y1, x0, x1) in group.items():
        yield TracedObject(label, t, z, trace_mask(labels[y0 - top : y1 - top, x0 - left : x1 - left] == label, x0, y0))


def _plane(array: Any, spec: LayerSpec, t: int, z: int, y: slice, x: slice) -> NDArray[Any]:
    place = {"t": slice(t, t + 1), "c": slice(0, 1), "z": slice(z, z + 1), "y": y, "x": x}
    return np.asarray(array[tuple(place[a] for a in spec.axes)]).reshape(y.stop - y.start, x.stop - x.start)


def _objects(labels: NDArray[Any]) -> Iterator[tuple[int, tuple[slice, slice], NDArray[np.bool_]]]:
    ids, index = np.unique(labels, return_inverse=True)
    first = int(ids[0] > 0)
    numbers = index.reshape(labels.shape) + first
    for number, box in enumerate(ndi.find_objects(numbers), 1):
        yield int(ids[number - first]), box, numbers[box] == number


def _rings(mask: NDArray[np.bool_]) -> list[Ring]:
    """Return the closed paths along the border of one part, which lies to their right."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    steps: dict[tuple[int, int], set[tuple[int, int]]] = {}
    sides = (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (0, 1)),
        (padded[2:, 1:-1], (1, 1), (-1, 0)),
        (padded[1:-1, :-2], (0, 1), (0, -1)),
    )
    for beyond, (dx, dy), step in sides:
        for row, col in np.argwhere(inside & ~beyond).tolist():
            steps.setdefault((col + dx, row + dy), set()).add(step)
    rings = []
    while steps:
        # Not where two pixels share only a corner: there the end of the path is ambiguous.
        start = next((corner for corner, ways in steps.items() if len(ways) == 1), next(iter(steps)))
        at, step = start, next(iter(steps[start]))
        corners = [start]
        while True:
            _remove_step(steps, at, step)
            at = at[0] + step[0], at[1] + step[1]
            ahead = steps.get(at, set())
            turn = next((s for s in _TURNS[step] if s in ahead), None)
            if turn is None:
                break
            if turn != step:
                corners.append(at)
            step = turn
        rings.append(np.array(_without_straight(corners)))
    return rings


def _remove_step(
    steps: dict[tuple[int, int], set[tuple[int, int]]], at: tuple[int, int], step: tuple[int, int]
) -> None:
    steps[at].discard(step)
    if not steps[at]:
        del steps[at]


def _without_straight(corners: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Drop the first corner if the path began in the middle of a straight side."""
    (ax, ay), (bx, by), (cx, cy) = corners[-1], corners[0], corners[1]
    return corners[1:] if (bx - ax) * (cy - by) == (by - ay) * (cx - bx) else corners


def _area(ring: Ring) -> float:
    x, y = ring.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
