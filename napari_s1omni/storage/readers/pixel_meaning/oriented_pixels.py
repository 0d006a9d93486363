"""OrientedPixels: an image turned and mirrored as its orientation tag says, box by box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.storage.readers.raw_image import Pixels

ORIENTATIONS = {
    2: "mirrored left to right",
    3: "turned by 180 degrees",
    4: "mirrored top to bottom",
    5: "mirrored along its diagonal",
    6: "turned by 90 degrees clockwise",
    7: "mirrored along its other diagonal",
    8: "turned by 90 degrees counterclockwise",
}
"""Value of the tag Orientation of TIFF and EXIF -> what is done to the stored image; 1 means nothing."""
_EXCHANGED, _ROWS_REVERSED, _COLUMNS_REVERSED = {5, 6, 7, 8}, {3, 4, 7, 8}, {2, 3, 6, 7}


@dataclass(frozen=True, slots=True)
class OrientedPixels:
    """:class:`Pixels` of an image as it is to be seen."""

    stored: Pixels
    orientation: int
    """Key of :data:`ORIENTATIONS`."""
    y: int
    """Dimension of the rows, stored and seen."""
    x: int
    """Dimension of the columns, stored and seen."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size per dimension, as seen."""
        return self._exchange(tuple(self.stored.shape))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type."""
        return self.stored.dtype

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Chunk size, as seen; None if the stored pixels have no chunks."""
        chunks = getattr(self.stored, "chunks", None)
        return self._exchange(tuple(chunks)) if chunks else None

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        parts = [slice(*part.indices(n)) for part, n in zip(index, self.shape, strict=True)]
        reversed_axes = []
        for axis, values in ((self.y, _ROWS_REVERSED), (self.x, _COLUMNS_REVERSED)):
            if self.orientation in values:
                n = self.shape[axis]
                parts[axis] = slice(n - parts[axis].stop, n - parts[axis].start)
                reversed_axes.append(axis)
        found = np.asarray(self.stored[self._exchange(tuple(parts))])
        if self.orientation in _EXCHANGED:
            found = np.swapaxes(found, self.y, self.x)
        return np.flip(found, tuple(reversed_axes))

    def _exchange(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Exchange what belongs to y and x where the orientation does."""
        if self.orientation not in _EXCHANGED:
            return values
        exchanged = list(values)
        exchanged[self.y], exchanged[self.x] = values[self.x], values[self.y]
        return tuple(exchanged)


def exchanges_axes(orientation: int) -> bool:
    """Whether rows and columns, and so their pixel sizes, change places."""
    return orientation in _EXCHANGED
