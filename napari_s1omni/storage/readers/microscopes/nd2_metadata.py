"""What an ND2 file says about sizes, channels, positions and the microscope."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from napari_s1omni.core.acquisition import Acquisition, Channel
from napari_s1omni.storage.readers.microscopes.time_points import add_times
from napari_s1omni.storage.readers.tiff_metadata.stored_sizes import StoredSizes

_UNIX = 2440587.5
"""Julian day of 1970-01-01."""
_EVEN = 0.01


def read_sizes(file: Any) -> tuple[StoredSizes, tuple[float, ...]]:
    """Return pixel sizes in micrometres with the time step in seconds, and the times if they are uneven."""
    sizes = StoredSizes()
    channels = file.metadata.channels or []
    volume = channels[0].volume if channels else None
    calibrated = (True, True, True) if volume is None else volume.axesCalibrated
    found = file.voxel_size()
    for axis, known, size in zip("xyz", calibrated, (found.x, found.y, found.z), strict=True):
        if known:
            sizes.add(axis, size, "micrometer", f"the calibration of {axis}")
    times: tuple[float, ...] = ()
    for loop in file.experiment:
        if loop.type == "ZStackLoop" and loop.parameters and loop.parameters.stepUm:
            sizes.add("z", abs(loop.parameters.stepUm), "micrometer", "the step of the Z stack")
        elif loop.type in ("TimeLoop", "NETimeLoop") and loop.count > 1:
            times = _add_time_step(file, loop, sizes)
    return sizes, times


def _add_time_step(file: Any, loop: Any, sizes: StoredSizes) -> tuple[float, ...]:
    """Add the mean of the measured steps; the step that was asked for is 0 for "as fast as possible"."""
    parameters = loop.parameters
    phases = list(getattr(parameters, "periods", None) or ([parameters] if parameters else []))
    if len(phases) == 1:
        measured = phases[0].periodDiff
        if measured is not None and measured.avg > 0:
            sizes.add("t", measured.avg / 1000, "second", "periodDiff")
            if max(measured.max - measured.avg, measured.avg - measured.min) > _EVEN * measured.avg:
                sizes.notes.append(
                    f"time points are not evenly spaced ({measured.min / 1000:.4g} to {measured.max / 1000:.4g} s "
                    f"apart); their mean step, {measured.avg / 1000:.4g} s, is taken"
                )
            return ()
        if phases[0].periodMs > 0:
            sizes.add("t", phases[0].periodMs / 1000, "second", "periodMs")
            return ()
    return add_times(sizes, _frame_times(file, loop), "the times of the frames")


def _frame_times(file: Any, loop: Any) -> list[float]:
    """Return when the first frame of each time point was taken, in seconds."""
    inner = 1
    for other in reversed(file.experiment):
        if other is loop:
            break
        inner *= other.count
    try:
        frames = [file.frame_metadata(t * inner) for t in range(loop.count)]
        return [frame.channels[0].time.relativeTimeMs / 1000 for frame in frames]
    except Exception:
        # Stopped acquisitions and files of old versions lack them.
        return []


def read_channels(file: Any) -> tuple[Channel, ...]:
    """Return the channels of the file."""
    found = []
    for channel in file.metadata.channels or []:
        meta = channel.channel
        color = getattr(meta, "color", None)
        shown = "" if color is None else f"{color.r:02X}{color.g:02X}{color.b:02X}"
        emission, excitation = getattr(meta, "emissionLambdaNm", None), getattr(meta, "excitationLambdaNm", None)
        found.append(Channel(meta.name or "", shown, emission or None, excitation or None))
    return tuple(found)


def position_names(loop: Any) -> list[str]:
    """Return a name for each stage position; one that has none gets its number."""
    return [point.name or f"position {i}" for i, point in enumerate(loop.parameters.points)]


def read_acquisition(file: Any, point: Any, channels: Sequence[Channel], times: tuple[float, ...]) -> Acquisition:
    """Return what is known of the microscope.

    Parameters
    ----------
    file : ND2File
    point : Position or None
        The stage position of the image, if the file has several.
    channels : sequence of Channel
    times : tuple of float
        Times of uneven time points.
    """
    found = file.metadata.channels or []
    lens = found[0].microscope if found else None
    first = _first_frame(file)
    where = point or (first.position if first is not None else None)
    stage = None if where is None else where.stagePositionUm
    text = file.text_info or {}
    stand = re.search(r"Microscope: ([^\r\n]+)", text.get("description", "") or "")
    return Acquisition(
        channels=tuple(channels),
        date=_date(first.time.absoluteJulianDayNumber) if first is not None and text.get("date") else "",
        instrument=stand[1].strip() if stand else "",
        objective=(lens.objectiveName if lens else None) or text.get("optics", ""),
        magnification=(lens.objectiveMagnification if lens else None) or None,
        numerical_aperture=(lens.objectiveNumericalAperture if lens else None) or None,
        bit_depth=file.attributes.bitsPerComponentSignificant or None,
        stage=(None, None, None) if stage is None else (stage.z, stage.y, stage.x),
        times=times,
    )


def _first_frame(file: Any) -> Any:
    try:
        return file.frame_metadata(0).channels[0]
    except Exception:
        # Files of old versions have no such record.
        return None


def _date(julian: float) -> str:
    """Return a Julian day as ISO 8601 in UTC; empty for what cannot be one."""
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=julian - _UNIX)).isoformat(timespec="seconds")
    except (OverflowError, ValueError):
        return ""
