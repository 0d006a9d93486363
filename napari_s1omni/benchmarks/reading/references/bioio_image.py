"""OME-Zarr as bioio reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_s1omni.benchmarks.reading.references.zarr_metadata import attributes
from napari_s1omni.benchmarks.reading.seen import Seen, arrange, check_size


def read(path: Path) -> Seen:
    """Read the first scene at full resolution."""
    from bioio import BioImage
    from bioio_ome_zarr import Reader

    # BioImage itself reshapes to T C Z Y X; its reader keeps the stored axes.
    reader = BioImage(path, reader=Reader).reader
    check_size(reader.shape, reader.dtype)
    axes, pixels, _ = arrange(reader.dims.order.lower(), np.asarray(reader.data))
    size, about = reader.physical_pixel_sizes, attributes(path)
    units = {a: getattr(getattr(reader.dimension_properties, a.upper(), None), "unit", None) for a in axes if a != "c"}
    return Seen(
        "bioio",
        axes,
        pixels,
        {a: s for a, s in (("z", size.Z), ("y", size.Y), ("x", size.X)) if s is not None and a in axes},
        {a: u if u is None else str(u) for a, u in units.items()},
        names=tuple(reader.channel_names or ()) if about.get("omero") else None,
    )
