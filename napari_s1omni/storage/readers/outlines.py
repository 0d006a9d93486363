"""Read outlines of areas from GeoJSON (as written by QuPath) and ImageJ ROI files."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import roifile
from numpy.typing import NDArray

from napari_s1omni.core.paths import is_left_by_system
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.files.remote import local_copy

Rings = tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, eq=False)
class Outline:
    """One area and its holes."""

    rings: Rings
    """Closed lines, each (n, 2) of x, y in pixels; by the even-odd rule, inner rings are holes."""
    t: int | None = None
    """The time point it applies to; None is all."""
    z: int | None = None
    """The plane it applies to; None is all."""

    @property
    def low(self) -> tuple[float, float]:
        """Smallest x and y."""
        x, y = np.vstack(self.rings).min(axis=0)
        return float(x), float(y)

    @property
    def high(self) -> tuple[float, float]:
        """Largest x and y."""
        x, y = np.vstack(self.rings).max(axis=0)
        return float(x), float(y)


def read_outlines(path: str) -> tuple[list[Outline], list[str]]:
    """Read all areas of a file; the second value lists what was left out.

    Raises
    ------
    SourceError
        If the file is missing, is neither GeoJSON nor ImageJ ROI, or holds no area.
    """
    file = local_copy(path)
    notes: list[str] = []
    try:
        if file.suffix.lower() in (".roi", ".zip"):
            outlines = [_from_roi(roi, notes) for roi in _rois(file, notes)]
        else:
            # As bytes, so that JSON finds out the encoding, with or without a byte order mark.
            document = json.loads(file.read_bytes())
            outlines = [outline for item in _geometries(document, notes) for outline in _from_geometry(item, notes)]
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"region file {path} cannot be read: {error}", remedy="check the path") from error
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise SourceError(
            f"region file {path} cannot be understood ({type(error).__name__}: {error})",
            "a region file is GeoJSON with polygons, or an ImageJ .roi file or .zip of ROIs",
            "export the region again",
        ) from error
    areas = [outline for outline in outlines if outline is not None]
    said = [f"{note} ({n} times)" if n > 1 else note for note, n in Counter(notes).items()]
    if not areas:
        raise SourceError(
            f"region file {path} holds no area{': ' + '; '.join(said) if said else ''}",
            "an area is a polygon, rectangle, oval or freehand outline",
            "draw an area and export it",
        )
    return areas, said


def _rois(file: Path, notes: list[str]) -> Iterator[Any]:
    """Yield the ROIs of a file or an archive, in which macOS adds files of its own."""
    if file.suffix.lower() == ".roi":
        yield roifile.ImagejRoi.fromfile(file)
        return
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            parts = name.split("/")
            if name.lower().endswith(".roi") and not any(is_left_by_system(part) for part in parts):
                yield roifile.ImagejRoi.frombytes(archive.read(name))
            elif parts[-1]:
                notes.append("a file of the archive that is no ROI is left out")


def _geometries(item: Any, notes: list[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the single geometries of nested collections."""
    if isinstance(item, list):
        for part in item:
            yield from _geometries(part, notes)
        return
    if not item:
        notes.append("an empty geometry is left out")
        return
    kind = item["type"]
    if kind == "FeatureCollection":
        yield from _geometries(item.get("features") or [], notes)
    elif kind == "GeometryCollection":
        yield from _geometries(item.get("geometries") or [], notes)
    elif kind == "Feature":
        yield from _geometries(item.get("geometry"), notes)
    else:
        yield item


def _from_geometry(geometry: Mapping[str, Any], notes: list[str]) -> list[Outline]:
    kind = geometry["type"]
    if kind not in ("Polygon", "MultiPolygon"):
        notes.append(f"a {kind} has no area and is left out")
        return []
    if not geometry.get("coordinates"):
        notes.append("an empty geometry is left out")
        return []
    plane = geometry.get("plane") or {}
    place = {a: int(plane[a]) if int(plane.get(a, -1)) >= 0 else None for a in "tz"}
    polygons = [geometry["coordinates"]] if kind == "Polygon" else geometry["coordinates"]
    found = [[ring for ring in rings or [] if _is_area(ring)] for rings in polygons]
    for rings, kept in zip(polygons, found, strict=True):
        if not rings or not _is_area(rings[0]):
            # Its holes are no areas without it.
            kept.clear()
            notes.append("a polygon without at least 3 points is left out")
        elif len(kept) < len(rings):
            notes.append("a hole without at least 3 points is left out")
    return [Outline(tuple(_ring(ring) for ring in kept), place["t"], place["z"]) for kept in found if kept]


def _is_area(ring: Any) -> bool:
    """Whether a ring has at least 3 points; a closed one repeats its first."""
    closed = len(ring) > 1 and list(ring[0]) == list(ring[-1]) if ring else False
    return bool(ring) and len(ring) - closed >= 3


def _ring(points: Any) -> NDArray[np.float64]:
    ring = np.asarray([point[:2] for point in points], np.float64)
    if ring.ndim != 2 or len(ring) < 3 or not np.isfinite(ring).all():
        raise ValueError(f"a ring of {len(ring)} points; a ring has at least 3 finite points")
    return ring


def _from_roi(roi: Any, notes: list[str]) -> Outline | None:
    kinds = roifile.ROI_TYPE
    rings: Rings
    if not roi.composite and roi.roitype in (kinds.POLYGON, kinds.FREEHAND, kinds.TRACED) and roi.n_coordinates < 3:
        rings = ()
    elif roi.composite:
        rings = tuple(_ring(ring) for ring in roi.coordinates(multi=True) if len(ring) >= 3)
    elif roi.subpixelrect:
        # A rectangle or an oval between pixels: the box in whole pixels is only near it.
        (x0, y0), (x1, y1) = box = (roi.xd, roi.yd), (roi.xd + roi.widthd, roi.yd + roi.heightd)
        corners = [(x0, y0), (x0, y1), (x1, y1), (x1, y0)]
        rings = (_ring(roifile.oval(box) if roi.roitype == kinds.OVAL else corners),)
    elif roi.roitype in (kinds.POLYGON, kinds.FREEHAND, kinds.TRACED, kinds.RECT, kinds.OVAL):
        rings = (_ring(roi.coordinates()),)
    else:
        notes.append(f"ROI '{roi.name}' of type {roi.roitype.name} has no area and is left out")
        return None
    if not rings:
        notes.append(f"ROI '{roi.name}' has fewer than 3 points and is left out")
        return None
    if roi.position and not (roi.z_position or roi.t_position):
        notes.append("the stack position of an ROI is ignored; set its slice and frame instead")
    return Outline(
        rings, roi.t_position - 1 if roi.t_position else None, roi.z_position - 1 if roi.z_position else None
    )
