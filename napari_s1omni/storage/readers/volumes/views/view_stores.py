"""Where BigDataViewer keeps the pixels of a view: HDF5 (``t00000/s00/0/cells``) or N5 (``setup0/timepoint0/s0``)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.volumes.chunk_stores.tensor_store import open_tensor, read_document
from napari_s1omni.storage.readers.volumes.hdf5_file import open_hdf5
from napari_s1omni.storage.readers.volumes.views.spim_data import Setup, SpimData

_SETUP = re.compile(r"s(\d{2,})")
_TIME = re.compile(r"t(\d{5,})")


class ViewStore(Protocol):
    """The pixels of all views."""

    def level_count(self, setup: int) -> int:
        """Return the number of levels of a setup, with full resolution."""

    def holds(self, time: int, setup: int) -> bool:
        """Whether a view is stored."""

    def part(self, time: int, setup: int, level: int) -> Any:
        """Return the array (z, y, x) of a view; None if it is not stored."""


class Hdf5Views:
    """Views in an HDF5 file, or in several that it links.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._file = open_hdf5(path)

    def level_count(self, setup: int) -> int:
        """Return the number of rows of the table of resolutions."""
        table = self._file.get(f"s{setup:02d}/resolutions")
        return 1 if table is None else max(1, len(table))

    def holds(self, time: int, setup: int) -> bool:
        """Whether there is a dataset."""
        return f"t{time:05d}/s{setup:02d}/0/cells" in self._file

    def part(self, time: int, setup: int, level: int) -> Any:
        """Return the dataset of a view."""
        return self._file.get(f"t{time:05d}/s{setup:02d}/{level}/cells")

    def described(self, path: Path) -> SpimData:
        """Return what the file says without an XML: setups and time points by number."""
        setups = sorted(int(found[1]) for name in self._file if (found := _SETUP.fullmatch(name)))
        times = sorted(int(found[1]) for name in self._file if (found := _TIME.fullmatch(name)))
        return SpimData(tuple(Setup(n, f"s{n:02d}") for n in setups), tuple(times), "bdv.hdf5", path, {}, frozenset())


class N5Views:
    """Views in a folder of N5.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: dict[Path, Any] = {}

    def level_count(self, setup: int) -> int:
        """Return the number of downsampling factors of a setup."""
        factors = (read_document(f"{self._folder}/setup{setup}", "attributes.json") or {}).get("downsamplingFactors")
        return max(1, len(factors)) if isinstance(factors, list) else 1

    def holds(self, time: int, setup: int) -> bool:
        """Whether there is a folder."""
        return self._place(time, setup, 0).is_dir()

    def part(self, time: int, setup: int, level: int) -> Any:
        """Return the array of a view, opened once."""
        place = self._place(time, setup, level)
        if place not in self._opened:
            self._opened[place] = open_tensor("n5", str(place)) if place.is_dir() else None
        return self._opened[place]

    def _place(self, time: int, setup: int, level: int) -> Path:
        return self._folder / f"setup{setup}" / f"timepoint{time}" / f"s{level}"


def is_view_layout(file: Any) -> bool:
    """Whether an open HDF5 file has the groups of BigDataViewer."""
    return any(_SETUP.fullmatch(name) and f"{name}/resolutions" in file for name in file) and any(
        _TIME.fullmatch(name) for name in file
    )


def open_views(data: SpimData, xml: Path) -> ViewStore:
    """Open the pixels that an XML names.

    Raises
    ------
    SourceError
        If they are of a kind that is not read, or missing.
    """
    kinds: dict[str, Callable[[Path], ViewStore]] = {"bdv.hdf5": Hdf5Views, "bdv.n5": N5Views}
    kind = kinds.get(data.loader)
    if kind is None:
        raise SourceError(
            f"{xml} keeps its pixels as '{data.loader}'",
            "the pixels of BigDataViewer are read from HDF5 (bdv.hdf5) and N5 (bdv.n5)",
            "save it again as HDF5 or N5 in BigStitcher, or give the image files that it lists",
            path=str(xml),
        )
    # A pair of files that was renamed together still belongs together.
    beside = xml.with_suffix(data.pixels.suffix)
    place = data.pixels if data.pixels.exists() else beside
    if not place.exists():
        raise SourceError(
            f"{xml} names its pixels at {data.pixels}, where nothing is",
            "XML and pixels lie as they were saved",
            "copy both into one folder",
            path=str(xml),
        )
    return kind(place)
