"""Read BigDataViewer and BigStitcher: HDF5 or N5 with an XML beside it that says what the views are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_s1omni.core.acquisition import Acquisition, Channel
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.array import default_chunks
from napari_s1omni.storage.readers.file_format import FormatInfo, ImageHeader
from napari_s1omni.storage.readers.raw_image import RawImage
from napari_s1omni.storage.readers.volumes.headers import make_header
from napari_s1omni.storage.readers.volumes.stored_pixels import StackedPixels, unsigned
from napari_s1omni.storage.readers.volumes.views.spim_data import Setup, SpimData, place_of, read_spim_data
from napari_s1omni.storage.readers.volumes.views.view_stores import Hdf5Views, ViewStore, is_view_layout, open_views

_CHANNEL = "channel"
_SHOWN = 5
_MOST_LOOKED_FOR = 5000
"""Views that are looked for when an image is opened; those of a longer recording are found when they are read."""


def describe() -> FormatInfo:
    """Describe the format. Its HDF5 ends in .h5, and its XML is known by its content."""
    return FormatInfo(
        "BigDataViewer", (), "h5py", "BSD-3-Clause", "volumes", "files with the layout that its authors document"
    )


def is_layout(file: Any) -> bool:
    """Whether an open HDF5 file has the groups of BigDataViewer."""
    return is_view_layout(file)


def list_images(path: Path) -> Sequence[ImageHeader]:
    """List the views; the channels and time points of a tile at an angle are one image."""
    data, store, notes = _open(path)
    groups = _groups(data)
    headers = []
    for name, group in zip(_names(groups), groups, strict=True):
        raw = _read(data, store, group, path, notes)
        pixels, levels = raw.pixels, 1 + len(raw.coarser)
        channels = raw.acquisition.channels
        headers.append(make_header(name, pixels.shape, pixels.dtype, raw.axes, raw.scale, raw.units, channels, levels))
    return headers


def read_image(path: Path, number: int) -> RawImage:
    """Return the channels and time points of a tile at an angle."""
    data, store, notes = _open(path)
    return _read(data, store, _groups(data)[number], path, notes)


def _open(path: Path) -> tuple[SpimData, ViewStore, tuple[str, ...]]:
    """Open a pair of XML and pixels by either of the two; HDF5 without an XML is read too."""
    if path.suffix.lower() == ".xml":
        data = read_spim_data(path)
        return data, open_views(data, path), ()
    store = Hdf5Views(path)
    beside = next((p for p in (path.with_suffix(".xml"), path.with_suffix(".XML")) if p.is_file()), None)
    if beside is not None:
        return read_spim_data(beside), store, ()
    note = f"no {path.stem}.xml lies beside {path.name}; voxel size, channels and positions of its views are lost"
    return store.described(path), store, (note,)


def _groups(data: SpimData) -> list[list[Setup]]:
    """Return the setups that are one image: alike but for their channel, each channel once."""
    found: dict[Any, list[Setup]] = {}
    for setup in data.setups:
        others = tuple(sorted((key, value[0]) for key, value in setup.attributes.items() if key != _CHANNEL))
        channel = setup.attributes.get(_CHANNEL)
        alike = (others, setup.size, setup.voxel)
        taken = [one.attributes.get(_CHANNEL) for one in found.get(alike, ())]
        key: Any = alike if channel is not None and channel not in taken else (alike, setup.number)
        found.setdefault(key, []).append(setup)
    return [sorted(group, key=lambda setup: setup.attributes.get(_CHANNEL, (0, ""))[0]) for group in found.values()]


def _names(groups: Sequence[Sequence[Setup]]) -> list[str]:
    """Name each image by the attributes that differ, such as ``tile 1, angle 90``, else by its setup."""
    values = [
        {key: name or str(number) for key, (number, name) in group[0].attributes.items() if key != _CHANNEL}
        for group in groups
    ]
    keys = list(dict.fromkeys(key for one in values for key in one))
    varying = [key for key in keys if len({one.get(key) for one in values}) > 1]
    names = [
        ", ".join(f"{key} {one[key]}" for key in varying if key in one) or group[0].name or f"setup {group[0].number}"
        for one, group in zip(values, groups, strict=True)
    ]
    counts = Counter(names)
    return [n if counts[n] == 1 else f"{n} (setup {g[0].number})" for n, g in zip(names, groups, strict=True)]


def _read(data: SpimData, store: ViewStore, group: list[Setup], path: Path, said: tuple[str, ...]) -> RawImage:
    first = group[0]
    notes = list(said)
    start = next((t for t in data.times if store.holds(t, first.number)), None)
    if start is None:
        raise SourceError(f"{path} stores no pixels of setup {first.number}", remedy="copy the file again")
    levels = [_level(data, store, group, start, n, path) for n in range(store.level_count(first.number))]
    finest, *coarser = [level for level in levels if level is not None]
    if finest.dtype != np.dtype(store.part(start, first.number, 0).dtype):
        notes.append(f"pixels are stored as signed and read as {finest.dtype.name}, as BigDataViewer means them")
    notes += _absent(data, store, group)
    own = data.transforms.get((start, first.number))
    translate = place_of(own, first.voxel, notes)
    others = [data.transforms.get((time, setup.number)) for time in data.times for setup in group]
    if own is not None and any(one is not None and not np.allclose(one, own) for one in others):
        notes.append("the registration differs between channels or time points; that of the first view is used")
    names = tuple(setup.attributes.get(_CHANNEL, (0, ""))[1] or setup.name for setup in group)
    scale = dict(zip("zyx", first.voxel, strict=True)) if len(first.voxel) == 3 else {}
    return RawImage(
        pixels=finest,
        axes=finest.axes,
        chunks=finest.chunks,
        scale=scale,
        translate=translate,
        units=dict.fromkeys(scale, first.unit) if first.unit else {},
        channel_names=names if len(group) > 1 and any(names) else (),
        coarser=tuple(coarser),
        notes=tuple(notes),
        acquisition=Acquisition(channels=tuple(Channel(name) for name in names)),
    )


def _level(
    data: SpimData, store: ViewStore, group: list[Setup], start: int, level: int, path: Path
) -> StackedPixels | None:
    """Return one level of an image; None if it is not stored."""
    stored = store.part(start, group[0].number, level)
    if stored is None:
        return None
    size = tuple(int(n) for n in stored.shape)
    outer = [(a, n) for a, n in (("t", len(data.times)), ("c", len(group))) if n > 1]
    axes = "".join(a for a, _ in outer) + "zyx"
    chunks = getattr(stored, "chunks", None) or default_chunks(size, "zyx")

    def part(time: int, channel: int) -> Any:
        return store.part(data.times[time], group[channel].number, level)

    return StackedPixels(
        f"level {level} of setup {group[0].number} in {path}",
        axes,
        (*(n for _, n in outer), *size),
        unsigned(np.dtype(stored.dtype)),
        (*(1 for _ in outer), *(min(n, m) for n, m in zip(chunks, size, strict=True))),
        part,
    )


def _absent(data: SpimData, store: ViewStore, group: list[Setup]) -> list[str]:
    """Return a note on views that were never recorded or are not stored."""
    views = [(time, setup.number) for time in data.times for setup in group]
    if len(views) > _MOST_LOOKED_FOR:
        return []
    absent = [view for view in views if view in data.missing or not store.holds(*view)]
    if not absent:
        return []
    shown = "; ".join(f"time point {time}, setup {number}" for time, number in absent[:_SHOWN])
    return [f"{len(absent)} of {len(views)} views were never recorded and read as 0: {shown}"]
