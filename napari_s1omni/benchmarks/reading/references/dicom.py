"""DICOM as pydicom reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_s1omni.benchmarks.reading.seen import NotComparable, Seen, arrange, check_size


def read(path: Path) -> Seen:
    """Read a file with one grey slice; its values are those of the modality, such as Hounsfield units."""
    import pydicom
    from pydicom.pixels import apply_modality_lut

    data = pydicom.dcmread(path)
    if int(data.get("NumberOfFrames", 1) or 1) > 1 or int(data.get("SamplesPerPixel", 1)) > 1:
        raise NotComparable("several frames or colours")
    check_size((data.Rows, data.Columns), np.float64)
    values = np.asarray(apply_modality_lut(data.pixel_array, data))
    if np.array_equal(values, np.rint(values)):
        values = values.astype(np.int16)
    axes, pixels, _ = arrange("yx", values)
    spacing = data.get("PixelSpacing")
    scale = {} if spacing is None else dict(zip("yx", map(float, spacing), strict=True))
    return Seen("pydicom", axes, pixels, scale, dict.fromkeys(scale, "mm"))
