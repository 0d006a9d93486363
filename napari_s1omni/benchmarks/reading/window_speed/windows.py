"""How fast windows of 512 x 512 pixels are read, and from how many bytes, against the library of the format alone."""

from __future__ import annotations

import functools
import gc
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_s1omni.benchmarks.reading.quiet import quiet
from napari_s1omni.benchmarks.reading.seen import NotComparable
from napari_s1omni.benchmarks.reading.window_speed.library_windows import Box, Window, library_windows
from napari_s1omni.benchmarks.reading.window_speed.made_files import MADE, make_file
from napari_s1omni.core.paths import join_reference, split_reference
from napari_s1omni.errors import S1OmniError
from napari_s1omni.storage.listing.image_headers import image_names
from napari_s1omni.storage.readers.formats import format_of
from napari_s1omni.storage.readers.registry import is_tiff
from napari_s1omni.storage.source import Source, open_source
from napari_s1omni.system.disk_reads import bytes_read, forget_cached

EDGE = 512
"""Edge of a window in pixels."""
SPEED = 0.8
"""Speed relative to the library that is the target."""
BYTES = 1.3
"""Bytes relative to the library that are the target."""
_WINDOWS = 20
_PASSES = 9
"""Times that all windows are read; the fastest time of each window counts."""
_NAMES = {".mha": "MetaImage", ".mhd": "MetaImage", ".nrrd": "NRRD", ".nhdr": "NRRD"}
"""Formats that one module reads in two ways."""


@dataclass(frozen=True, slots=True)
class WindowTimes:
    """What reading the same windows takes."""

    path: str
    """File, and the image in it."""
    format: str
    library: str
    windows: int
    ours: float
    """Seconds for all windows."""
    alone: float
    """Seconds of the format's own library, with the file open."""
    bytes_ours: int
    """Bytes that came from the disk for them, the file being in no cache; 0 where the system does not count them."""
    bytes_library: int

    @property
    def speed(self) -> float:
        """Speed relative to the library; above 1 is faster."""
        return self.alone / self.ours

    @property
    def bytes_ratio(self) -> float:
        """Bytes relative to the library; nan where they are not counted, or all came from a cache."""
        return self.bytes_ours / self.bytes_library if self.bytes_ours and self.bytes_library else math.nan


def measure_windows(folder: Path | None, seed: int = 0, made: Sequence[str] = MADE) -> Iterator[WindowTimes]:
    """Yield the times of each image below a folder that holds windows, then of made files of the formats it lacks.

    Parameters
    ----------
    folder : Path or None
    seed : int
        The same seed reads the same windows.
    made : sequence of str
        Formats whose files are made.
    """
    found = set()
    for path in _files(folder) if folder else ():
        try:
            names = image_names(str(path)) or (path.name,)
            for name in names:
                where = Path(join_reference(str(path), name if len(names) > 1 else None))
                if (times := _times(where, seed)) is not None:
                    found.add(times.format)
                    yield times
        except (S1OmniError, NotComparable):
            continue
    for name in made:
        if name in found:
            continue
        with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as home:
            try:
                times = _times(make_file(name, Path(home)), seed)
            except ImportError:
                # Its library is not installed, which the command says.
                continue
        if times is not None:
            yield times


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and (is_tiff(str(p)) or format_of(p) is not None))


def _times(where: Path, seed: int) -> WindowTimes | None:
    """Measure one image; None if it is smaller than a window, or its library is not known or not installed."""
    file, _ = split_reference(str(where))
    kind = format_of(file)
    name = kind.describe().name if kind else "TIFF"
    with quiet():
        source = open_source(where)
        spec = source.spec
        if min(spec.size("y"), spec.size("x")) < EDGE:
            return None
        found = library_windows(name, where, source.stored_axes)
        if found is None:
            return None
        library, open_library = found
        boxes = _boxes(source, seed)
        openers: tuple[Callable[[], Window], ...] = (functools.partial(_ours, where), open_library)
        ours, alone = _seconds([opened() for opened in openers], boxes)
        taken = [_bytes_of(file, opened, boxes) for opened in openers]
    shown = _NAMES.get(Path(file).suffix.lower(), name) + (", colours" if spec.rgb else "")
    return WindowTimes(str(where), shown, library, len(boxes), ours, alone, taken[0], taken[1])


def _ours(where: Path) -> Window:
    source = open_source(where)
    return lambda box: source.read([box[a] for a in source.spec.axes])


def _seconds(readers: Sequence[Window], boxes: Sequence[Box]) -> list[float]:
    """Return the seconds that each takes for all boxes, of each box the fastest."""
    ours, library = (np.asarray(read(boxes[0])) for read in readers)
    if not np.array_equal(np.sort(ours, axis=None), np.sort(library, axis=None)):
        raise ValueError("a window has other pixels than the library of the format reads")
    seconds = np.full((len(readers), len(boxes)), math.inf)
    for number in range(_PASSES):
        # Taking turns, so that both meet the same business of the machine.
        for i in (0, 1) if number % 2 else (1, 0):
            for k, box in enumerate(boxes):
                begin = time.perf_counter()
                readers[i](box)
                seconds[i, k] = min(seconds[i, k], time.perf_counter() - begin)
    return [float(total) for total in seconds.sum(axis=1)]


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
            size = EDGE if axis in "yx" else 1
            start = int(random.integers(0, n - size + 1))
            box[axis] = slice(start, start + size)
        found.append(box)
    return found


def _bytes_of(file: str, opened: Callable[[], Window], boxes: Sequence[Box]) -> int:
    """Return how many bytes come from the disk for the boxes of a file that was in no cache."""
    # Pages that are still mapped stay in the cache; what opening reads is not counted.
    gc.collect()
    read = opened()
    place = Path(file)
    # An XML refers to what lies beside it.
    inside = place.rglob("*") if place.is_dir() else [place, *place.parent.glob(f"{place.stem}.*")]
    forgotten = [forget_cached(str(each)) for each in inside if each.is_file()]
    if not all(forgotten):
        return 0
    before = bytes_read()
    for box in boxes:
        read(box)
    return bytes_read() - before
