"""Draw the objects of a scene inside a box, as labels and as an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.normalization import cast_to
from napari_s1omni.errors import JobError
from napari_s1omni.storage.readers.synthetic.hash_random import hash_normal, hash_uniform
from napari_s1omni.storage.readers.synthetic.scene import STRETCH, Scene

_TOP = {"uint8": 255.0, "uint16": 4000.0, "float32": 1.0}
"""Intensity of the brightest objects, per pixel type."""
_AT_ONCE = 2**19
"""Pixels of objects that are drawn at once."""


@dataclass(frozen=True, slots=True)
class _Objects:
    """Ellipsoids, rotated around z only; one row for each."""

    ids: NDArray[np.uint64]
    """Ids in the labels, rising."""
    centres: NDArray[np.float64]
    """Absolute position in pixels, along each axis of space."""
    radii: NDArray[np.float64]
    """Along z, across and along the rotated x axis, in pixels of x."""
    rotations: NDArray[np.float64]
    """Cosine and sine of the rotation."""

    def part(self, rows: slice) -> _Objects:
        """Return some of them."""
        return _Objects(self.ids[rows], self.centres[rows], self.radii[rows], self.rotations[rows])


def draw_objects(
    scene: Scene, space: Sequence[str], spans: Sequence[slice], t: int
) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Return per pixel the squared distance to the object's centre in radii (1 outside), and the object's id.

    Of two objects as near as each other, the one with the smaller id has the pixel.
    """
    shape = [span.stop - span.start for span in spans]
    nearest = np.ones(math.prod(shape), np.float32)
    ids = np.zeros(nearest.shape, np.uint32)
    aspect = _aspect(scene, space)
    reach = [scene.diameter / 2 * (1 + STRETCH) / a for a in aspect]
    window = [min(2 * math.ceil(r) + 1, n) for r, n in zip(reach, shape, strict=True)]
    found = _objects(scene, space, spans, t)
    # All objects of a part are drawn at once, each in a window that holds the largest one.
    count = max(1, _AT_ONCE // math.prod(window))
    for first in range(0, len(found.ids), count):
        some = found.part(slice(first, first + count))
        place, distance, inside = _windows(some, spans, aspect, window, nearest.size)
        place, distance = place[inside], distance[inside]
        number = np.broadcast_to(some.ids.astype(np.uint32).reshape(-1, *[1] * len(spans)), inside.shape)[inside]
        before = nearest[place]
        np.minimum.at(nearest, place, distance)
        # Objects of earlier parts have smaller ids and keep what they share.
        won = (distance == nearest[place]) & (distance < before)
        ids[place[won]] = np.iinfo(np.uint32).max
        np.minimum.at(ids, place[won], number[won])
    return nearest.reshape(shape), ids.reshape(shape)


def _windows(
    some: _Objects, spans: Sequence[slice], aspect: Sequence[float], window: Sequence[int], size: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]:
    """Return flat place, squared distance in radii, and whether it is in the object and the box, of each pixel."""
    dims = len(spans)
    place = np.zeros((len(some.ids), *[1] * dims), np.int64)
    within = np.ones(place.shape, bool)
    offsets = []
    for d, span in enumerate(spans):
        if span.stop - span.start <= window[d]:
            at = np.arange(span.start, span.stop)[None]
        else:
            nearest = np.rint(some.centres[:, d]).astype(np.int64)[:, None]
            at = nearest + np.arange(-(window[d] // 2), window[d] // 2 + 1)
        along = [at.shape[1] if i == d else 1 for i in range(dims)]
        within = within & ((at >= span.start) & (at < span.stop)).reshape(-1, *along)
        place = place * (span.stop - span.start) + (at - span.start).reshape(-1, *along)
        offsets.append(((at - some.centres[:, d : d + 1]) * aspect[d]).reshape(-1, *along))
    column = (-1, *[1] * dims)
    cosine, sine = (some.rotations[:, i].reshape(column) for i in (0, 1))
    radii = [some.radii[:, i].reshape(column) for i in range(dims)]
    y, x = offsets[-2], offsets[-1]
    squared = ((cosine * x + sine * y) / radii[-1]) ** 2 + ((cosine * y - sine * x) / radii[-2]) ** 2
    if dims == 3:
        squared = (offsets[0] / radii[0]) ** 2 + squared
    distance = squared.astype(np.float32)
    return np.clip(place, 0, size - 1), distance, within & (distance < 1)


def _aspect(scene: Scene, space: Sequence[str]) -> list[float]:
    """Return the pixel size along each axis of space, in pixels of x."""
    if not scene.scale:
        return [1.0] * len(space)
    scale = dict(zip(scene.letters, scene.scale, strict=True))
    return [scale[a] / scale["x"] for a in space]


def _objects(scene: Scene, space: Sequence[str], spans: Sequence[slice], t: int) -> _Objects:
    """Return the objects that may reach into a box, in order of their ids."""
    full = [scene.shape[scene.letters.index(a)] for a in space]
    pitch = [scene.pitch / a for a in _aspect(scene, space)]
    count = [max(1, math.ceil(n / p)) for n, p in zip(full, pitch, strict=True)]
    if math.prod(count) >= 2**32:
        raise JobError(
            f"{math.prod(count)} objects in {scene.kind}",
            "a scene has fewer than 2**32 objects",
            "increase the diameter or the spacing",
        )
    near = [
        np.arange(max(0, int(span.start // p) - 1), min(n, int((span.stop - 1) // p) + 2))
        for span, p, n in zip(spans, pitch, count, strict=True)
    ]
    cells = np.stack([g.ravel() for g in np.meshgrid(*near, indexing="ij")])
    ids = np.ravel_multi_index(tuple(cells), tuple(count)).astype(np.uint64) + np.uint64(1)
    chance = [hash_uniform(ids, scene.seed, t, field) for field in range(2 * len(space) + 2)]
    kept = np.flatnonzero(chance[0] >= scene.vacancy)
    centres = [
        np.full(len(kept), (n - 1) / 2)
        if m == 1
        else (cells[d, kept] + 0.5 + scene.jitter * (chance[2 + d][kept] - 0.5)) * p
        for d, (n, m, p) in enumerate(zip(full, count, pitch, strict=True))
    ]
    radii = [scene.diameter / 2 * (1 + STRETCH * (2 * chance[2 + len(space) + d][kept] - 1)) for d in range(len(space))]
    # A point on the unit circle, without sine and cosine, whose last digit differs between machines.
    slope = 2 * chance[1][kept] - 1
    cosine, sine = (1 - slope**2) / (1 + slope**2), 2 * slope / (1 + slope**2)
    return _Objects(ids[kept], np.stack(centres, 1), np.stack(radii, 1), np.stack([cosine, sine], 1))


def shade(
    scene: Scene,
    space: Sequence[str],
    spans: Sequence[slice],
    place: tuple[int, int],
    depth: NDArray[np.float32],
    ids: NDArray[np.uint32],
) -> NDArray[Any]:
    """Return intensities: bright objects, a dim background that rises along x, and noise.

    Edges are steep: half of the brightness is reached at 0.97 of the true radius.
    """
    bright = 0.5 + 0.5 * hash_uniform(ids.astype(np.uint64), scene.seed, *place, 101)
    full = [scene.shape[scene.letters.index(a)] for a in space]
    slope = 0.05 + 0.05 * np.arange(spans[-1].start, spans[-1].stop) / full[-1]
    value = slope + 0.9 * bright * np.minimum(1.0, 8.0 * (1.0 - depth)) * (ids > 0)
    if scene.noise:
        index = np.zeros((), np.uint64)
        for n, span in zip(full, spans, strict=True):
            along = np.arange(span.start, span.stop, dtype=np.uint64)
            index = index[..., None] * np.uint64(n) + along
        value += scene.noise * hash_normal(index, scene.seed, *place)
    top = _TOP[scene.dtype]
    return cast_to(np.maximum(value, 0.0) * top, np.dtype(scene.dtype))
