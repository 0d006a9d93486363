"""ConvertedPixels: pixels whose stored numbers stand for other values, converted box by box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.storage.readers.raw_image import Pixels


@dataclass(frozen=True, slots=True)
class ConvertedPixels:
    """:class:`Pixels` computed from others."""

    stored: Pixels
    """The pixels of the file."""
    convert: Callable[[NDArray[Any]], NDArray[Any]]
    """Turns a stored box into values. With `samples`, the samples of a pixel are the last axis of what it returns."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    samples: int | None = None
    """Dimension of `shape` with the samples of a pixel, which are converted together. If `stored` lacks it, `convert`
    adds it; else `convert` gets all of them as the last axis. None: each number is converted alone."""
    chunks: tuple[int, ...] | None = None

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        if self.samples is None:
            return self.convert(np.asarray(self.stored[index]))
        parts = list(index)
        wanted = parts.pop(self.samples)
        if len(self.stored.shape) < len(self.shape):
            values = self.convert(np.asarray(self.stored[tuple(parts)]))
        else:
            parts.insert(self.samples, slice(0, self.stored.shape[self.samples]))
            values = self.convert(np.moveaxis(np.asarray(self.stored[tuple(parts)]), self.samples, -1))
        return np.moveaxis(values[..., wanted], -1, self.samples)


@dataclass(frozen=True, slots=True)
class MovedPixels:
    """:class:`Pixels` with one dimension moved to another place, such as channels that are stored last."""

    stored: Pixels
    source: int
    """The dimension in `stored`."""
    target: int
    """Where it is read."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size per dimension, as read."""
        return _moved(tuple(self.stored.shape), self.source, self.target)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type."""
        return self.stored.dtype

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Chunk size, as read; None if the stored pixels have no chunks."""
        chunks = getattr(self.stored, "chunks", None)
        return _moved(tuple(chunks), self.source, self.target) if chunks else None

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        stored = _moved(tuple(index), self.target, self.source)
        return np.moveaxis(np.asarray(self.stored[stored]), self.source, self.target)


def convert_each(
    stored: Pixels, convert: Callable[[NDArray[Any]], NDArray[Any]], dtype: np.dtype[Any] | None = None
) -> ConvertedPixels:
    """Return pixels in which each number is converted alone."""
    chunks = getattr(stored, "chunks", None)
    return ConvertedPixels(stored, convert, tuple(stored.shape), dtype or stored.dtype, chunks=chunks)


def convert_samples(
    stored: Pixels,
    convert: Callable[[NDArray[Any]], NDArray[Any]],
    samples: int,
    count: int,
    dtype: np.dtype[Any] | None = None,
) -> ConvertedPixels:
    """Return pixels whose samples along dimension `samples` are converted together.

    Parameters
    ----------
    stored : Pixels
    convert : callable
        As in :class:`ConvertedPixels`.
    samples : int
        Dimension of the samples; the number of dimensions of `stored` if `convert` adds them as the last one.
    count : int
        Number of samples after the conversion.
    dtype : dtype, optional
        Type after the conversion, by default that of `stored`.
    """
    shape = (*stored.shape[:samples], count, *stored.shape[samples + 1 :])
    chunks = getattr(stored, "chunks", None)
    if chunks:
        chunks = (*chunks[:samples], count, *chunks[samples + 1 :])
    return ConvertedPixels(stored, convert, shape, dtype or stored.dtype, samples, chunks)


def _moved(values: tuple[Any, ...], source: int, target: int) -> tuple[Any, ...]:
    rest = [*values[:source], *values[source + 1 :]]
    return (*rest[:target], values[source], *rest[target:])
