"""Read Imaris 5.5 and later (.ims): levels, time points and channels of HDF5. Such files are never written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_s1omni.core.acquisition import Acquisition, Channel
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.array import default_chunks
from napari_s1omni.storage.readers.file_format import FormatInfo, ImageHeader
from napari_s1omni.storage.readers.raw_image import RawImage
from napari_s1omni.storage.readers.volumes.hdf5_file import check_filters, hdf5_file, open_hdf5, text_attribute
from napari_s1omni.storage.readers.volumes.headers import make_header
from napari_s1omni.storage.readers.volumes.stored_pixels import StackedPixels

_LEVEL, _TIME, _CHANNEL = "ResolutionLevel ", "TimePoint ", "Channel "
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_MOST_LOOKED_FOR, _SHOWN = 5000, 5
_UNEVEN = 0.01
"""Share of a time step by which others may differ from it."""


def describe() -> FormatInfo:
    """Describe the format."""
    return FormatInfo(
        "Imaris", (".ims",), "h5py", "BSD-3-Clause", "volumes", "files with the layout that Bitplane documents, by h5py"
    )


def is_layout(file: Any) -> bool:
    """Whether an open HDF5 file has the groups of Imaris."""
    return any(f"{name}/{_LEVEL}0" in file for name in file if name.startswith("DataSet"))


def list_images(path: Path) -> Sequence[ImageHeader]:
    """List the data sets of a file; most have one."""
    with hdf5_file(path) as file:
        names = _names(file, path)
        return [_header(name if len(names) > 1 else path.stem, _read(file, name, path)) for name in names]


def read_image(path: Path, number: int) -> RawImage:
    """Return a data set with all its levels."""
    file = open_hdf5(path)
    return _read(file, _names(file, path)[number], path)


def _names(file: Any, path: Path) -> list[str]:
    found = [name for name in file if name.startswith("DataSet") and f"{name}/{_LEVEL}0/{_TIME}0/{_CHANNEL}0" in file]
    if not found:
        raise SourceError(
            f"{path} holds no image of Imaris (DataSet/ResolutionLevel 0/TimePoint 0/Channel 0)",
            "a file is as Imaris 5.5 or later writes it",
            "open it in Imaris and save it again; if another program wrote it, let its name end in .h5",
            path=str(path),
        )
    return found


def _header(name: str, raw: RawImage) -> ImageHeader:
    pixels = raw.pixels
    channels = raw.acquisition.channels
    levels = 1 + len(raw.coarser)
    return make_header(name, pixels.shape, pixels.dtype, raw.axes, raw.scale, raw.units, channels, levels)


def _read(file: Any, name: str, path: Path) -> RawImage:
    info = file.get(name.replace("DataSet", "DataSetInfo", 1))
    notes: list[str] = []
    first = file[f"{name}/{_LEVEL}0"]
    times, channels = _count(first, _TIME), _count(first[f"{_TIME}0"], _CHANNEL)
    finest, *coarser = (
        _level(file, f"{name}/{_LEVEL}{level}", path, times, channels) for level in range(_count(file[name], _LEVEL))
    )
    image = info.get("Image") if info is not None else None
    notes += _absent(file, name, times, channels)
    scale, translate = _place(image, finest.shape[-3:], notes)
    units = dict.fromkeys(scale, text_attribute(image, "Unit").strip() or "um") if scale else {}
    acquisition = _acquisition(info, image, channels, times, notes)
    if acquisition.times:
        step, even = _time_step(acquisition.times, notes)
        scale, units = ({"t": step, **scale}, {"t": "second", **units}) if step else (scale, units)
        acquisition = replace(acquisition, times=()) if even else acquisition
    names = tuple(channel.name for channel in acquisition.channels)
    return RawImage(
        pixels=finest,
        axes=finest.axes,
        chunks=finest.chunks,
        scale={a: s for a, s in scale.items() if a in finest.axes},
        translate=translate,
        units={a: u for a, u in units.items() if a in finest.axes},
        channel_names=names if "c" in finest.axes and any(names) else (),
        coarser=tuple(coarser),
        notes=tuple(notes),
        acquisition=acquisition,
    )


def _count(group: Any, prefix: str) -> int:
    """Return how many members are numbered from 0 without a gap."""
    members = set(group)
    count = 0
    while f"{prefix}{count}" in members:
        count += 1
    return count


def _absent(file: Any, name: str, times: int, channels: int) -> list[str]:
    """Return a note if channels of some time points were never written; those of long recordings are not looked for."""
    if times * channels > _MOST_LOOKED_FOR:
        return []
    places = [(t, c) for t in range(times) for c in range(channels)]
    absent = [p for p in places if f"{name}/{_LEVEL}0/{_TIME}{p[0]}/{_CHANNEL}{p[1]}/Data" not in file]
    if not absent:
        return []
    shown = "; ".join(f"time point {time}, channel {channel}" for time, channel in absent[:_SHOWN])
    return [f"{len(absent)} of {len(places)} volumes were never written and read as 0: {shown}"]


def _level(file: Any, place: str, path: Path, times: int, channels: int) -> StackedPixels:
    """Return a level without the padding that fills its last chunks."""
    group = file[f"{place}/{_TIME}0/{_CHANNEL}0"]
    data = group["Data"]
    check_filters(data, path)
    given = [text_attribute(group, f"ImageSize{axis}").strip() for axis in "ZYX"]
    size = tuple(min(int(n), m) if n.isdecimal() and int(n) else m for n, m in zip(given, data.shape, strict=True))
    outer = [(a, n) for a, n in (("t", times), ("c", channels)) if n > 1]
    axes = "".join(a for a, _ in outer) + "zyx"
    chunks = data.chunks or default_chunks(size, "zyx")

    def part(time: int, channel: int) -> Any:
        return file.get(f"{place}/{_TIME}{time}/{_CHANNEL}{channel}/Data")

    return StackedPixels(
        f"'{place}' in {path}",
        axes,
        (*(n for _, n in outer), *size),
        np.dtype(data.dtype),
        (*(1 for _ in outer), *(min(n, m) for n, m in zip(chunks, size, strict=True))),
        part,
    )


def _place(image: Any, size: Sequence[int], notes: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Return voxel size and position of the first voxel from the extents, which reach to the outer corners."""
    try:
        low, high = ([float(text_attribute(image, f"Ext{end}{i}")) for i in (2, 1, 0)] for end in ("Min", "Max"))
    except (ValueError, AttributeError):
        notes.append("the file gives no extents (DataSetInfo/Image), so the voxel size is not known")
        return {}, {}
    scale = {a: (h - m) / n for a, m, h, n in zip("zyx", low, high, size, strict=True)}
    wrong = [a for a, s in scale.items() if not 0 < s < float("inf")]
    if wrong:
        notes.append(f"the extents along {', '.join(wrong)} give no voxel size and are not used")
    scale = {a: s for a, s in scale.items() if a not in wrong}
    return scale, {a: m + scale[a] / 2 for a, m in zip("zyx", low, strict=True) if a in scale}


