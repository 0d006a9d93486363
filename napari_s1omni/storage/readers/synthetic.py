"""Synthetic sources: virtual volumes of any size, described by a URI, computed where they are read.

``synthetic://nuclei?shape=64,4096,4096&seed=1&diameter=20`` is an image that any
process opens by itself. Every px is a function of its absolute position and the
seed, so any box equals the crop of the whole. ``synthetic://nuclei-labels`` with
the same settings holds the true objects, ids from 1.

Objects stand on a lattice, one to a cell, moved, stretched and turned at random;
where two overlap, a px belongs to the one in whose ellipsoid it lies deeper.
``nuclei`` are mostly apart and some cells stay empty; ``ellipses`` crowd, and most touch several others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from napari_s1omni.core.document import Document
from napari_s1omni.core.normalization import cast_to
from napari_s1omni.errors import JobError
from napari_s1omni.storage.readers.raw_image import RawImage

_BAND = 2**18
"""Px that are computed at once."""
_JITTER = {"nuclei": 0.7, "ellipses": 0.3}
"""Width of the square in which an object's middle lies, as a share of the lattice spacing."""
_STRETCH = 0.25
"""Share by which a radius may be larger or smaller than half the diameter."""
_TOP = {"uint8": 255.0, "uint16": 4000.0, "float32": 1.0}
"""Intensity of the brightest objects per type."""


class Scene(Document):
    """What stands behind ``synthetic://`` and its question mark."""

    kind: Literal["nuclei", "ellipses", "nuclei-labels", "ellipses-labels"]
    """What is shown; with ``-labels`` the true ids instead of the image."""
    shape: tuple[int, ...] = Field(min_length=2, max_length=5)
    """Size in px, in the order of `axes`."""
    axes: str = ""
    """Axes, ``yx`` for two, ``zyx`` for three and ``tczyx`` for five dimensions if left out."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Another seed is another scene."""
    diameter: float = Field(20.0, ge=2, le=2000)
    """Mean diameter of the objects in px along x."""
    spacing: float = Field(0.0, ge=0)
    """Distance of the lattice in px along x; 0 is 1.5 diameters for nuclei and 0.9 for ellipses."""
    empty: float = Field(-1.0, ge=-1, lt=1)
    """Share of cells without an object; -1 is 0.2 for nuclei and 0 for ellipses."""
    noise: float = Field(0.02, ge=0, le=1)
    """Standard deviation of the noise, as a share of the brightest objects."""
    dtype: Literal["uint8", "uint16", "float32"] = "uint16"
    """Type of the image; labels are always uint32."""
    scale: tuple[float, ...] = ()
    """Size of a px per axis of `axes`, 1 if left out; objects are round in these units."""
    units: str = "micrometer"
    """Unit of `scale` along z, y and x."""
    chunk: int = Field(256, ge=16)
    """Edge of the chunks along y and x."""

    @field_validator("shape", "scale", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        axes = self.letters
        if len(axes) != len(self.shape) or len(set(axes)) != len(axes) or not {"y", "x"} <= set(axes) <= set("tczyx"):
            raise ValueError(f"axes '{axes}' for shape {self.shape}; one letter of 'tczyx' each, with y and x")
        if min(self.shape) < 1 or (self.scale and (len(self.scale) != len(axes) or min(self.scale) <= 0)):
            raise ValueError(f"shape {self.shape} and scale {self.scale}: one number above 0 for each of '{axes}'")
        reach = self.diameter / 2 * (1 + _STRETCH) / (1 - self.jitter / 2)
        if self.pitch < reach:
            raise ValueError(f"spacing {self.pitch:g} for diameter {self.diameter:g}; it is at least {reach:.4g}")
        return self

    @property
    def letters(self) -> str:
        return self.axes or {2: "yx", 3: "zyx", 5: "tczyx"}.get(len(self.shape), "?")

    @property
    def pitch(self) -> float:
        return self.spacing or self.diameter * (1.5 if self.kind.startswith("nuclei") else 0.9)

    @property
    def jitter(self) -> float:
        return _JITTER[self.kind.removesuffix("-labels")]

    @property
    def vacancy(self) -> float:
        return self.empty if self.empty >= 0 else 0.2 if self.kind.startswith("nuclei") else 0.0

    @property
    def labels(self) -> bool:
        return self.kind.endswith("-labels")


def read_synthetic(uri: str) -> RawImage:
    """Describe the scene of a ``synthetic://`` URI.

    Raises
    ------
    JobError
        If a setting is unknown or out of its range.
    """
    kind, _, query = uri.partition("://")[2].partition("?")
    given = parse_qsl(query, keep_blank_values=True)
    if len({key for key, _ in given}) != len(given):
        raise JobError(f"{uri}: a setting stands twice", remedy="leave one out")
    scene = Scene.read({**dict(given), "kind": kind}, uri)
    axes = scene.letters.replace("c", "") if scene.labels else scene.letters
    scale = dict(zip(scene.letters, scene.scale, strict=True)) if scene.scale else {}
    pixels = VirtualPixels(scene, axes)
    return RawImage(
        pixels=pixels,
        axes=axes,
        chunks=pixels.chunks,
        scale={a: s for a, s in scale.items() if a in axes},
        units={a: scene.units for a in "zyx" if a in axes} if scale else {},
        kind="labels" if scene.labels else "image",
        uri=uri,
    )


@dataclass(frozen=True, slots=True)
class VirtualPixels:
    """An array whose px are computed when they are read."""

    scene: Scene
    """What is shown."""
    axes: str
    """Its axes; labels have no c."""

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.scene.shape[self.scene.letters.index(a)] for a in self.axes)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint32 if self.scene.labels else self.scene.dtype)

    @property
    def chunks(self) -> tuple[int, ...]:
        return tuple(min(self.scene.chunk, n) if a in "yx" else 1 for a, n in zip(self.axes, self.shape, strict=True))

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        """Compute a box, in pieces of bounded size along its longest axis."""
        size = [part.stop - part.start for part in index]
        if math.prod(size) <= _BAND:
            return self._compute(index)
        out = np.empty(size, self.dtype)
        longest = size.index(max(size))
        middle = size[longest] // 2
        for start, stop in ((0, middle), (middle, size[longest])):
            part = slice(index[longest].start + start, index[longest].start + stop)
            target = (*(slice(None),) * longest, slice(start, stop))
            out[target] = self[(*index[:longest], part, *index[longest + 1 :])]
        return out

    def _compute(self, index: tuple[slice, ...]) -> NDArray[Any]:
        """Draw each time point, and for an image each channel, of a box."""
        spans = dict(zip(self.axes, index, strict=True))
        space = [a for a in self.axes if a in "zyx"]
        sizes = tuple(spans[a].stop - spans[a].start for a in space)
        found: dict[tuple[int, ...], NDArray[Any]] = {}
        for t in _range(spans.get("t")):
            depth, ids = _draw(self.scene, space, [spans[a] for a in space], t)
            if self.scene.labels:
                found[t, 0] = ids
                continue
            for c in _range(spans.get("c")):
                found[t, c] = _shade(self.scene, space, [spans[a] for a in space], (t, c), depth, ids)
        # The stored order may put t and c anywhere: fill the canonical order, then move the axes.
        block = np.stack(list(found.values())).reshape(
            len(_range(spans.get("t"))), -1 if not self.scene.labels else 1, *sizes
        )
        letters = ["t", "c", *space]
        kept = [i for i, a in enumerate(letters) if a in self.axes]
        block = block.reshape([block.shape[i] for i in kept])
        order = [letters[i] for i in kept]
        return block.transpose([order.index(a) for a in self.axes])


