"""Write labels as outlines for QuPath (GeoJSON) or ImageJ (a zip of ROIs)."""

from __future__ import annotations

import json
import math
import uuid
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import roifile

from napari_s1omni.core.pixel_frame import PixelFrame
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.files.part_file import part_file
from napari_s1omni.storage.writers.contours import Ring, TracedObject

ENDINGS = (".geojson", ".json", ".zip")
"""Endings of outline files."""
_LARGEST_COORDINATE = 32767
"""Largest coordinate of an ImageJ ROI."""


def write_outlines(
    path: Path | str, objects: Iterable[TracedObject], frame: PixelFrame, identity: str, *, overwrite: bool = False
) -> int:
    """Write outlines to one file, one object at a time; return how many were written.

    An object that spans several planes has one outline in each. Coordinates are pixels of the source at full
    resolution, as for a region: 0, 0 is the outer corner of the first pixel.

    Parameters
    ----------
    path : Path
        Ends with ``.geojson``, ``.json`` or ``.zip``. The file appears once it is complete.
    objects : iterable of TracedObject
        In pixels of the labels.
    frame : PixelFrame
        Where these pixels lie in the source.
    identity : str
        What tells these labels from all others. With label, time point and plane it gives each outline its id, so the
        same labels always have the same ids, and no others have them.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    StoreExists
        If the file exists and `overwrite` is off.
    SourceError
        If a coordinate is too large for ImageJ.
    """
    placed = (_placed(item, frame) for item in objects)
    rois = Path(path).suffix.lower() == ".zip"
    with part_file(path, overwrite=overwrite) as part:
        if rois:
            return _write_rois(part, placed)
        return _write_geojson(part, placed, uuid.uuid5(uuid.NAMESPACE_OID, identity))


def _placed(item: TracedObject, frame: PixelFrame) -> TracedObject:
    """Return an object in pixels of the source at full resolution; they are whole numbers where they can be."""

    def place(ring: Ring) -> Ring:
        placed = np.column_stack([frame.to_full(a, ring[:, i]) for i, a in enumerate("xy")])
        return placed.astype(np.int64) if frame.integral else placed.astype(np.float64)

    parts = tuple(tuple(place(ring) for ring in rings) for rings in item.parts)
    return TracedObject(item.label, frame.full_index("t", item.t), frame.full_index("z", item.z), parts)


def _write_geojson(path: Path, objects: Iterable[TracedObject], namespace: uuid.UUID) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for count, item in enumerate(objects, 1):
            file.write(",\n" if count > 1 else "\n")
            json.dump(_feature(item, namespace), file, separators=(",", ":"))
        file.write("\n]}\n")
    return count


def _feature(item: TracedObject, namespace: uuid.UUID) -> dict[str, Any]:
    polygons = [[[*ring.tolist(), ring[0].tolist()] for ring in rings] for rings in item.parts]
    kind = "Polygon" if len(polygons) == 1 else "MultiPolygon"
    return {
        "type": "Feature",
        # QuPath identifies objects by a UUID.
        "id": str(uuid.uuid5(namespace, f"{item.label}/{item.t}/{item.z}")),
        "geometry": {
            "type": kind,
            "coordinates": polygons[0] if len(polygons) == 1 else polygons,
            "plane": {"c": -1, "z": item.z, "t": item.t},
        },
        "properties": {"objectType": "detection", "name": str(item.label), "label": item.label},
    }


def _write_rois(path: Path, objects: Iterable[TracedObject]) -> int:
    count = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for item in objects:
            count += 1
            name = f"{item.label:06d}-t{item.t}-z{item.z}"
            file.writestr(f"{name}.roi", _roi(item, name).tobytes())
    return count


def _roi(item: TracedObject, name: str) -> Any:
    rings = [ring for part in item.parts for ring in part]
    corners = np.concatenate(rings)
    farthest = math.ceil(corners.max())
    if farthest > _LARGEST_COORDINATE:
        raise SourceError(
            f"an outline reaches pixel {farthest}",
            f"the largest coordinate of an ImageJ ROI is {_LARGEST_COORDINATE}",
            "export GeoJSON, or segment smaller regions",
        )
    whole = corners.dtype.kind == "i"
    # Corners between pixels are stored with fractions.
    points = corners.astype(np.int32 if whole else np.float32)
    roi = roifile.ImagejRoi.frompoints(points, name=name, z=item.z, t=item.t)
    if len(rings) > 1:
        path = np.concatenate([_path(ring) for ring in rings]).astype(np.float32)
        roi.roitype, roi.n_coordinates = roifile.ROI_TYPE.RECT, 0
        roi.integer_coordinates = roi.subpixel_coordinates = None
        roi.options = roi.options & ~roifile.ROI_OPTIONS.SUB_PIXEL_RESOLUTION
        roi.shape_roi_size, roi.multi_coordinates = len(path), path
    elif whole:
        roi.roitype = roifile.ROI_TYPE.TRACED
    # A polygon ends at its last corner, not one pixel beyond.
    roi.right, roi.bottom = (math.ceil(corners[:, i].max()) for i in (0, 1))
    return roi


def _path(ring: Ring) -> Any:
    """Return a ring as ImageJ path commands: move to, line to, ..., close."""
    lines = np.column_stack([np.ones(len(ring)), ring])
    lines[0, 0] = 0
    return np.append(lines.ravel(), 4)
