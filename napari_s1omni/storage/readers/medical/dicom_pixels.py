"""The pixels of a DICOM image, decoded frame by frame."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.storage.readers.medical.dicom_frames import Frame
from napari_s1omni.storage.readers.medical.dicom_series import Series
from napari_s1omni.storage.readers.medical.dicom_values import Values

_KEPT_BYTES = 64 * 2**20
"""Decoded frames that are kept for the next window, in bytes; at least one frame is."""


@dataclass(frozen=True, slots=True)
class SeriesPixels:
    """Values of a series along t, c, z (those that it has), y, x and colour samples."""

    series: Series = field(repr=False)
    values: Values
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    """A frame is the smallest piece that can be decoded on its own."""
    _kept: OrderedDict[tuple[int, ...], NDArray[Any]] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of(cls, series: Series, values: Values) -> SeriesPixels:
        """Return the pixels of a series whose values are to be read so."""
        frame = series.first.instance.shape
        frame = (*frame[:2], 3) if values.table == "palette" else frame
        stacked = tuple(n for n in series.counts if n > 1)
        return cls(series, values, (*stacked, *frame), values.dtype, (*(1 for _ in stacked), *frame))

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        letters = self.series.letters
        stacked, inside = index[: len(letters)], index[len(letters) :]
        ranges = [range(*part.indices(n)) for part, n in zip(stacked, self.shape, strict=False)]
        sizes = [len(range(*part.indices(n))) for part, n in zip(index, self.shape, strict=True)]
        found = np.empty(sizes, self.dtype)
        for at in product(*(range(len(r)) for r in ranges)):
            place = dict(zip(letters, (r[k] for r, k in zip(ranges, at, strict=True)), strict=True))
            found[at] = self._frame(place.get("t", 0), place.get("c", 0), place.get("z", 0))[inside]
        return found

    def _frame(self, t: int, c: int, z: int) -> NDArray[Any]:
        key = (t, c, z)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        frame: Frame = self.series.planes[t][c][z]
        decoded = self.values.apply(frame.instance.decode(frame.index), frame)
        with self._lock:
            self._kept[key] = decoded
            while len(self._kept) > 1 and len(self._kept) * decoded.nbytes > _KEPT_BYTES:
                self._kept.popitem(last=False)
        return decoded