def _acquisition(info: Any, image: Any, channels: int, times: int, notes: list[str]) -> Acquisition:
    if info is None:
        return Acquisition()
    date = _date(text_attribute(image, "RecordingDate")) if image is not None else None
    dates = []
    if times > 1 and "TimeInfo" in info:
        dates = [_date(text_attribute(info["TimeInfo"], f"TimePoint{i + 1}")) for i in range(times)]
    known = [one for one in dates if one is not None]
    if dates and len(known) < times:
        notes.append("some time points have no date, so the time step is not known")
    return Acquisition(
        channels=tuple(_channel(info.get(f"Channel {i}")) for i in range(channels)),
        date=date.isoformat() if date else "",
        times=tuple((one - known[0]).total_seconds() for one in known) if len(known) == times > 1 else (),
    )


def _channel(node: Any) -> Channel:
    if node is None:
        return Channel()
    name = text_attribute(node, "Name").strip()
    parts = text_attribute(node, "Color").split()
    color = ""
    try:
        numbers = [min(max(float(part), 0.0), 1.0) for part in parts]
        color = "".join(f"{round(255 * number):02X}" for number in numbers) if len(numbers) == 3 else ""
    except ValueError:
        pass
    return Channel(
        "" if name == "(name not specified)" else name,
        color,
        _wavelength(node, "LSMEmissionWavelength"),
        _wavelength(node, "LSMExcitationWavelength"),
    )


def _wavelength(node: Any, name: str) -> float | None:
    found = re.match(r"\d+(\.\d+)?", text_attribute(node, name).strip())
    return float(found[0]) if found and float(found[0]) > 0 else None


def _date(text: str) -> datetime | None:
    whole, _, fraction = text.strip().partition(".")
    try:
        return datetime.strptime(whole, _TIME_FORMAT).replace(microsecond=int(fraction.ljust(6, "0")[:6] or 0))
    except ValueError:
        return None


def _time_step(times: Sequence[float], notes: list[str]) -> tuple[float | None, bool]:
    """Return the mean time step, None if times do not grow, and whether all steps are alike; else add a note."""
    steps = np.diff(times)
    step = float(steps.mean())
    if step <= 0:
        notes.append("the dates of the time points do not grow, so the time step is not known")
        return None, False
    even = bool(np.abs(steps - step).max() <= _UNEVEN * step)
    if not even:
        notes.append(f"the time steps are uneven ({steps.min():g} to {steps.max():g} s); their mean {step:g} s is used")
    return step, even
