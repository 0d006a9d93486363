"""Regions that are no box: polygons of GeoJSON and ImageJ ROI files, and mask layers.

Vertices are ``(x, y)`` in px of the source level with the corner of the first px at
0, as QuPath and ImageJ write them; a px belongs to a polygon if its centre does.
The answer for a px depends on its absolute position alone, so any box agrees with
any other.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import Span
from napari_s1omni.errors import PlanError
from napari_s1omni.planning.job import Shape
from napari_s1omni.storage.readers.outlines import Outline, read_outlines
from napari_s1omni.storage.source import Source, open_source

Where = Literal["outside", "partly", "inside"]

_SCAN = 2048
"""Edge in px of the pieces in which a mask is searched for its bounds."""


class Region(Protocol):
    """Which px of a layer a job is about."""

    @property
    def bounds(self) -> Mapping[str, Span]:
        """Smallest box in source px that holds the region; an axis left out is whole."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out of the file."""

    def mask(self, t: int, z: Span, y: Span, x: Span) -> NDArray[np.bool_]:
        """Return which px of a box lie inside: (D, H, W), for absolute spans in source px."""

    def where(self, t: int, z: Span, y: Span, x: Span) -> Where:
        """Say whether a box lies inside, outside, or partly inside."""

    def fingerprint(self) -> str:
        """Digest of the region's content."""


def open_region(shape: Shape, spec: LayerSpec) -> Region:
    """Open the region of a job.

    Parameters
    ----------
    shape : Shape
        Kind and file.
    spec : LayerSpec
        The layer on which the job works, at its level.

    Raises
    ------
    SourceError
        If the file cannot be read or holds no area.
    PlanError
        If the region lies outside the layer, or a mask has another size.
    """
    if shape.type == "mask":
        return MaskRegion.open(shape.uri, spec)
    return PolygonRegion.open(shape.uri, spec)


@dataclass(frozen=True)
class PolygonRegion:
    """The union of outlines; holes are left out."""

    outlines: tuple[Outline, ...]
    """Areas, each with its holes."""
    bounds: Mapping[str, Span]
    """See :attr:`Region.bounds`."""
    notes: tuple[str, ...] = ()
    """See :attr:`Region.notes`."""

    @classmethod
    def open(cls, path: str, spec: LayerSpec) -> PolygonRegion:
        """Read a file and keep what lies on the layer."""
        outlines, notes = read_outlines(path)
        sizes = {a: spec.size(a) for a in "tzyx"}
        kept = tuple(o for o in outlines if _on(o, sizes))
        if not kept:
            low, high = (np.array([v for o in outlines for v in getattr(o, name)]) for name in ("low", "high"))
            shown = f"x {low[::2].min():g} to {high[::2].max():g}, y {low[1::2].min():g} to {high[1::2].max():g}"
            raise PlanError(
                f"the outlines of {path} ({shown}) lie outside {spec.source or 'the image'}",
                f"the level in use spans x 0 to {sizes['x']}, y 0 to {sizes['y']}",
                "scale the outlines to px of that level",
            )
        if len(kept) < len(outlines):
            notes = [*notes, f"{len(outlines) - len(kept)} of {len(outlines)} outlines lie outside the image"]
        found: dict[str, Span] = {}
        for i, axis in enumerate("xy"):
            first = min(math.floor(o.low[i]) for o in kept)
            last = max(math.ceil(o.high[i]) for o in kept)
            found[axis] = (max(0, first), min(sizes[axis], last))
        for axis in "tz":
            places = [getattr(o, axis) for o in kept]
            if all(p is not None for p in places):
                found[axis] = (min(places), max(places) + 1)
        return cls(kept, found, tuple(notes))

    def mask(self, t: int, z: Span, y: Span, x: Span) -> NDArray[np.bool_]:
        """See :meth:`Region.mask`."""
        out = np.zeros((z[1] - z[0], y[1] - y[0], x[1] - x[0]), bool)
        for outline in self.outlines:
            if outline.t not in (None, t) or (outline.z is not None and not z[0] <= outline.z < z[1]):
                continue
            planes = slice(None) if outline.z is None else slice(outline.z - z[0], outline.z - z[0] + 1)
            rows, columns = _overlap(outline, 1, y), _overlap(outline, 0, x)
            if rows[0] < rows[1] and columns[0] < columns[1]:
                part = (
                    planes,
                    slice(rows[0] - y[0], rows[1] - y[0]),
                    slice(columns[0] - x[0], columns[1] - x[0]),
                )
                out[part] |= fill(outline.rings, rows, columns)
        return out

    def where(self, t: int, z: Span, y: Span, x: Span) -> Where:
        """See :meth:`Region.where`."""
        return _where(self.mask(t, z, y, x))

    def fingerprint(self) -> str:
        """See :meth:`Region.fingerprint`."""
        digest = hashlib.sha256()
        for outline in self.outlines:
            digest.update(repr((outline.t, outline.z, [len(r) for r in outline.rings])).encode())
            digest.update(b"".join(np.ascontiguousarray(r, "<f8").tobytes() for r in outline.rings))
        return digest.hexdigest()


