"""Pixels that are stored in chunks, alone or as one array per time point and channel; a failed read names its chunk."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.files.remote import read_error

_MOST_TRIED = 64
"""Chunks of a failed box that are tried alone."""


@dataclass(frozen=True, slots=True)
class StoredPixels(ABC):
    """An array in a file, read box by box."""

    where: str
    """The array and its file, for messages."""
    axes: str
    """One letter per dimension, for messages; empty if they are not known."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    """Smallest piece that can be decoded on its own."""

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        try:
            return self.read(index)
        except SourceError:
            raise
        except Exception as error:
            # h5py, tensorstore and zlib have exceptions of their own.
            raise self._read_error(index, error) from error

    @abstractmethod
    def read(self, index: tuple[slice, ...]) -> NDArray[Any]:
        """Return the pixels inside slices of step 1; raise what the library raises."""

    def _read_error(self, index: tuple[slice, ...], error: Exception) -> SourceError:
        """Find the first chunk of the box that fails on its own, and name its pixels."""
        starts = [range(part.start - part.start % n, part.stop, n) for part, n in zip(index, self.chunks, strict=True)]
        for place in itertools.islice(itertools.product(*starts), _MOST_TRIED):
            box = tuple(
                slice(max(part.start, at), min(part.stop, at + n))
                for part, at, n in zip(index, place, self.chunks, strict=True)
            )
            try:
                self.read(box)
            except Exception as found:
                return read_error(f"the chunk {self._shown(box)} of {self.where}", found)
        return read_error(f"the box {self._shown(index)} of {self.where}", error)

    def _shown(self, box: tuple[slice, ...]) -> str:
        names = self.axes if len(self.axes) == len(box) else [str(i) for i in range(len(box))]
        return ", ".join(f"{name} {part.start}:{part.stop}" for name, part in zip(names, box, strict=True))


@dataclass(frozen=True, slots=True)
class StackedPixels(StoredPixels):
    """Volumes (z, y, x) of time points and channels that are stored one by one."""

    part: Callable[[int, int], Any]
    """Returns the array of a time point and a channel by their numbers; None if it was never written."""
    fresh: ClassVar[bool] = True

    def read(self, index: tuple[slice, ...]) -> NDArray[Any]:
        """Read the box of each volume; one that was never written is 0."""
        *outer, z, y, x = index
        times, channels = self._range(outer, "t"), self._range(outer, "c")
        box = (z, y, x)
        lengths = tuple(part.stop - part.start for part in index)
        if len(times) == len(channels) == 1:
            return self._volume(times[0], channels[0], box).reshape(lengths)
        found = np.empty((len(times), len(channels), *lengths[-3:]), self.dtype)
        for i, time in enumerate(times):
            for k, channel in enumerate(channels):
                found[i, k] = self._volume(time, channel, box)
        return found.reshape(lengths)

    def _range(self, outer: Sequence[slice], axis: str) -> range:
        part = outer[self.axes.index(axis)] if axis in self.axes else slice(0, 1)
        return range(part.start, part.stop)

    def _volume(self, time: int, channel: int, box: tuple[slice, ...]) -> NDArray[Any]:
        stored = self.part(time, channel)
        if stored is None:
            return np.zeros([part.stop - part.start for part in box], self.dtype)
        found = np.asarray(stored[box])
        if found.dtype.kind == "i" and self.dtype.kind == "u":
            # BigDataViewer stores unsigned pixels under a signed type.
            return found.view(unsigned(found.dtype))
        return found


def unsigned(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the unsigned integer type of the same size and byte order; other types are returned unchanged."""
    return np.dtype(f"u{dtype.itemsize}").newbyteorder(dtype.byteorder) if dtype.kind == "i" else dtype
