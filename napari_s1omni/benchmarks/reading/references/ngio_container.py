"""OME-Zarr as ngio reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_s1omni.benchmarks.reading.references.zarr_metadata import attributes
from napari_s1omni.benchmarks.reading.seen import Seen, arrange, check_size


def read(path: Path) -> Seen:
    """Read level 0 of an image or of labels."""
    import ngio

    about = attributes(path)
    labels = "image-label" in about
    image: Any = ngio.open_label(path) if labels else ngio.open_ome_zarr_container(path, mode="r").get_image()
    check_size(image.shape, image.dtype)
    axes, pixels, _ = arrange("".join(a if len(a) == 1 else "!" for a in image.axes), image.get_as_numpy())
    size = image.pixel_size
    # This library has one unit for all axes of space, and takes micrometer where the file gives none.
    units = {axis.get("unit") for axis in about["multiscales"][0]["axes"] if axis.get("type") == "space"}
    unit: dict[str, str | None] = {}
    if len(units) == 1 and None not in units:
        unit = {**dict.fromkeys("zyx", size.space_unit), "t": size.time_unit}
    return Seen(
        "ngio",
        axes,
        pixels,
        {"z": size.z, "y": size.y, "x": size.x, "t": size.t} if unit else {},
        {a: u for a, u in unit.items() if a in axes},
        names=tuple(image.channel_labels) if about.get("omero") else None,
    )
