"""Drawn shapes as the region of a job."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def region_from_outlines(outlines: Sequence[NDArray[Any]], plane: Mapping[str, int], folder: Path) -> dict[str, Any]:
    """Turn outlines into a region: a box for one axis-aligned rectangle, else a polygon file.

    Parameters
    ----------
    outlines : sequence of float (n, 2)
        Vertices (y, x) in source pixels; the centre of pixel 0 is at 0.
    plane : mapping
        Plane ``z`` and time point ``t`` of the shapes, where the layer has these axes.
    folder : Path
        Existing folder in which a GeoJSON file is written.

    Returns
    -------
    dict
        Fields of :class:`~napari_s1omni.planning.job.Box` or :class:`~napari_s1omni.planning.job.Shape`.
    """
    if len(outlines) == 1 and _is_axis_aligned(outlines[0]):
        # The pixels whose centre lies inside, as for polygons: a rectangle 188 px wide is 188 px wide.
        low, high = np.ceil(outlines[0].min(axis=0)), np.ceil(outlines[0].max(axis=0))
        spans = {
            a: [max(0, int(s)), max(int(s), 0) + 1 if e <= s else int(e)]
            for a, s, e in zip("yx", low, high, strict=True)
        }
        return {"type": "box", **{a: [n, n + 1] for a, n in plane.items()}, **spans}
    # In the file, pixel 0 begins at 0, so its centre is at 0.5.
    rings = [[[float(x) + 0.5, float(y) + 0.5] for y, x in [*ring, ring[0]]] for ring in outlines]
    features = [
        {
            "type": "Feature",
            "properties": {},
            "geometry": {"type": "Polygon", "coordinates": [ring], **({"plane": dict(plane)} if plane else {})},
        }
        for ring in rings
    ]
    path = folder / f"{uuid.uuid4().hex}.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return {"type": "polygon", "uri": str(path)}


def _is_axis_aligned(ring: NDArray[Any]) -> bool:
    """Whether an outline is an axis-aligned rectangle."""
    if len(ring) != 4:
        return False
    return all(np.isclose(np.diff(np.vstack([ring, ring[:1]]), axis=0)[:, i], 0).sum() == 2 for i in (0, 1))
