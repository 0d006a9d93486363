"""LeicaImage: axes, wavelengths and channels of one image of a Leica file, from its XML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import numpy as np

from napari_s1omni.core.acquisition import Acquisition, Channel
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.microscopes.leica_files import LeicaElement
from napari_s1omni.storage.readers.microscopes.time_points import add_times
from napari_s1omni.storage.readers.tiff_metadata.stored_sizes import StoredSizes

_LETTERS = {1: "x", 2: "y", 3: "z", 4: "t", 5: "l", 9: "e"}
"""Number of a dimension -> letter: x, y, z, time, emission and excitation wavelength."""
_KEPT_APART = {6: "rotation", 7: "slice", 8: "time slice", 10: "tile", 11: "loop"}
"""Number of a dimension that images have no axis for -> what each index of it is called."""
_LOOKUP_TABLES = {
    "red": "FF0000",
    "green": "00FF00",
    "blue": "0000FF",
    "cyan": "00FFFF",
    "magenta": "FF00FF",
    "yellow": "FFFF00",
    "gray": "FFFFFF",
    "grey": "FFFFFF",
}
_UNITS = {"m": ("micrometer", 1e6), "s": ("second", 1.0)}
_FILETIME = datetime(1601, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LeicaAxis:
    """One dimension as it is stored."""

    letter: str
    """``t c z y x s l e``, or the number of a dimension that images have no axis for."""
    size: int
    step: int
    """Bytes from one element to the next."""
    origin: float = 0.0
    """Value at the first element, in `unit`."""
    length: float = 0.0
    """From the first to the last element, in `unit`."""
    unit: str = ""

    @property
    def spacing(self) -> float:
        """Distance of two elements; 0 if the file gives none."""
        return abs(self.length) / (self.size - 1) if self.size > 1 else 0.0


@dataclass(frozen=True, slots=True)
class LeicaImage:
    """One image of a file."""

    name: str
    source: LeicaElement
    axes: tuple[LeicaAxis, ...]
    """In stored order, the outermost first, without those of one element."""
    dtype: np.dtype[np.generic]
    channels: tuple[Channel, ...]
    """The channels of the file, without wavelengths."""
    start: int
    """Byte of the first pixel within the pixels of the element."""
    fixed: dict[str, int]
    """Index along each axis of the element that this image does not have, by the name of the dimension."""
    samples: tuple[int, ...] = ()
    """Place of red, green and blue among the stored samples."""

    @property
    def letters(self) -> str:
        """Letters of the axes in stored order."""
        return "".join(axis.letter for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels per axis."""
        return tuple(axis.size for axis in self.axes)

    @property
    def nbytes(self) -> int:
        """Bytes from its first pixel to the end of its last."""
        return sum((axis.size - 1) * axis.step for axis in self.axes) + self.dtype.itemsize

    def bands(self) -> tuple[Channel, ...]:
        """Return the channels, or the bands of its wavelength axes; of both, one for each pair in stored order."""
        found: tuple[Channel, ...] = ()
        for axis in self.axes:
            if axis.letter == "c":
                more: Sequence[Channel] = self.channels
            elif axis.letter in "le":
                more = _wavelengths(axis)
            else:
                continue
            found = tuple(_both(a, b) for a in found for b in more) if found else tuple(more)
        return found or (self.channels if len(self.channels) == 1 and self.channels != (Channel(),) else ())

    def sizes(self) -> tuple[StoredSizes, tuple[float, ...]]:
        """Return pixel sizes in micrometres, the time step in seconds, and the times if they are uneven."""
        sizes = StoredSizes()
        times: tuple[float, ...] = ()
        for axis in self.axes:
            unit, factor = _UNITS.get(axis.unit, (axis.unit, 1.0))
            if axis.letter == "t":
                times = () if axis.spacing else add_times(sizes, _stamps(self, axis), "TimeStampList")
            if axis.letter in "tzyx" and axis.spacing:
                size = float(f"{axis.spacing * factor:.12g}")
                sizes.add(axis.letter, size, unit or None, f"Length of {axis.letter}")
        return sizes, times

    def acquisition(self, times: tuple[float, ...]) -> Acquisition:
        """Return what is known of the microscope."""
        element = self.source.element
        setting = element.find('./Data/Image/Attachment[@Name="HardwareSetting"]')
        about = None
        if setting is not None:
            about = next((e for e in setting.iter() if e.get("ObjectiveName") or e.get("StagePosX")), None)
        stamps = element.find("./Data/Image/TimeStampList")
        first = next(iter(_filetimes(stamps)), 0) if stamps is not None else 0
        bits = [int(e.get("Resolution", "0")) for e in element.iterfind(".//ChannelDescription")]
        return Acquisition(
            channels=self.bands(),
            date=_date(first),
            instrument="" if setting is None else setting.get("SystemTypeName", ""),
            objective="" if about is None else about.get("ObjectiveName", "").strip(),
            magnification=None if about is None else _number(about.get("Magnification")),
            numerical_aperture=None if about is None else _number(about.get("NumericalAperture")),
            bit_depth=max(bits, default=0) or None,
            stage=_stage(element, about, self.fixed),
            times=times,
        )


