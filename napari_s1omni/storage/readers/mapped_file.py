"""Pixels that lie in a file as they are: views of its memory map, refused once the file became shorter."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError


@dataclass(frozen=True, slots=True)
class MappedFile:
    """An array in a file; windows are views of the map."""

    path: Path
    """File that holds it."""
    mapped: NDArray[Any]
    """View of the mapped file."""
    size: int
    """Bytes of the file when it was mapped."""

    @classmethod
    def of(cls, path: Path | str, mapped: NDArray[Any]) -> MappedFile:
        """Wrap the map of a file."""
        return cls(Path(path), mapped, os.stat(path).st_size)

    @property
    def shape(self) -> tuple[int, ...]:
        """Size per dimension."""
        return self.mapped.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type, in the byte order of the file."""
        return self.mapped.dtype

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        """Return a view of the pixels inside slices.

        Raises
        ------
        SourceError
            If the file is gone, or shorter than when it was mapped.
        """
        check_length(self.path, self.size)
        return self.mapped[index]


def check_length(path: Path, size: int) -> None:
    """Refuse a file that became shorter: reading the map behind its end would end the process.

    Raises
    ------
    SourceError
        If it has fewer than `size` bytes, or is gone.
    """
    try:
        found = os.stat(path).st_size
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read any more: {error.strerror}",
            remedy="bring it back, and run it again",
            path=str(path),
        ) from error
    if found < size:
        raise SourceError(
            f"{path} became shorter while it was read: it has {found:,} of {size:,} bytes",
            "pixels are read to the end of the file",
            "copy it again, and run it again",
            path=str(path),
        )
