"""Frames of DICOM files as images: which belong together, and in which order along t, c and z."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from napari_s1omni.core.patient_space import PatientSpace
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.medical.dicom_frames import CHANNEL_KEYS, TIME_KEYS, Frame
from napari_s1omni.storage.readers.medical.dicom_geometry import place_along, read_geometry

_SAME_PLACE = 0.01
"""Pixels between slices that lie at the same place."""
_PICTURES = ("CR", "DX", "MG", "RG", "RF", "XA", "IO", "PX", "US", "IVUS", "XC", "ES", "OP", "GM", "SM", "DMS")
"""Modalities whose files are pictures: projections, ultrasound, photographs."""
_UNITS = {"echo": "ms", "inversion": "ms", "flip angle": "°"}


@dataclass(slots=True)
class Series:
    """One image: frames of the same size and direction."""

    name: str
    planes: list[list[list[Frame]]]
    """Frames along t, c and z."""
    channels: tuple[str, ...]
    """What each channel is; empty if there is one."""
    notes: list[str] = field(default_factory=list)
    depth: float | None = None
    """Distance of slices along their normal, in millimetres."""
    patient: PatientSpace | None = None

    @property
    def first(self) -> Frame:
        return self.planes[0][0][0]

    @property
    def counts(self) -> tuple[int, int, int]:
        """Sizes along t, c and z."""
        return len(self.planes), len(self.planes[0]), len(self.planes[0][0])

    @property
    def letters(self) -> str:
        """The axes of the planes that are longer than 1, of t, c and z."""
        return "".join(a for a, n in zip("tcz", self.counts, strict=True) if n > 1)


def group_frames(frames: Sequence[Frame]) -> list[Series]:
    """Sort frames into images, in the order of their series numbers."""
    groups: dict[Hashable, list[Frame]] = defaultdict(list)
    for frame in frames:
        groups[_group(frame)].append(frame)
    found = [image for group in groups.values() for image in _images(group)]
    found.sort(key=lambda image: (image.first.instance.number("SeriesNumber") or 0.0, image.first.order))
    _name(found)
    return found


def _group(frame: Frame) -> Hashable:
    """Return what all frames of one image have in common."""
    instance = frame.instance
    # A file with several frames is an image of its own.
    file = instance.text("SOPInstanceUID") or str(instance.path) if instance.frames > 1 else ""
    series = instance.text("SeriesInstanceUID") or str(instance.path)
    turned = frame.orientation and tuple(round(n, 3) + 0.0 for n in frame.orientation)
    spacing = frame.spacing and tuple(round(n, 5) for n in frame.spacing)
    return series, file, instance.shape, turned, spacing


def _images(frames: list[Frame]) -> list[Series]:
    """Order the frames of one group; where channels lie at different places, each is an image."""
    notes: list[str] = []
    frames = _without_copies(frames, notes)
    if any(frame.position is None for frame in frames) or frames[0].orientation is None:
        if _are_pictures(frames):
            return [Series("", [[[frame]]], (), list(notes)) for frame in sorted(frames, key=lambda frame: frame.order)]
        return [_unplaced(frames, notes)]
    near = _SAME_PLACE * (min(frames[0].spacing) if frames[0].spacing else 1.0)
    ordered = sorted(frames, key=lambda frame: (place_along(frame), frame.order))
    places: list[list[Frame]] = []
    for frame in ordered:
        if places and place_along(frame) - place_along(places[-1][0]) <= near:
            places[-1].append(frame)
        else:
            places.append([frame])
    what, channel_of = _channels(places)
    split = [_by(place, channel_of) for place in places]
    keys = list(dict.fromkeys(key for place in split for key in place))
    keys.sort(key=_sortable)
    if any(set(place) != set(keys) for place in split):
        # Channels of different places: each is an image.
        found = []
        for key in keys:
            image = _stacked([[place[key]] for place in split if key in place], (), list(notes))
            image.name = _channel_name(what, key)
            found.append(image)
        return found
    names = tuple(_channel_name(what, key) for key in keys) if len(keys) > 1 else ()
    return [_stacked([[place[key] for key in keys] for place in split], names, notes)]


def _stacked(places: Sequence[Sequence[list[Frame]]], channels: tuple[str, ...], notes: list[str]) -> Series:
    """Return an image of frames by place and channel, several of one being time points."""
    counts = Counter(len(frames) for place in places for frames in place)
    most = max(counts.values())
    times = min(count for count, often in counts.items() if often == most)
    if len(counts) > 1:
        times = min(counts) if times > 1 else 1
        extra = sum(max(0, len(frames) - times) for place in places for frames in place)
        if times > 1:
            notes.append(f"time points after {times} lack slices and are left out ({extra} slices)")
        else:
            notes.append(f"{extra} duplicated slices lie where another does; the first of each is read")
    chosen = [[_in_time(frames, times, notes) for frames in place] for place in places]
    planes = [[[place[c][t] for place in chosen] for c in range(len(places[0]))] for t in range(times)]
    depth, patient = read_geometry(planes[0][0], notes)
    return Series("", planes, channels, list(dict.fromkeys(notes)), depth, patient)


def _are_pictures(frames: Sequence[Frame]) -> bool:
    """Whether files of one series are pictures of their own, such as two views of a chest, and no slices."""
    instance = frames[0].instance
    return instance.frames == 1 and instance.text("Modality") in _PICTURES


def _unplaced(frames: list[Frame], notes: list[str]) -> Series:
    """Return an image of frames that do not say where they lie."""
    instance = frames[0].instance
    header = instance.header
    if len(frames) == 1:
        return Series("", [[frames]], (), notes)
    if instance.frames > 1:
        timed = any(header.get(k) is not None for k in ("FrameTime", "FrameTimeVector", "CineRate"))
        timed = timed or header.get("RecommendedDisplayFrameRate") is not None
        if timed:
            return Series("", [[[frame]] for frame in frames], (), notes)
        notes.append("nothing says where the frames lie; they are taken as axis z in the order of the file")
        return Series("", [[frames]], (), notes, frames[0].depth)
    by: Callable[[Frame], tuple[Any, ...]] = lambda frame: frame.order  # noqa: E731
    said = "in the order of their instance numbers"
    if all(frame.instance.number("SliceLocation") is not None for frame in frames):
        by, said = lambda frame: (frame.instance.number("SliceLocation"), frame.order), "by their slice location"
    elif any(frame.instance.number("InstanceNumber") is None for frame in frames):
        said = "in the order of the file names"
    lacking = sum(frame.position is None for frame in frames)
    notes.append(
        f"{lacking} of the {len(frames)} slices do not say where they lie in the patient; all are read as axis z {said}"
    )
    depth = frames[0].depth
    if depth is not None:
        notes.append(f"the distance of the slices, {depth:g} mm, is what the header calls so, not measured")
    return Series("", [[sorted(frames, key=by)]], (), notes, depth)


def _without_copies(frames: list[Frame], notes: list[str]) -> list[Frame]:
    """Leave out files that hold the same instance as another."""
    seen: dict[Hashable, Frame] = {}
    for frame in frames:
        uid = frame.instance.text("SOPInstanceUID") or str(frame.instance.path)
        seen.setdefault((uid, frame.index), frame)
    if len(seen) < len(frames):
        copies = len(frames) - len(seen)
        notes.append(f"{copies} of the {len(frames)} slices are copies of others (duplicated files); each is read once")
    return list(seen.values())


def _channels(places: Sequence[Sequence[Frame]]) -> tuple[list[str], Callable[[Frame], tuple[Any, ...]]]:
    """Find what differs between the frames of one place other than their time."""
    found: list[tuple[str, str]] = []
    for what, keywords in CHANNEL_KEYS.items():
        for keyword in keywords:
            sets = [{str(frame.values.get(keyword)) for frame in place} for place in places]
            if any(len(values) > 1 for values in sets):
                found.append((what, keyword))
                break
    return [what for what, _ in found], lambda frame: tuple(frame.values.get(keyword) for _, keyword in found)


def _by(frames: Iterable[Frame], key: Callable[[Frame], tuple[Any, ...]]) -> dict[tuple[Any, ...], list[Frame]]:
    found: dict[tuple[Any, ...], list[Frame]] = defaultdict(list)
    for frame in frames:
        found[key(frame)].append(frame)
    return dict(found)


def _in_time(frames: list[Frame], times: int, notes: list[str]) -> list[Frame]:
    """Return so many frames of one place, sorted by the first value of time in which they differ."""
    if times == 1:
        return [min(frames, key=lambda frame: frame.order)]
    for keyword in TIME_KEYS:
        values = [frame.values.get(keyword) for frame in frames]
        if None not in values and len({str(v) for v in values}) == len(frames):
            return sorted(frames, key=lambda frame: _sortable((frame.values[keyword],)))[:times]
    notes.append("nothing says when the images of one place were acquired; they are time points by instance number")
    return sorted(frames, key=lambda frame: frame.order)[:times]


def _sortable(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return values as something that can be compared: numbers first, then words."""

    def plain(value: Any) -> tuple[int, float, str]:
        try:
            return 0, float(value), ""
        except (TypeError, ValueError):
            return 1, 0.0, str(value)

    return tuple(plain(value) for value in values)


