"""An array that reads its pixels when it is indexed, for viewers that slice arrays."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class LazyArray(ABC):
    """Base of arrays that read on demand; supports integers, slices and an ellipsis.

    Parameters
    ----------
    shape : sequence of int
    dtype : numpy.dtype
    """

    def __init__(self, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype
        self.ndim = len(self.shape)

    @abstractmethod
    def read(self, ranges: Sequence[range]) -> NDArray[Any]:
        """Read the given indices along each axis, none of them empty; the result has every axis."""

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read the selected pixels."""
        keys = _complete(key, self.ndim)
        ranges = [_indices(k, n) for k, n in zip(keys, self.shape, strict=True)]
        pixels = self.read(ranges) if all(ranges) else np.zeros([len(r) for r in ranges], self.dtype)
        selected: NDArray[Any] = pixels[tuple(slice(None) if isinstance(k, slice) else 0 for k in keys)]
        return selected

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[...], dtype)


def bounds(indices: range) -> slice:
    """Return the slice, without a step, from the smallest to the largest of some indices."""
    return slice(min(indices[0], indices[-1]), max(indices[0], indices[-1]) + 1)


def _complete(key: Any, ndim: int) -> list[Any]:
    """Return one key per axis."""
    keys = list(key) if isinstance(key, tuple) else [key]
    at = keys.index(Ellipsis) if Ellipsis in keys else len(keys)
    keys[at : at + 1] = [slice(None)] * (ndim - len(keys) + (at < len(keys)))
    return keys


def _indices(key: Any, n: int) -> range:
    if isinstance(key, slice):
        return range(n)[key]
    at = range(n)[int(key)]
    return range(at, at + 1)
