"""How fast windows of 512 x 512 pixels are read, and from how many bytes, against the library of the format alone."""

from __future__ import annotations

import functools
import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.benchmarks.reading.quiet import quiet
from napari_s1omni.benchmarks.reading.references.registry import windows_of
from napari_s1omni.core.paths import join_reference, split_reference
from napari_s1omni.errors import S1OmniError
from napari_s1omni.storage.listing.image_headers import image_names
from napari_s1omni.storage.readers.formats import format_of
from napari_s1omni.storage.source import Source, open_source
from napari_s1omni.system.disk_reads import bytes_read, forget_cached

EDGE = 512
"""Edge of a window in pixels."""
_WINDOWS = 40
_PASSES = 5
"""Times that all windows are read; the fastest pass counts."""

Box = Mapping[str, slice]
"""Part of a plane by axis; along t, c and z it has one pixel."""
Window = Callable[[Box], NDArray[Any]]
"""Reads a box of an open file."""


@dataclass(frozen=True, slots=True)
class WindowTimes:
    """What reading the same windows takes."""

    path: str
    """File, and the image in it."""
    format: str
    windows: int
    ours: float
    """Seconds for all windows."""
    library: float
    """Seconds of the format's own library, with the file open."""
    bytes_ours: int
    """Bytes that came from the disk for them, the file being in no cache; 0 where the system does not count them."""
    bytes_library: int

    @property
    def speed(self) -> float:
        """Speed relative to the library; above 1 is faster."""
        return self.library / self.ours

    @property
    def bytes_ratio(self) -> float:
        """Bytes relative to the library; nan where they are not counted, or all came from a cache."""
        return self.bytes_ours / self.bytes_library if self.bytes_ours and self.bytes_library else math.nan


def measure_windows(folder: Path, seed: int = 0) -> Iterator[WindowTimes]:
    """Yield the times of each image below a folder whose format has a library that reads windows.

    Parameters
    ----------
    folder : Path
    seed : int
        The same seed reads the same windows.
    """
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and format_of(p) is not None):
        try:
            names = image_names(str(path)) or ()
        except S1OmniError:
            continue
        for name in names:
            where = Path(join_reference(str(path), name if len(names) > 1 else None))
            library = windows_of(where)
            if library is not None:
                yield _times(where, library, seed)


def _times(where: Path, open_library: Callable[[], Window], seed: int) -> WindowTimes:
    file, _ = split_reference(str(where))
    with quiet():
        boxes = _boxes(open_source(where), seed)
        openers: tuple[Callable[[], Window], ...] = (functools.partial(_ours, where), open_library)
        ours, library = _seconds([opened() for opened in openers], boxes)
        taken = [_bytes_of(file, opened, boxes) for opened in openers]
    kind = format_of(file)
    name = kind.describe().name if kind else ""
    return WindowTimes(str(where), name, len(boxes), ours, library, taken[0], taken[1])


def _ours(where: Path) -> Window:
    source = open_source(where)
    return lambda box: source.read([box[a] for a in source.spec.axes])


def _seconds(readers: Sequence[Window], boxes: Sequence[Box]) -> list[float]:
    """Return the seconds that each takes for all boxes, in its fastest pass."""
    ours, library = (np.asarray(read(boxes[0])) for read in readers)
    if not np.array_equal(np.sort(ours, axis=None), np.sort(library, axis=None)):
        raise ValueError("a window has other pixels than the library of the format reads")
    seconds = [math.inf] * len(readers)
    for _ in range(_PASSES):
        # Taking turns, so that both meet the same business of the machine.
        for i, read in enumerate(readers):
            begin = time.perf_counter()
            for box in boxes:
                read(box)
            seconds[i] = min(seconds[i], time.perf_counter() - begin)
    return seconds


def _boxes(source: Source, seed: int) -> list[Box]:
    """Return boxes of one plane each, the same for both readers."""
    random = np.random.default_rng(seed)
    found: list[Box] = []
    for _ in range(_WINDOWS):
        box: dict[str, slice] = {}
        for axis, n in zip(source.spec.axes, source.spec.shape, strict=True):
            if axis == "c" and source.spec.rgb:
                box[axis] = slice(0, n)
                continue
            size = min(EDGE, n) if axis in "yx" else 1
            start = int(random.integers(0, n - size + 1))
            box[axis] = slice(start, start + size)
        found.append(box)
    return found


def _bytes_of(file: str, opened: Callable[[], Window], boxes: Sequence[Box]) -> int:
    """Return how many bytes come from the disk for the boxes of a file that was in no cache."""
    # Pages that are still mapped stay in the cache.
    gc.collect()
    if not forget_cached(file):
        return 0
    read = opened()
    before = bytes_read()
    for box in boxes:
        read(box)
    return bytes_read() - before
