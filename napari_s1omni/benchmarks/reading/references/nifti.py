"""NIfTI as nibabel reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_s1omni.benchmarks.reading.seen import NotComparable, Seen, arrange, check_size


def read(path: Path) -> Seen:
    """Read a volume; its dimensions are x, y, z, time and, as the fifth, channels."""
    import nibabel

    image = nibabel.load(path)
    if not 2 <= len(image.shape) <= 5:
        raise NotComparable(f"{len(image.shape)} dimensions")
    check_size(image.shape, np.float64)
    axes, pixels, _ = arrange("xyztc"[: len(image.shape)], np.asanyarray(image.dataobj))
    lengths = np.linalg.norm(np.asarray(image.affine, float)[:3, :3], axis=0)
    space, time = image.header.get_xyzt_units()
    scale = dict(zip("xyz", map(float, lengths), strict=True))
    units = dict.fromkeys("xyz", space)
    if len(image.shape) > 3:
        scale["t"], units["t"] = float(image.header.get_zooms()[3]) or 1.0, time
    place = dict(zip("xyz", (float(v) for v in np.asarray(image.affine)[:3, 3]), strict=True))
    return Seen(
        "nibabel",
        axes,
        pixels,
        {a: s for a, s in scale.items() if a in axes},
        {a: None if u == "unknown" else u for a, u in units.items() if a in axes},
        {a: v for a, v in place.items() if a in axes},
        (),
    )
