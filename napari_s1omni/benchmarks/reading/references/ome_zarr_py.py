"""OME-Zarr as ome-zarr-py reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_s1omni.benchmarks.reading.references.zarr_metadata import attributes
from napari_s1omni.benchmarks.reading.seen import NotComparable, Seen, arrange, check_size


def read(path: Path) -> Seen:
    """Read level 0 of an image; transformations of the whole image and units are not read by this library."""
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    place = parse_url(path)
    if place is None:
        raise NotComparable("not found")
    node = next(iter(Reader(place)()), None)
    if node is None or not node.data:
        raise NotComparable("no image")
    about = attributes(path)
    letters = "".join(axis["name"].lower()[:1] if len(axis["name"]) == 1 else "!" for axis in node.metadata["axes"])
    check_size(node.data[0].shape, node.data[0].dtype)
    axes, pixels, _ = arrange(letters, np.asarray(node.data[0]))
    scale = {}
    if not about["multiscales"][0].get("coordinateTransformations"):
        steps = (node.metadata.get("coordinateTransformations") or [[]])[0]
        scale = next((dict(zip(letters, step["scale"], strict=True)) for step in steps if step["type"] == "scale"), {})
    units = {a: axis.get("unit") for a, axis in zip(letters, node.metadata["axes"], strict=True) if a != "c"}
    names = tuple(node.metadata.get("channel_names", ())) if about.get("omero") else None
    return Seen("ome-zarr-py", axes, pixels, {a: s for a, s in scale.items() if a != "c"}, units, names=names)
