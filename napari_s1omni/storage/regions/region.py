"""Regions other than a box: polygons from GeoJSON and ImageJ ROI files, and mask layers.

Vertices are ``(x, y)`` in pixels of the source at full resolution, with 0, 0 at the outer
corner of the first pixel, as in QuPath and ImageJ, whatever level a job works on. A pixel
belongs to a polygon if its centre does. The answer depends only on the pixel's absolute position, so any two
boxes agree.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.pixel_frame import PixelFrame
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import Span
from napari_s1omni.errors import JobError, PlanError
from napari_s1omni.planning.job import Box, Shape, read_region
from napari_s1omni.storage.readers.outlines import Outline, read_outlines
from napari_s1omni.storage.regions.placed_mask import PlacedMask, place_mask
from napari_s1omni.storage.regions.polygon_fill import fill_polygon
from napari_s1omni.storage.source import open_source

Where = Literal["outside", "partly", "inside"]
"""How much of a box lies in a region."""

_SCAN = 2048
"""Edge in pixels of the boxes in which a mask is searched for its bounds."""


@dataclass(frozen=True, kw_only=True)
class Region(ABC):
    """Which pixels of a layer a job works on."""

    bounds: Mapping[str, Span]
    """Smallest box in source pixels around the region; a missing axis is whole."""
    notes: tuple[str, ...] = ()
    """What was left out of the file, one sentence each."""

    @abstractmethod
    def mask(self, t: int, z: Span, y: Span, x: Span) -> NDArray[np.bool_]:
        """Return which pixels of a box lie inside: (D, H, W), for absolute spans in source pixels."""

    def where(self, t: int, z: Span, y: Span, x: Span) -> Where:
        """Return whether a box lies inside, outside, or partly inside."""
        mask = self.mask(t, z, y, x)
        return "inside" if mask.all() else "partly" if mask.any() else "outside"

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a digest of the region's content."""


def open_region(region: Shape | str | Path, spec: LayerSpec) -> Region:
    """Open a region of a layer that is not a box.

    Parameters
    ----------
    region : Shape, str or Path
        A job's region, or the path of a file: polygons if it ends with ``.geojson``, ``.json``, ``.roi`` or
        ``.zip``, else a mask image.
    spec : LayerSpec
        The layer, at the level on which the job works.

    Raises
    ------
    JobError
        If there is no such file.
    SourceError
        If the file cannot be read or holds no area.
    PlanError
        If the region lies outside the layer, or a mask has another size.
    """
    shape = region if isinstance(region, Shape) else read_region(str(region))
    if isinstance(shape, Box):
        raise JobError(f"region {str(region)!r} is a box", "open_region reads files of polygons and masks")
    if shape.type == "mask":
        return MaskRegion.open(shape.uri, spec)
    return PolygonRegion.open(shape.uri, spec)