def _channel_name(what: Sequence[str], key: Sequence[Any]) -> str:
    """Return a name such as ``echo 4.6 ms``; of a type, the words that say what kind of image it is."""
    words = []
    for name, value in zip(what, key, strict=True):
        if name == "type":
            kind = value if isinstance(value, tuple) else (value,)
            words.append("\\".join(str(v) for v in kind[2:] or kind))
        elif isinstance(value, tuple):
            words.append(f"{name} {' '.join(f'{float(v):.3g}' for v in value)}")
        elif value is not None:
            shown = f"{value:g}" if isinstance(value, float) else str(value)
            words.append(f"{name} {shown} {_UNITS.get(name, '')}".strip())
    return ", ".join(words)


def _name(images: Sequence[Series]) -> None:
    """Name images after number and description of their series, each differently; of several studies, with the date."""
    several_studies = len({image.first.instance.text("StudyInstanceUID") for image in images}) > 1
    for image in images:
        instance = image.first.instance
        described = instance.text("SeriesDescription") or instance.text("ProtocolName") or instance.text("Modality")
        study = instance.text("StudyDate") if several_studies else ""
        parts = (study, instance.text("SeriesNumber"), described or instance.path.stem, image.name)
        image.name = " ".join(part for part in parts if part).replace("::", ":")
    for _, same in groupby(sorted(images, key=lambda image: image.name), key=lambda image: image.name):
        alike = list(same)
        for number, image in enumerate(alike, 1):
            if len(alike) > 1:
                image.name = f"{image.name} ({number})"


def check_series(series: Series) -> None:
    """Refuse an image whose files cannot all be decoded.

    Raises
    ------
    SourceError
        If a file is cut off, or no installed package decodes it.
    """
    seen = {}
    for channel in (channel for time in series.planes for channel in time):
        for frame in channel:
            seen[str(frame.instance.path)] = frame.instance
    depth = {int(instance.options["bits_allocated"]) for instance in seen.values()}
    for instance in seen.values():
        instance.check()
    if len(depth) > 1:
        raise SourceError(
            f"the series '{series.name}' has slices of {' and '.join(map(str, sorted(depth)))} bits",
            "all slices of an image are of one kind",
            "export the series again",
        )
