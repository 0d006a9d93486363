"""What a DICOM slide says about itself: scanner, objective, date, channels, place on the glass."""

from __future__ import annotations

import datetime
from typing import Any

from napari_s1omni.core.acquisition import Acquisition, Channel


def slide_name(slide: Any, number: int) -> str:
    """Return a name of a slide among others: that of its glass, of its series, or its number."""
    data = slide.levels.base_level.datasets[0].as_dataset()
    container, series = (str(data.get(key, "")).strip() for key in ("ContainerIdentifier", "SeriesDescription"))
    return container or series or f"slide {number}"


def read_acquisition(slide: Any) -> Acquisition:
    """Return what the files say about how they were acquired."""
    data = slide.levels.base_level.datasets[0].as_dataset()
    paths = sorted(data.get("OpticalPathSequence", ()), key=lambda path: str(path.get("OpticalPathIdentifier", "")))
    first = paths[0] if paths else {}
    origin: Any = next(iter(data.get("TotalPixelMatrixOriginSequence", ())), {})
    x, y = (_number(origin.get(f"{axis}OffsetInSlideCoordinateSystem")) for axis in "XY")
    maker = " ".join(str(data.get(key, "")) for key in ("Manufacturer", "ManufacturerModelName")).strip()
    return Acquisition(
        channels=tuple(_channel(path) for path in paths),
        date=_date(str(data.get("AcquisitionDateTime", ""))),
        instrument=maker,
        magnification=_number(first.get("ObjectiveLensPower")),
        numerical_aperture=_number(first.get("ObjectiveLensNumericalAperture")),
        bit_depth=int(data.BitsStored),
        stage=(None, None if y is None else 1000 * y, None if x is None else 1000 * x),
    )


def _channel(path: Any) -> Channel:
    name = str(path.get("OpticalPathDescription", "") or path.get("OpticalPathIdentifier", ""))
    return Channel(name, excitation=_number(path.get("IlluminationWaveLength")))


def _number(value: Any) -> float | None:
    return None if value in (None, "") else float(value)


def _date(text: str) -> str:
    """Return a DICOM date and time in ISO 8601."""
    digits = text.partition(".")[0].partition("+")[0].partition("-")[0]
    try:
        return datetime.datetime.strptime(digits[:14], "%Y%m%d%H%M%S").isoformat()
    except ValueError:
        return ""