@dataclass(frozen=True)
class MaskRegion:
    """The px of a mask layer that are not 0."""

    source: Source
    """The mask; t and z may be missing, which means all."""
    bounds: Mapping[str, Span]
    """See :attr:`Region.bounds`."""
    notes: tuple[str, ...] = ()
    """See :attr:`Region.notes`."""

    @classmethod
    def open(cls, uri: str, spec: LayerSpec) -> MaskRegion:
        """Open a mask and find its bounds."""
        source = open_source(uri)
        mask = source.spec
        wrong = [a for a in "tzyx" if mask.size(a) != spec.size(a) and (a in mask or a in "yx")]
        if wrong or mask.size("c") > 1:
            raise PlanError(
                f"mask {uri} has axes {''.join(mask.axes)} and shape {mask.shape}, while the image has "
                f"{''.join(spec.axes)} and {spec.shape}",
                "a mask has one channel and the image's own size along each axis it has",
                "resample the mask to the level in use",
            )
        bounds = _bounds(source)
        if not bounds:
            raise PlanError(f"mask {uri} is 0 everywhere", "a mask has at least 1 px inside", "choose another mask")
        return cls(source, bounds, source.notes)

    def mask(self, t: int, z: Span, y: Span, x: Span) -> NDArray[np.bool_]:
        """See :meth:`Region.mask`."""
        spans = {"t": (t, t + 1), "c": (0, 1), "z": z, "y": y, "x": x}
        found = _inside(self.source.read([slice(*spans[a]) for a in self.source.spec.axes]))
        planes = z[1] - z[0] if "z" in self.source.spec else 1
        found = found.reshape(planes, y[1] - y[0], x[1] - x[0])
        return np.broadcast_to(found, (z[1] - z[0], *found.shape[1:]))

    def where(self, t: int, z: Span, y: Span, x: Span) -> Where:
        """See :meth:`Region.where`."""
        return _where(self.mask(t, z, y, x))

    def fingerprint(self) -> str:
        """See :meth:`Region.fingerprint`."""
        return self.source.fingerprint()


def fill(rings: tuple[NDArray[np.float64], ...], y: Span, x: Span) -> NDArray[np.bool_]:
    """Return which px centres of a box lie inside rings by the even-odd rule: (H, W).

    Each edge flips, in every row whose middle line it crosses, all px to the
    right of the crossing.
    """
    flips = np.zeros((y[1] - y[0], x[1] - x[0] + 1), np.uint8)
    for ring in rings:
        ends = np.stack([ring[:, 1], np.roll(ring[:, 1], -1)])
        # Half open: a row line through a vertex meets one of its two edges.
        firsts = np.maximum(np.ceil(ends.min(axis=0) - 0.5), y[0])
        lasts = np.minimum(np.ceil(ends.max(axis=0) - 0.5), y[1])
        # Outlines drawn by hand have thousands of edges, of which a tile's rows meet a few.
        for edge in np.flatnonzero(firsts < lasts):
            (x0, y0), (x1, y1) = ring[edge], ring[(edge + 1) % len(ring)]
            rows = np.arange(int(firsts[edge]), int(lasts[edge]))
            crossing = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
            columns = np.clip(np.ceil(crossing - 0.5).astype(np.int64) - x[0], 0, x[1] - x[0])
            flips[rows - y[0], columns] ^= 1
    return np.bitwise_xor.accumulate(flips[:, :-1], axis=1).astype(bool)


def _overlap(outline: Outline, axis: int, span: Span) -> Span:
    return max(span[0], math.floor(outline.low[axis])), min(span[1], math.ceil(outline.high[axis]))


def _on(outline: Outline, sizes: Mapping[str, int]) -> bool:
    return (
        all(o < sizes[a] and h > 0 for a, o, h in zip("xy", outline.low, outline.high, strict=True))
        and (outline.t is None or outline.t < sizes["t"])
        and (outline.z is None or outline.z < sizes["z"])
    )


def _inside(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = pixels != 0
    return inside & ~np.isnan(pixels) if pixels.dtype.kind == "f" else inside


def _where(mask: NDArray[np.bool_]) -> Where:
    return "inside" if mask.all() else "partly" if mask.any() else "outside"


def _bounds(source: Source) -> dict[str, Span]:
    """Search a mask piece by piece for the box of what is not 0."""
    spec = source.spec
    found: dict[str, Span] = {}
    steps = [_SCAN if a in "yx" else 1 for a in spec.axes]
    for corner in itertools.product(*(range(0, n, s) for n, s in zip(spec.shape, steps, strict=True))):
        box = [slice(c, min(c + s, n)) for c, s, n in zip(corner, steps, spec.shape, strict=True)]
        inside = _inside(source.read(box))
        for d, (axis, start) in enumerate(zip(spec.axes, corner, strict=True)):
            hit = np.flatnonzero(inside.any(axis=tuple(i for i in range(inside.ndim) if i != d)))
            if hit.size and axis != "c":
                low, high = found.get(axis, (start + int(hit[0]), 0))
                found[axis] = (min(low, start + int(hit[0])), max(high, start + int(hit[-1]) + 1))
    return found
