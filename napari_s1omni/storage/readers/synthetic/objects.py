"""Draw the objects of a scene inside a box, as labels and as an image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
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


@dataclass(frozen=True, slots=True)
class _Object:
    """One ellipsoid, rotated around z only."""

    ident: int
    """Id in the labels."""
    centre: tuple[float, ...]
    """Absolute position in pixels."""
    radii: tuple[float, ...]
    """Along z, across and along the rotated x axis, in pixels of x."""
    rotation: tuple[float, float]
    """Cosine and sine of the rotation."""


def draw_objects(
    scene: Scene, space: Sequence[str], spans: Sequence[slice], t: int
) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Return per pixel the squared distance to the object's centre in radii (1 outside), and the object's id."""
    nearest = np.ones([span.stop - span.start for span in spans], np.float32)
    ids = np.zeros(nearest.shape, np.uint32)
    aspect = _aspect(scene, space)
    for item in _objects(scene, space, spans, t):
        window, offsets = [], []
        for d, span in enumerate(spans):
            reach = max(item.radii[-2:] if d >= len(spans) - 2 else item.radii[:1]) / aspect[d]
            first = max(span.start, math.ceil(item.centre[d] - reach))
            last = min(span.stop, math.floor(item.centre[d] + reach) + 1)
            window.append(slice(first - span.start, last - span.start))
            offsets.append((np.arange(first, last) - item.centre[d]) * aspect[d])
        if any(part.stop <= part.start for part in window):
            continue
        cosine, sine = item.rotation
        y, x = offsets[-2][:, None], offsets[-1][None, :]
        squared = ((cosine * x + sine * y) / item.radii[-1]) ** 2 + ((cosine * y - sine * x) / item.radii[-2]) ** 2
        if len(spans) == 3:
            squared = (offsets[0] / item.radii[0])[:, None, None] ** 2 + squared
        place, distance = tuple(window), squared.astype(np.float32)
        closer = distance < nearest[place]
        np.copyto(nearest[place], distance, where=closer)
        np.copyto(ids[place], np.uint32(item.ident), where=closer)
    return nearest, ids


def _aspect(scene: Scene, space: Sequence[str]) -> list[float]:
    """Return the pixel size along each axis of space, in pixels of x."""
    if not scene.scale:
        return [1.0] * len(space)
    scale = dict(zip(scene.letters, scene.scale, strict=True))
    return [scale[a] / scale["x"] for a in space]


def _objects(scene: Scene, space: Sequence[str], spans: Sequence[slice], t: int) -> Iterator[_Object]:
    """Yield the objects that may reach into a box, in order of their ids."""
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
    occupied = chance[0] >= scene.vacancy
    for k in np.flatnonzero(occupied):
        centre = tuple(
            (n - 1) / 2 if m == 1 else float((cells[d, k] + 0.5 + scene.jitter * (chance[2 + d][k] - 0.5)) * p)
            for d, (n, m, p) in enumerate(zip(full, count, pitch, strict=True))
        )
        radii = tuple(
            scene.diameter / 2 * (1 + STRETCH * (2 * float(chance[2 + len(space) + d][k]) - 1))
            for d in range(len(space))
        )
        # A point on the unit circle, without sine and cosine, whose last digit differs between machines.
        slope = 2 * float(chance[1][k]) - 1
        cosine, sine = (1 - slope**2) / (1 + slope**2), 2 * slope / (1 + slope**2)
        yield _Object(int(ids[k]), centre, radii, (cosine, sine))


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