def _range(span: slice | None) -> range:
    return range(span.start, span.stop) if span is not None else range(1)


@dataclass(frozen=True, slots=True)
class _Object:
    """One ellipsoid; z does not take part in its turn."""

    ident: int
    """Id in the labels."""
    middle: tuple[float, ...]
    """Absolute position in px."""
    radii: tuple[float, ...]
    """Along z, across and along, in px of x."""
    turn: tuple[float, float]
    """Cosine and sine of the angle between x and the last radius."""


def _draw(
    scene: Scene, space: Sequence[str], spans: Sequence[slice], t: int
) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Return per px the squared relative distance to the middle of its object (1 outside), and the object's id."""
    nearest = np.ones([span.stop - span.start for span in spans], np.float32)
    ids = np.zeros(nearest.shape, np.uint32)
    aspect = _aspect(scene, space)
    for thing in _objects(scene, space, spans, t):
        window, offsets = [], []
        for d, span in enumerate(spans):
            reach = max(thing.radii[-2:] if d >= len(spans) - 2 else thing.radii[:1]) / aspect[d]
            first = max(span.start, math.ceil(thing.middle[d] - reach))
            last = min(span.stop, math.floor(thing.middle[d] + reach) + 1)
            window.append(slice(first - span.start, last - span.start))
            offsets.append((np.arange(first, last) - thing.middle[d]) * aspect[d])
        if any(part.stop <= part.start for part in window):
            continue
        cosine, sine = thing.turn
        y, x = offsets[-2][:, None], offsets[-1][None, :]
        squared = ((cosine * x + sine * y) / thing.radii[-1]) ** 2 + ((cosine * y - sine * x) / thing.radii[-2]) ** 2
        if len(spans) == 3:
            squared = (offsets[0] / thing.radii[0])[:, None, None] ** 2 + squared
        place, distance = tuple(window), squared.astype(np.float32)
        closer = distance < nearest[place]
        np.copyto(nearest[place], distance, where=closer)
        np.copyto(ids[place], np.uint32(thing.ident), where=closer)
    return nearest, ids


