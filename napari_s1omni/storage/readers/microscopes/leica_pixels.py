"""Pixels of Leica images: views of the mapped file, or frames that lie in files of their own."""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.microscopes.leica_image import LeicaImage
from napari_s1omni.storage.readers.raw_image import Pixels

_NAMES = {"l": "λ", "e": "Λ"}
"""Letter of an axis -> name in liffile, where it is no capital."""


@dataclass(frozen=True, slots=True)
class MappedPixels:
    """The pixels of an image that lie in one part of a file."""

    path: Path
    """File that holds them."""
    image: LeicaImage
    mapped: NDArray[Any]
    """A view of the mapped file, in stored order."""
    end: int
    """Bytes that the file has at least, as long as it is whole."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size per dimension."""
        return self.mapped.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type."""
        return self.mapped.dtype

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        try:
            # A file that shrank would end the process where its map is read.
            if os.stat(self.path).st_size < self.end:
                raise OSError("the file became shorter while it was read")
        except OSError as error:
            raise _unreadable(self.path, self.image, str(error)) from error
        return self.mapped[index]


def map_pixels(image: LeicaImage) -> MappedPixels:
    """Map the pixels of an image into memory; nothing of them is read yet.

    Raises
    ------
    SourceError
        If they are not in the file, or not whole.
    """
    if image.source.place is None:
        raise _unreadable(image.source.file, image, "its pixels are not in the file")
    path, at, size = image.source.place
    needed, stored = image.start + image.nbytes, path.stat().st_size
    if needed > size:
        raise _unreadable(path, image, f"it needs {needed:,} bytes of pixels, and {size:,} were written")
    if at + needed > stored:
        raise _unreadable(path, image, f"the file ends at {stored:,} bytes, inside of it or before it")
    whole = np.memmap(path, np.uint8, "r", at + image.start, (image.nbytes,))
    steps = tuple(axis.step for axis in image.axes)
    view: NDArray[Any] = np.ndarray(image.shape, image.dtype, whole, 0, steps)
    if image.samples and image.samples != (0, 1, 2):
        # Red first, whatever is stored first.
        view = view[..., ::-1] if image.samples == (2, 1, 0) else view[..., list(image.samples)]
    return MappedPixels(path, image, view, at + needed)


class FramePixels:
    """The pixels of an image whose frames are pictures in files beside it; the last frame is kept decoded."""

    def __init__(self, image: LeicaImage) -> None:
        from liffile import LifFile

        self._image = image
        file = LifFile(str(image.source.file))
        weakref.finalize(self, file.close)
        self._frames: Any = file.images[0]
        self._lock = threading.Lock()
        self._kept: tuple[tuple[int, ...] | None, NDArray[Any]] = (None, np.empty(0))
        inner = [self._letter(name) for name in self._frames.frames.frame_dims]
        if inner != list(image.letters[len(image.letters) - len(inner) :]):
            raise _unreadable(image.source.file, image, f"its frames have the axes {' '.join(inner) or 'none'}")
        self._outer = len(image.letters) - len(inner)
        self.shape = image.shape
        self.dtype = image.dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """Size of a frame."""
        return (1,) * self._outer + self.shape[self._outer :]

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        ranges = [range(*part.indices(n)) for part, n in zip(index, self.shape, strict=True)]
        found = np.empty([len(r) for r in ranges], self.dtype)
        within = index[self._outer :]
        for place in itertools.product(*(range(len(r)) for r in ranges[: self._outer])):
            at = tuple(r[i] for r, i in zip(ranges, place, strict=False))
            found[place] = self._frame(at)[within]
        return found

    def _frame(self, at: tuple[int, ...]) -> NDArray[Any]:
        letters = self._image.letters[: self._outer]
        names = {_NAMES.get(a, a.upper()): i for a, i in zip(letters, at, strict=True)}
        with self._lock:
            kept, frame = self._kept
            if kept != at:
                try:
                    frame = self._frames.frame(**names)
                except Exception as error:
                    shown = ", ".join(f"{a} {i}" for a, i in zip(letters, at, strict=True))
                    raise _unreadable(self._image.source.file, self._image, f"{shown}: {error}") from error
                self._kept = (at, frame)
        return frame

    @staticmethod
    def _letter(name: str) -> str:
        return next((a for a, other in _NAMES.items() if other == name), name.lower())


@dataclass(frozen=True, slots=True)
class MergedAxis:
    """An image two of whose dimensions are read as one: the bands of each channel."""

    stored: Pixels
    outer: int
    """The dimension that becomes both."""
    inner: int
    """The later dimension, which goes away."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size per dimension."""
        sizes = list(self.stored.shape)
        sizes[self.outer] *= sizes.pop(self.inner)
        return tuple(sizes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type."""
        return self.stored.dtype

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        n = self.stored.shape[self.inner]
        found = []
        for i in range(*index[self.outer].indices(self.shape[self.outer])):
            part = list(index)
            part[self.outer] = slice(i // n, i // n + 1)
            part.insert(self.inner, slice(i % n, i % n + 1))
            found.append(np.squeeze(self.stored[tuple(part)], self.inner))
        return np.concatenate(found, self.outer)


def _unreadable(path: Path, image: LeicaImage, what: str) -> SourceError:
    return SourceError(
        f"image '{image.name}' of {path} cannot be read: {what}",
        "pixels are read as their program wrote them, to their end",
        "copy the file again, or export the image from LAS X",
        path=str(path),
    )
