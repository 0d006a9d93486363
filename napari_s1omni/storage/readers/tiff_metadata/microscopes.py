"""Pixel size, time step and channel names in the tags of microscopes, read with tifffile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_s1omni.storage.readers.tiff_metadata.stored_sizes import StoredSizes

_LSM_KEYS = (("x", "VoxelSizeX"), ("y", "VoxelSizeY"), ("z", "VoxelSizeZ"))


def read_microscope(tiff: Any, series: Any, sizes: StoredSizes) -> None:
    """Add what the microscope that wrote a TIFF says about its pixels; nothing if it is not known."""
    for flag, read in _READERS.items():
        if getattr(tiff, f"is_{flag}", False):
            read(tiff, series, sizes)
            if sizes.scale or sizes.notes:
                return


def _lsm(tiff: Any, _series: Any, sizes: StoredSizes) -> None:
    about = tiff.lsm_metadata or {}
    for axis, key in _LSM_KEYS:
        if key in about:
            _add_metres(sizes, axis, about[key], key)
    if about.get("TimeIntervall"):
        sizes.add("t", about["TimeIntervall"], "s", "TimeIntervall")
    colours = about.get("ChannelColors") or {}
    sizes.channel_names = tuple(str(name) for name in colours.get("ColorNames", ()))


def _stk(tiff: Any, series: Any, sizes: StoredSizes) -> None:
    about = tiff.stk_metadata or {}
    unit = str(about.get("CalibrationUnits", ""))
    if about.get("SpatialCalibration") and unit.lower() not in ("", "pixel", "pixels"):
        for axis, key in (("x", "XCalibration"), ("y", "YCalibration")):
            if key in about:
                sizes.add(axis, about[key], unit, key)
    distances = np.abs(np.atleast_1d(np.asarray(about.get("ZDistance", ()), float)))
    if "Z" in series.axes and distances.size:
        sizes.add("z", float(np.median(distances[distances > 0])) if (distances > 0).any() else 0, "um", "ZDistance")
    times = np.atleast_1d(np.asarray(about.get("TimeCreated", ()), float))
    if "T" in series.axes and times.size > 1:
        sizes.add("t", float(np.median(np.diff(times))) / 1000, "s", "TimeCreated")


def _metaseries(tiff: Any, _series: Any, sizes: StoredSizes) -> None:
    about = (tiff.metaseries_metadata or {}).get("PlaneInfo", {})
    unit = str(about.get("spatial-calibration-units", ""))
    if about.get("spatial-calibration-state") and unit.lower() not in ("", "pixel", "pixels"):
        for axis in "xy":
            key = f"spatial-calibration-{axis}"
            if key in about:
                sizes.add(axis, about[key], unit, key)


def _fluoview(tiff: Any, _series: Any, sizes: StoredSizes) -> None:
    for name, _count, _origin, step, unit in (tiff.fluoview_metadata or {}).get("Dimensions", ()):
        axis = str(name)[:1].lower()
        if axis in "xyzt" and axis and step:
            sizes.add(axis, abs(float(step)), str(unit).strip("\0 ") or None, f"Resolution along {name}")


def _sis(tiff: Any, _series: Any, sizes: StoredSizes) -> None:
    about = tiff.sis_metadata or {}
    for axis in "xy":
        if f"pixelsize{axis}" in about:
            _add_metres(sizes, axis, about[f"pixelsize{axis}"], f"pixelsize{axis}")


def _fei(tiff: Any, _series: Any, sizes: StoredSizes) -> None:
    about = (tiff.fei_metadata or {}).get("Scan", {})
    for axis, key in (("x", "PixelWidth"), ("y", "PixelHeight")):
        if key in about:
            _add_metres(sizes, axis, about[key], key)


def _zeiss_sem(tiff: Any, _series: Any, sizes: StoredSizes) -> None:
    about = tiff.sem_metadata or {}
    found = about.get("ap_image_pixel_size") or about.get("ap_pixel_size")
    if found and len(found) == 3:
        for axis in "xy":
            sizes.add(axis, found[1], str(found[2]), str(found[0]))


def _tvips(tiff: Any, _series: Any, sizes: StoredSizes) -> None:
    about = tiff.tvips_metadata or {}
    for axis, key in (("x", "PixelSizeX"), ("y", "PixelSizeY")):
        if about.get(key):
            sizes.add(axis, about[key], "nm", key)


def _micromanager(tiff: Any, series: Any, sizes: StoredSizes) -> None:
    about = (tiff.micromanager_metadata or {}).get("Summary", {})
    if about.get("PixelSize_um"):
        sizes.add("x", about["PixelSize_um"], "um", "PixelSize_um")
        sizes.add("y", about["PixelSize_um"], "um", "PixelSize_um")
    if "Z" in series.axes and about.get("z-step_um"):
        sizes.add("z", abs(float(about["z-step_um"])), "um", "z-step_um")
    if "T" in series.axes and about.get("Interval_ms"):
        sizes.add("t", about["Interval_ms"], "ms", "Interval_ms")
    names = about.get("ChNames")
    sizes.channel_names = tuple(str(name) for name in names) if isinstance(names, list) else ()


def _add_metres(sizes: StoredSizes, axis: str, metres: Any, name: str) -> None:
    sizes.add(axis, float(metres) * 1e6, "um", name)


_READERS: dict[str, Callable[[Any, Any, StoredSizes], None]] = {
    "lsm": _lsm,
    "stk": _stk,
    "metaseries": _metaseries,
    "fluoview": _fluoview,
    "sis": _sis,
    "fei": _fei,
    "sem": _zeiss_sem,
    "tvips": _tvips,
    "micromanager": _micromanager,
}
"""Flag of tifffile -> reader."""
