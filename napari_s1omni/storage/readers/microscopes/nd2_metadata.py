"""What an ND2 file says about sizes, channels, positions and the microscope."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from napari_s1omni.core.acquisition import Acquisition, Channel
from napari_s1omni.storage.readers.microscopes.time_points import add_times
from napari_s1omni.storage.readers.tiff_metadata.stored_sizes import StoredSizes

_UNIX = 2440587.5
"""Julian day of 1970-01-01."""
_EVEN = 0.01


@dataclass(frozen=True, slots=True)
class Nd2Metadata:
    """What holds for all images of a file."""

    sizes: StoredSizes
    """Pixel sizes in micrometres and the time step in seconds."""
    channels: tuple[Channel, ...]
    acquisition: Acquisition
    """With the stage position of the first frame."""


def read_metadata(file: Any) -> Nd2Metadata:
    """Read what an open file says."""
    sizes, times = _sizes(file)
    channels = _described_channels(file)
    return Nd2Metadata(sizes, channels, _acquisition(file, channels, times))


def position_names(loop: Any) -> list[str]:
    """Return a name for each stage position; one that has none gets its number."""
    return [point.name or f"position {i}" for i, point in enumerate(loop.parameters.points)]


def stage_of(position: Any) -> tuple[float | None, float | None, float | None]:
    """Return a stage position as z, y, x in micrometres."""
    if position is None:
        return None, None, None
    stage = position.stagePositionUm
    return stage.z, stage.y, stage.x


def _sizes(file: Any) -> tuple[StoredSizes, tuple[float, ...]]:
    """Return pixel sizes in micrometres with the time step in seconds, and the times if they are uneven."""
    sizes = StoredSizes()
    channels = _channels(file)
    if channels:
        volume = channels[0].volume
        for axis, known, size in zip("xyz", volume.axesCalibrated, volume.axesCalibration, strict=True):
            if known:
                sizes.add(axis, size, "micrometer", f"the calibration of {axis}")
    elif (raw := _picture(file)).get("Calibrated"):
        for axis in "yx":
            sizes.add(axis, raw.get("Calibration"), "micrometer", "Calibration")
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
    found = [_frame(file, t * inner) for t in range(loop.count)]
    # Stopped acquisitions and files of old versions lack them.
    return [] if None in found else [frame.time.relativeTimeMs / 1000 for frame in found]


def _described_channels(file: Any) -> tuple[Channel, ...]:
    """Return the channels of the file."""
    found = []
    for channel in _channels(file):
        meta = channel.channel
        color = getattr(meta, "color", None)
        shown = "" if color is None else f"{color.r:02X}{color.g:02X}{color.b:02X}"
        emission, excitation = getattr(meta, "emissionLambdaNm", None), getattr(meta, "excitationLambdaNm", None)
        found.append(Channel(meta.name or "", shown, emission or None, excitation or None))
    if not found:
        planes = _picture(file).get("PicturePlanes", {})
        described = planes.get("PlaneNew") or planes.get("Plane") or {}
        found = [Channel(str(plane.get("Description", ""))) for plane in described.values()]
    return tuple(found)


def _channels(file: Any) -> list[Any]:
    """Return the channels as the library describes them; empty where it cannot, as of planes without a dye."""
    try:
        return list(file.metadata.channels or [])
    except Exception:
        return []


def _picture(file: Any) -> dict[str, Any]:
    """Return what the file says of its picture, as it is written."""
    try:
        written = file.unstructured_metadata()
        found = next(value for name, value in written.items() if name.startswith("ImageMetadataSeq"))
        return dict(found.get("SLxPictureMetadata") or found.get("PictureMetadata") or found)
    except Exception:
        return {}


def _acquisition(file: Any, channels: tuple[Channel, ...], times: tuple[float, ...]) -> Acquisition:
    found = _channels(file)
    lens = found[0].microscope if found else None
    first = _frame(file, 0)
    text = file.text_info or {}
    stand = re.search(r"Microscope: ([^\r\n]+)", text.get("description", "") or "")
    return Acquisition(
        channels=channels,
        date=_date(first.time.absoluteJulianDayNumber) if first is not None and text.get("date") else "",
        instrument=stand[1].strip() if stand else "",
        objective=(lens.objectiveName if lens else None) or text.get("optics", ""),
        magnification=(lens.objectiveMagnification if lens else None) or None,
        numerical_aperture=(lens.objectiveNumericalAperture if lens else None) or None,
        bit_depth=file.attributes.bitsPerComponentSignificant or None,
        stage=stage_of(first.position if first is not None else None),
        times=times,
    )


def _frame(file: Any, number: int) -> Any:
    """Return what the file says of the first channel of a frame; None if that is nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return file.frame_metadata(number).channels[0]
    except Exception:
        return None


def _date(julian: float) -> str:
    """Return a Julian day as ISO 8601 in UTC; empty for what cannot be one."""
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=julian - _UNIX)).isoformat(timespec="seconds")
    except (OverflowError, ValueError):
        return ""
