"""Open HDF5 files with errors that say what is wrong, and read their datasets box by box."""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.array import default_chunks
from napari_s1omni.storage.readers.volumes.stored_pixels import StoredPixels

_WRITTEN = ("unable to lock", "already open for write", "already open for read-only", "resource temporarily")
"""Words of HDF5 for a file that another program has open for writing."""
_EOF = re.compile(r"eof = (\d+).*stored_eof = (\d+)")


@contextlib.contextmanager
def hdf5_file(path: Path) -> Iterator[Any]:
    """Open a file for reading and close it at the end.

    Raises
    ------
    SourceError
        As :func:`open_hdf5`.
    """
    file = open_hdf5(path)
    try:
        yield file
    finally:
        file.close()


def open_hdf5(path: Path) -> Any:
    """Return an open ``h5py.File``. It closes with the last of its datasets.

    Raises
    ------
    SourceError
        If it is cut off, being written by another program, or not HDF5.
    """
    import h5py

    if find_spec("hdf5plugin") is not None:
        # Importing it registers more compressions.
        importlib.import_module("hdf5plugin")
    try:
        return h5py.File(path, "r")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _open_error(path, error) from error


def _open_error(path: Path, error: OSError) -> SourceError:
    words = str(error)
    if any(mark in words.lower() for mark in _WRITTEN):
        return SourceError(
            f"{path} is being written by another program (HDF5 lock: {words})",
            "a file is read after the program that writes it has closed it",
            "wait until it is finished; if no program writes it, repair it with h5clear -s from the HDF5 tools",
            path=str(path),
            transient=True,
        )
    if found := _EOF.search(words):
        return SourceError(
            f"{path} is cut off: it has {int(found[1]):,} of its {int(found[2]):,} bytes",
            "a file is read to its end",
            "copy it again, or wait until the copy has finished",
            path=str(path),
        )
    return SourceError(
        f"{path} cannot be read as HDF5 ({words})", "a file is as its program wrote it", "copy it again", path=str(path)
    )


@dataclass(frozen=True, slots=True)
class Hdf5Pixels(StoredPixels):
    """The pixels of a dataset, without the padding behind :attr:`shape`."""

    dataset: Any
    """h5py dataset; it keeps its file open."""
    fresh: ClassVar[bool] = True

    @classmethod
    def of(cls, dataset: Any, path: Path, axes: str = "") -> Hdf5Pixels:
        """Wrap a whole dataset."""
        check_filters(dataset, path)
        shape = tuple(int(n) for n in dataset.shape)
        chunks = dataset.chunks or default_chunks(shape, axes)
        return cls(f"'{dataset.name.lstrip('/')}' in {path}", axes, shape, np.dtype(dataset.dtype), chunks, dataset)

    def read(self, index: tuple[slice, ...]) -> NDArray[Any]:
        """Read a box."""
        return np.asarray(self.dataset[index])


def check_filters(dataset: Any, path: Path) -> None:
    """Refuse a dataset that is compressed in a way that is not installed here.

    Raises
    ------
    SourceError
        It names the compression.
    """
    import h5py

    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i) for i in range(properties.get_nfilters())]
    missing = [
        f"{number} ({name.decode(errors='replace') or 'unnamed'})"
        for number, _, _, name in filters
        if not h5py.h5z.filter_avail(number)
    ]
    if missing:
        raise SourceError(
            f"'{dataset.name.lstrip('/')}' in {path} is compressed by the HDF5 filter {', '.join(missing)}",
            "filters are those of HDF5 and of the package hdf5plugin",
            "run pip install hdf5plugin, or write the file again with gzip",
            path=str(path),
        )


def attribute(node: Any, name: str) -> Any:
    """Return an attribute as Python has it: text, number or list; None if it is missing or cannot be read."""
    try:
        value = node.attrs[name]
    except (KeyError, OSError, TypeError, ValueError):
        return None
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    return [_text(item) for item in value] if isinstance(value, list) else _text(value)


def text_attribute(node: Any, name: str) -> str:
    """Return an attribute as text, also one that is stored letter by letter, as Imaris does; empty if it is missing."""
    value = attribute(node, name)
    return "".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def _text(value: Any) -> Any:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
