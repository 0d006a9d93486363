"""Write labels as outlines for QuPath (GeoJSON) or ImageJ (a zip of ROIs)."""

from __future__ import annotations

import json
import uuid
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import roifile

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.files.part_file import part_file
from napari_s1omni.storage.writers.contours import Ring, TracedObject

ENDINGS = (".geojson", ".json", ".zip")
"""Endings of outline files."""
_LARGEST_COORDINATE = 32767
"""Largest coordinate of an ImageJ ROI."""


def write_outlines(
    path: Path | str, objects: Iterable[TracedObject], offset: Mapping[str, int], *, overwrite: bool = False
) -> int:
    """Write outlines to one file, one object at a time; return how many were written.

    An object that spans several planes has one outline in each. Coordinates
    are source pixels, as for a region: 0, 0 is the outer corner of the first pixel.

    Parameters
    ----------
    path : Path
        Ends with ``.geojson``, ``.json`` or ``.zip``. The file appears once it is complete.
    objects : iterable of TracedObject
    offset : mapping of axis to int
        First pixel of the labels in the source, along t, z, y and x.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    StoreExists
        If the file exists and `overwrite` is off.
    SourceError
        If a coordinate is too large for ImageJ.
    """
    write = _write_rois if Path(path).suffix.lower() == ".zip" else _write_geojson
    with part_file(path, overwrite=overwrite) as part:
        return write(part, (_moved(item, offset) for item in objects))


def _moved(item: TracedObject, offset: Mapping[str, int]) -> TracedObject:
    shift = np.array([offset.get("x", 0), offset.get("y", 0)])
    parts = tuple(tuple(ring + shift for ring in rings) for rings in item.parts)
    return TracedObject(item.label, item.t + offset.get("t", 0), item.z + offset.get("z", 0), parts)


def _write_geojson(path: Path, objects: Iterable[TracedObject]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for count, item in enumerate(objects, 1):
            file.write(",\n" if count > 1 else "\n")
            json.dump(_feature(item), file, separators=(",", ":"))
        file.write("\n]}\n")
    return count


def _feature(item: TracedObject) -> dict[str, Any]:
    polygons = [[[*ring.tolist(), ring[0].tolist()] for ring in rings] for rings in item.parts]
    kind = "Polygon" if len(polygons) == 1 else "MultiPolygon"
    return {
        "type": "Feature",
        # QuPath identifies objects by a UUID; the same object always gets the same one.
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{item.label}/{item.t}/{item.z}")),
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
    farthest = max(int(ring.max()) for ring in rings)
    if farthest > _LARGEST_COORDINATE:
        raise SourceError(
            f"an outline reaches pixel {farthest}",
            f"the largest coordinate of an ImageJ ROI is {_LARGEST_COORDINATE}",
            "export GeoJSON, or segment smaller regions",
        )
    place = {"z": item.z, "t": item.t}
    roi = roifile.ImagejRoi.frompoints(np.concatenate(rings).astype(np.int32), name=name, **place)
    if len(rings) > 1:
        path = np.concatenate([_path(ring) for ring in rings]).astype(np.float32)
        roi.roitype, roi.n_coordinates, roi.integer_coordinates = roifile.ROI_TYPE.RECT, 0, None
        roi.shape_roi_size, roi.multi_coordinates = len(path), path
    else:
        roi.roitype = roifile.ROI_TYPE.TRACED
    # A polygon ends at its last corner, not one pixel beyond.
    roi.right, roi.bottom = (int(np.concatenate(rings)[:, i].max()) for i in (0, 1))
    return roi


def _path(ring: Ring) -> Any:
    """Return a ring as ImageJ path commands: move to, line to, ..., close."""
    lines = np.column_stack([np.ones(len(ring)), ring])
    lines[0, 0] = 0
    return np.append(lines.ravel(), 4)