@dataclass(frozen=True, kw_only=True)
class PolygonRegion(Region):
    """The union of outlines without their holes."""

    outlines: tuple[Outline, ...]
    """Areas, each with its holes."""

    @classmethod
    def open(cls, path: str, spec: LayerSpec) -> PolygonRegion:
        """Read a file and keep the outlines that lie on the layer."""
        frame, sizes = spec.pixel_frame, {a: spec.size(a) for a in "tzyx"}
        found, notes = read_outlines(path)
        outlines = [_on_level(outline, frame) for outline in found] if spec.frame else found
        if spec.frame:
            notes = [*notes, f"outlines of {path} count pixels of full resolution, not of the level in use"]
        kept = tuple(o for o in outlines if _overlaps(o, sizes))
        if not kept:
            low, high = (np.array([v for o in found for v in getattr(o, name)]) for name in ("low", "high"))
            shown = f"x {low[::2].min():g} to {high[::2].max():g}, y {low[1::2].min():g} to {high[1::2].max():g}"
            for a in "zt":
                planes = [index for o in found if (index := getattr(o, a)) is not None]
                shown += f", {a} {min(planes)} to {max(planes)}" if planes else ""
            raise PlanError(
                f"the outlines of {path} ({shown}) lie outside {spec.source or 'the image'}",
                f"outlines are in pixels of full resolution, x 0 to {frame.size('x')}, y 0 to {frame.size('y')}, "
                f"z 0 to {frame.size('z') - 1}, t 0 to {frame.size('t') - 1}",
                "scale or move the outlines to these pixels, planes and time points",
            )
        if len(kept) < len(outlines):
            notes = [*notes, f"{len(outlines) - len(kept)} of {len(outlines)} outlines lie outside the image"]
        bounds: dict[str, Span] = {}
        for i, axis in enumerate("xy"):
            # The pixels whose centres lie between the vertices; at least one, of an outline smaller than a pixel.
            first = max(0, min(sizes[axis] - 1, min(math.ceil(o.low[i] - 0.5) for o in kept)))
            last = min(sizes[axis], max(math.floor(o.high[i] + 0.5) for o in kept))
            bounds[axis] = (first, max(first + 1, last))
        for axis in "tz":
            places = [getattr(o, axis) for o in kept]
            if all(p is not None for p in places):
                bounds[axis] = (min(places), max(places) + 1)
        return cls(outlines=kept, bounds=bounds, notes=tuple(notes))

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
                out[part] |= fill_polygon(outline.rings, rows, columns)
        return out

    def fingerprint(self) -> str:
        """See :meth:`Region.fingerprint`."""
        digest = hashlib.sha256()
        for outline in self.outlines:
            digest.update(repr((outline.t, outline.z, [len(r) for r in outline.rings])).encode())
            digest.update(b"".join(np.ascontiguousarray(r, "<f8").tobytes() for r in outline.rings))
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class MaskRegion(Region):
    """The pixels above 0 of a mask layer."""

    source: PlacedMask
    """The mask; it applies to all of t or z if it lacks that axis."""

    @classmethod
    def open(cls, uri: str, spec: LayerSpec) -> MaskRegion:
        """Open a mask and find its bounds."""
        opened = open_source(uri, labels=True)
        source = place_mask(opened, spec)
        bounds, negative = _bounds(source)
        if not bounds:
            raise PlanError(
                f"mask {uri} is 0 everywhere{' or below' if negative else ''}",
                "a mask has at least 1 pixel above 0",
                "choose another mask",
            )
        said = (f"pixels of mask {uri} below 0 lie outside",) if negative else ()
        return cls(source=source, bounds=bounds, notes=(*opened.notes, *filter(None, [source.note]), *said))

    def mask(self, t: int, z: Span, y: Span, x: Span) -> NDArray[np.bool_]:
        """See :meth:`Region.mask`."""
        spans = {"t": (t, t + 1), "c": (0, 1), "z": z, "y": y, "x": x}
        found = _inside(self.source.read([slice(*spans[a]) for a in self.source.spec.axes]))
        planes = z[1] - z[0] if "z" in self.source.spec else 1
        found = found.reshape(planes, y[1] - y[0], x[1] - x[0])
        return np.broadcast_to(found, (z[1] - z[0], *found.shape[1:]))

    def fingerprint(self) -> str:
        """See :meth:`Region.fingerprint`."""
        return self.source.source.fingerprint()


def _on_level(outline: Outline, frame: PixelFrame) -> Outline:
    """Return an outline in pixels of a level."""
    # Rounding errors must not add a row of pixels to the bounds.
    rings = tuple(
        np.round(np.column_stack([frame.from_full(a, ring[:, i]) for i, a in enumerate("xy")]), 9)
        for ring in outline.rings
    )
    t, z = (None if n is None else frame.index_of_full(a, n) for a, n in (("t", outline.t), ("z", outline.z)))
    return Outline(rings, t, z)


def _overlap(outline: Outline, axis: int, span: Span) -> Span:
    return max(span[0], math.floor(outline.low[axis])), min(span[1], math.ceil(outline.high[axis]))


def _overlaps(outline: Outline, sizes: Mapping[str, int]) -> bool:
    return (
        all(o < sizes[a] and h > 0 for a, o, h in zip("xy", outline.low, outline.high, strict=True))
        and (outline.t is None or outline.t < sizes["t"])
        and (outline.z is None or outline.z < sizes["z"])
    )


def _inside(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    # -1 and NaN are ground in masks that other programs write; NaN is not above 0 either.
    inside: NDArray[np.bool_] = pixels > 0
    return inside


def _bounds(source: PlacedMask) -> tuple[dict[str, Span], bool]:
    """Find the bounding box of the pixels above 0 of a mask, box by box, and whether there are some below 0."""
    spec = source.spec
    found: dict[str, Span] = {}
    negative = False
    edge = max(1, int(_SCAN / max(1.0, source.magnification)))
    steps = [edge if a in "yx" else 1 for a in spec.axes]
    for corner in itertools.product(*(range(0, n, s) for n, s in zip(spec.shape, steps, strict=True))):
        box = [slice(c, min(c + s, n)) for c, s, n in zip(corner, steps, spec.shape, strict=True)]
        pixels = source.read(box)
        inside = _inside(pixels)
        negative |= bool(np.any(np.less(pixels, 0)))
        for d, (axis, start) in enumerate(zip(spec.axes, corner, strict=True)):
            hit = np.flatnonzero(inside.any(axis=tuple(i for i in range(inside.ndim) if i != d)))
            if hit.size and axis != "c":
                low, high = found.get(axis, (start + int(hit[0]), 0))
                found[axis] = (min(low, start + int(hit[0])), max(high, start + int(hit[-1]) + 1))
    return found, negative