def read_images(elements: Sequence[LeicaElement]) -> tuple[list[LeicaImage], list[str]]:
    """Describe the images of a file.

    Returns
    -------
    (list of LeicaImage, list of str)
        The images, and notes on those that cannot be read.

    Raises
    ------
    SourceError
        If none can be read.
    """
    images: list[LeicaImage] = []
    errors: list[SourceError] = []
    for element in elements:
        try:
            images += _images(element)
        except SourceError as error:
            errors.append(error)
    if errors and not images:
        raise errors[0]
    return images, [error.given for error in errors]


def _images(source: LeicaElement) -> list[LeicaImage]:
    description = source.element.find("./Data/Image/ImageDescription")
    dimensions = [] if description is None else description.findall("./Dimensions/DimensionDescription")
    stored = [] if description is None else description.findall("./Channels/ChannelDescription")
    if not dimensions or not stored:
        raise _damaged(source, "it has no dimensions or no channels")
    axes = [_axis(source, dimension) for dimension in dimensions]
    channels = sorted(stored, key=lambda e: int(e.get("BytesInc", "0")))
    dtypes = [_dtype(source, channel) for channel in channels]
    groups: list[tuple[str, list[int]]] = [("", list(range(len(channels))))]
    if len(set(dtypes)) > 1:
        # Channels of different types are images of their own.
        groups = [(f"channel {i}", [i]) for i in range(len(channels))]
    found = []
    for label, members in groups:
        chosen = [channels[i] for i in members]
        starts = [int(e.get("BytesInc", "0")) for e in chosen]
        first, kept = starts[0], list(axes)
        samples: tuple[int, ...] = ()
        if len(chosen) > 1:
            steps = np.diff(starts)
            if steps.min() < 1 or steps.max() != steps.min():
                raise _damaged(source, f"its channels lie at uneven bytes {starts}")
            tags = [int(e.get("ChannelTag", "0")) for e in chosen]
            across = min((axis.step for axis in axes if axis.size > 1), default=0)
            colours = sorted(tags) == [1, 2, 3] and steps[0] == dtypes[0].itemsize and across > steps[0]
            samples = tuple(tags.index(tag) for tag in (1, 2, 3)) if colours else ()
            kept.append(LeicaAxis("s" if colours else "c", len(chosen), int(steps[0])))
        known = () if samples else tuple(_channel(e) for e in chosen)
        found += _split(source, label, kept, dtypes[members[0]], known, first, samples)
    return found


def _split(
    source: LeicaElement,
    label: str,
    axes: list[LeicaAxis],
    dtype: np.dtype[np.generic],
    channels: tuple[Channel, ...],
    first: int,
    samples: tuple[int, ...],
) -> list[LeicaImage]:
    """Make an image of each index along the dimensions that images have no axis for."""
    ordered = sorted((axis for axis in axes if axis.size > 1), key=lambda axis: -axis.step)
    letters = [axis.letter for axis in ordered]
    # A second dimension of the same kind has no axis either.
    apart = [a for i, a in enumerate(ordered) if a.letter not in "tczyxsle" or a.letter in letters[:i]]
    kept = tuple(axis for axis in ordered if axis not in apart)
    found = []
    for indices in np.ndindex(*(axis.size for axis in apart)):
        fixed, parts, start = {}, [source.path], first
        for axis, index in zip(apart, indices, strict=True):
            kind = _KEPT_APART.get(int(axis.letter), "part") if axis.letter.isdecimal() else axis.letter
            fixed[kind] = int(index)
            parts.append(f"{kind} {index}")
            start += int(index) * axis.step
        name = "/".join([*parts, *([label] if label else [])])
        found.append(LeicaImage(name, source, kept, dtype, channels, start, fixed, samples))
    return found