def _aspect(scene: Scene, space: Sequence[str]) -> list[float]:
    """Size of a px along each axis of space in px of x."""
    if not scene.scale:
        return [1.0] * len(space)
    scale = dict(zip(scene.letters, scene.scale, strict=True))
    return [scale[a] / scale["x"] for a in space]


def _objects(scene: Scene, space: Sequence[str], spans: Sequence[slice], t: int) -> Iterator[_Object]:
    """Objects that may reach into a box, by rising id."""
    full = [scene.shape[scene.letters.index(a)] for a in space]
    pitch = [scene.pitch / a for a in _aspect(scene, space)]
    count = [max(1, math.ceil(n / p)) for n, p in zip(full, pitch, strict=True)]
    if math.prod(count) >= 2**32:
        raise JobError(f"{math.prod(count)} objects in {scene.kind}", "fewer than 2**32", "make them larger")
    near = [
        np.arange(max(0, int(span.start // p) - 1), min(n, int((span.stop - 1) // p) + 2))
        for span, p, n in zip(spans, pitch, count, strict=True)
    ]
    cells = np.stack([g.ravel() for g in np.meshgrid(*near, indexing="ij")])
    ids = np.ravel_multi_index(tuple(cells), tuple(count)).astype(np.uint64) + np.uint64(1)
    chance = [_uniform(ids, scene.seed, t, field) for field in range(2 * len(space) + 2)]
    stands = chance[0] >= scene.vacancy
    for k in np.flatnonzero(stands):
        middle = tuple(
            (n - 1) / 2 if m == 1 else float((cells[d, k] + 0.5 + scene.jitter * (chance[2 + d][k] - 0.5)) * p)
            for d, (n, m, p) in enumerate(zip(full, count, pitch, strict=True))
        )
        radii = tuple(
            scene.diameter / 2 * (1 + _STRETCH * (2 * float(chance[2 + len(space) + d][k]) - 1))
            for d in range(len(space))
        )
        # A point on the unit circle without sine or cosine, whose last digit differs between machines.
        slope = 2 * float(chance[1][k]) - 1
        cosine, sine = (1 - slope**2) / (1 + slope**2), 2 * slope / (1 + slope**2)
        yield _Object(int(ids[k]), middle, radii, (cosine, sine))


def _shade(
    scene: Scene,
    space: Sequence[str],
    spans: Sequence[slice],
    place: tuple[int, int],
    depth: NDArray[np.float32],
    ids: NDArray[np.uint32],
) -> NDArray[Any]:
    """Turn depth and ids into intensities: bright objects, a dim background that rises along x, and noise.

    The rim is steep, so that half of the brightness is reached at 0.97 of the true radius.
    """
    bright = 0.5 + 0.5 * _uniform(ids.astype(np.uint64), scene.seed, *place, 101)
    full = [scene.shape[scene.letters.index(a)] for a in space]
    slope = 0.05 + 0.05 * np.arange(spans[-1].start, spans[-1].stop) / full[-1]
    value = slope + 0.9 * bright * np.minimum(1.0, 8.0 * (1.0 - depth)) * (ids > 0)
    if scene.noise:
        index = np.zeros((), np.uint64)
        for n, span in zip(full, spans, strict=True):
            along = np.arange(span.start, span.stop, dtype=np.uint64)
            index = index[..., None] * np.uint64(n) + along
        value += scene.noise * _normal(index, scene.seed, *place)
    top = _TOP[scene.dtype]
    return cast_to(np.maximum(value, 0.0) * top, np.dtype(scene.dtype))


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    mixed: NDArray[np.uint64] = bits ^ (bits >> np.uint64(31))
    return mixed


def _hash(values: NDArray[np.uint64], *keys: int) -> NDArray[np.uint64]:
    """64 random bits for each value, another set for each tuple of keys."""
    state = 0x9E3779B97F4A7C15
    for key in keys:
        state = int(_mix(np.array([(state + key * 0x9E3779B97F4A7C15) % 2**64], np.uint64))[0])
    spread: NDArray[np.uint64] = values * np.uint64(0x9E3779B97F4A7C15) + np.uint64(state)
    return _mix(spread)


def _uniform(values: NDArray[np.uint64], *keys: int) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1) by hash."""
    uniform: NDArray[np.float64] = (_hash(values, *keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform


def _normal(values: NDArray[np.uint64], *keys: int) -> NDArray[np.float64]:
    """Nearly normal numbers, mean 0 and deviation 1: the sum of four uniform ones, exact on any machine."""
    bits = _hash(values, *keys, 202)
    total = np.zeros(bits.shape)
    for shift in (0, 16, 32, 48):
        total += (bits >> np.uint64(shift)) & np.uint64(0xFFFF)
    return (total - 2 * 65535) / (65536 * math.sqrt(1 / 3))
