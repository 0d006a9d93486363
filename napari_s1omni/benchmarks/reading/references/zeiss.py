"""CZI as pylibCZIrw reads it."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.benchmarks.reading.seen import Seen, arrange, check_size
from napari_s1omni.core.paths import split_reference

_TYPES = {"Gray8": np.uint8, "Gray16": np.uint16, "Gray32Float": np.float32, "Bgr24": np.uint8, "Bgr48": np.uint16}


def read(path: Path) -> Seen:
    """Read a scene, or a file without scenes, plane by plane."""
    from pylibCZIrw import czi

    file, scene = _scene(path)
    with czi.open_czi(file) as document:
        sizes = document.total_bounding_box
        x, y, width, height = document.scenes_bounding_rectangle_no_pyramid.get(
            scene, document.total_bounding_rectangle_no_pyramid
        )
        kind = document.get_channel_pixel_type(0)
        counts = [sizes[a][1] for a in "TCZ"]
        samples = 3 if kind.startswith("Bgr") else 1
        check_size((*counts, height, width, samples), _TYPES[kind])
        pixels = np.empty((*counts, height, width, samples), _TYPES[kind])
        for t, c, z in np.ndindex(*counts):
            part = document.read(roi=(x, y, width, height), plane={"T": t, "C": c, "Z": z}, scene=scene)
            pixels[t, c, z] = part[..., ::-1]
        about = document.metadata["ImageDocument"]["Metadata"]
    letters = "tczyxs" if samples > 1 else "tczyx"
    if samples > 1:
        pixels, letters = pixels[:, 0], "tzyxs"
    else:
        pixels = pixels[..., 0]
    axes, arranged, _ = arrange(letters, pixels)
    scale = {a: s for a, s in _distances(about).items() if a in axes}
    return Seen("pylibCZIrw", axes, arranged, scale, dict.fromkeys(scale, "µm"), names=_names(about, samples))


def windows(path: Path) -> Callable[[Mapping[str, slice]], NDArray[Any]]:
    """Return a function that reads a box of one plane with an open file, as the library's documentation shows."""
    from pylibCZIrw import czi

    file, scene = _scene(path)
    document = czi.CziReader(file)
    x, y, *_ = document.scenes_bounding_rectangle_no_pyramid.get(scene, document.total_bounding_rectangle_no_pyramid)

    def window(box: Mapping[str, slice]) -> NDArray[Any]:
        rows, columns = box["y"], box["x"]
        roi = (x + columns.start, y + rows.start, columns.stop - columns.start, rows.stop - rows.start)
        plane = {a.upper(): box[a].start for a in "tcz" if a in box}
        return np.asarray(document.read(roi=roi, plane=plane, scene=scene))

    weakref.finalize(window, document.close)
    return window


def _scene(path: Path) -> tuple[str, int | None]:
    """Split a reference into the file and the number of its scene, as this package names those without a name."""
    file, image = split_reference(str(path))
    found = re.fullmatch(r"scene (\d+)", image or "")
    return file, int(found[1]) if found else None


def _distances(about: Any) -> dict[str, float]:
    items = about["Scaling"]["Items"]["Distance"]
    sizes = {item["@Id"].lower(): float(item["Value"]) * 1e6 for item in items}
    return {axis: size for axis, size in sizes.items() if size > 0}


def _names(about: Any, samples: int) -> tuple[str, ...]:
    if samples > 1:
        return ()
    found = about["Information"]["Image"].get("Dimensions", {}).get("Channels", {}).get("Channel", [])
    names = tuple(channel.get("@Name", "") for channel in (found if isinstance(found, list) else [found]))
    return names if any(names) else ()