def _axis(source: LeicaElement, element: ElementTree.Element) -> LeicaAxis:
    try:
        number, size = int(element.attrib["DimID"]), int(element.attrib["NumberOfElements"])
        step, bits = int(element.attrib["BytesInc"]), int(element.get("BitInc", "0"))
        origin, length = float(element.get("Origin", "0")), float(element.get("Length", "0"))
    except (KeyError, ValueError) as error:
        raise _damaged(source, f"a dimension is damaged ({error})") from error
    if size < 1 or step < 0 or bits or not math.isfinite(origin + length):
        raise _damaged(source, f"dimension {number} has {size} elements, {step} bytes apart")
    return LeicaAxis(_LETTERS.get(number, str(number)), size, step, origin, length, element.get("Unit", ""))


def _dtype(source: LeicaElement, channel: ElementTree.Element) -> np.dtype[np.generic]:
    bits, kind = int(channel.get("Resolution", "0")), channel.get("DataType", "0")
    size = next((n for n in (1, 2, 4, 8) if 0 < bits <= 8 * n), 0)
    if not size or kind not in ("0", "1") or (kind == "1" and size == 1):
        raise _damaged(source, f"a channel has {bits} bits of the type {kind}")
    return np.dtype(f"<{'f' if kind == '1' else 'u'}{size}")


def _channel(element: ElementTree.Element) -> Channel:
    properties = {e.findtext("Key"): e.findtext("Value") for e in element.iterfind("./ChannelProperty")}
    table = element.get("LUTName", "")
    return Channel(properties.get("DyeName") or table, _LOOKUP_TABLES.get(table.lower(), ""))


def _wavelengths(axis: LeicaAxis) -> list[Channel]:
    """Return the bands along a wavelength axis, with their nanometres."""
    factor = 1e9 if axis.unit == "m" else 1.0
    values = [float(f"{(axis.origin + axis.length * i / (axis.size - 1)) * factor:.6g}") for i in range(axis.size)]
    if axis.letter == "l":
        return [Channel(f"{value:g} nm", emission=value) for value in values]
    return [Channel(f"{value:g} nm", excitation=value) for value in values]


def _both(a: Channel, b: Channel) -> Channel:
    return Channel(
        " / ".join(name for name in (a.name, b.name) if name),
        a.color or b.color,
        a.emission if a.emission is not None else b.emission,
        a.excitation if a.excitation is not None else b.excitation,
    )


def _stamps(image: LeicaImage, axis: LeicaAxis) -> list[float]:
    """Return the seconds of the first frame of each time point."""
    stamps = image.source.element.find("./Data/Image/TimeStampList")
    found = [] if stamps is None else _filetimes(stamps)
    each = len(found) // axis.size
    return [found[t * each] / 1e7 for t in range(axis.size)] if each else []


def _filetimes(stamps: ElementTree.Element) -> list[int]:
    """Return the times of frames as Windows counts them, in tenths of microseconds."""
    try:
        old = stamps.findall("./TimeStamp")
        if old:
            return [(int(e.attrib["HighInteger"]) << 32) + int(e.attrib["LowInteger"]) for e in old]
        return [int(word, 16) for word in (stamps.text or "").split()]
    except (KeyError, ValueError):
        return []


def _date(filetime: int) -> str:
    try:
        when = _FILETIME + timedelta(microseconds=filetime / 10)
    except OverflowError:
        return ""
    return when.isoformat(timespec="seconds") if filetime > 0 else ""


def _stage(
    element: ElementTree.Element, about: ElementTree.Element | None, fixed: dict[str, int]
) -> tuple[float | None, float | None, float | None]:
    tiles = element.findall('./Data/Image/Attachment[@Name="TileScanInfo"]/Tile')
    if "tile" in fixed and fixed["tile"] < len(tiles):
        tile = tiles[fixed["tile"]]
        return _micrometres(tile.get("PosZ")), _micrometres(tile.get("PosY")), _micrometres(tile.get("PosX"))
    if about is None:
        return None, None, None
    return None, _micrometres(about.get("StagePosY")), _micrometres(about.get("StagePosX"))


def _micrometres(metres: str | None) -> float | None:
    value = _number(metres)
    return None if value is None else float(f"{value * 1e6:.9g}")


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is None or math.isfinite(value) else None


def _damaged(source: LeicaElement, what: str) -> SourceError:
    return SourceError(
        f"image '{source.path}' of {source.file} cannot be read: {what}",
        "the description of an image gives its dimensions and channels",
        "export it from LAS X again",
        path=str(source.file),
    )
