"""RawImage: an image as its reader found it, in the axis order and units of the file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.acquisition import Acquisition
from napari_s1omni.core.patient_space import PatientSpace
from napari_s1omni.core.pixel_frame import PixelFrame
from napari_s1omni.errors import SourceError


class Pixels(Protocol):
    """An array that is read by slices, one per dimension, and never as a whole.

    Where its attribute ``fresh`` is true, nothing else holds what it returns, so that no copy of it is made.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Size per dimension."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Pixel type, in any byte order."""

    def __getitem__(self, index: tuple[slice, ...], /) -> NDArray[Any]:
        """Return the pixels inside slices of step 1."""


def level_factor(fine: Pixels, coarse: Pixels) -> float | None:
    """Return how many pixels of one level a pixel of a coarser one stands for along y and x, where they know it.

    A level may end before the image does, so that the factor does not follow from the sizes.
    """
    known, factor = getattr(fine, "factor", None), getattr(coarse, "factor", None)
    return factor / known if known and factor else None


@dataclass(frozen=True, slots=True)
class ZarrArrayPixels(ABC):
    """:class:`Pixels` of a zarr array; a failed read becomes a :class:`SourceError` that names the file."""

    array: Any
    """zarr array, read by slices."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    """Smallest piece that can be decoded on its own."""
    fresh: ClassVar[bool] = True

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        try:
            return np.asarray(self.array[index])
        except Exception as error:
            raise self.read_error(index, error) from error

    @abstractmethod
    def read_error(self, index: tuple[slice, ...], error: Exception) -> SourceError:
        """Return the error to raise after `error` when reading `index`."""


@dataclass(frozen=True, slots=True)
class RawImage:
    """One array and its metadata. Mappings are by axis letter; sequences are in stored order."""

    pixels: Pixels
    """The array at the chosen level."""
    axes: str | None
    """One letter per dimension: ``t c z y x``, ``s`` for colour samples, others if unknown; None without axes."""
    chunks: tuple[int, ...]
    """Size of a chunk in pixels, per dimension."""
    scale: Mapping[str, float] = field(default_factory=dict)
    """Pixel size per axis, where the file gives it."""
    translate: Mapping[str, float] = field(default_factory=dict)
    """World position of the centre of the first pixel per axis, where the file gives it."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Unit per axis as spelled in the file, where it gives one."""
    channel_names: tuple[str, ...] = ()
    """Names along c, or empty."""
    kind: Literal["image", "labels"] = "image"
    """Whether values are intensities or object ids."""
    coarser: tuple[Pixels, ...] = ()
    """The pyramid levels below the chosen one, finest first."""
    notes: tuple[str, ...] = ()
    """What was adjusted or looks wrong, one sentence each."""
    uri: str | None = None
    """Path or URI from which any process can open it again; None for an array in memory."""
    otherwise: RawImage | None = None
    """An image of indexed colours read the other way: the numbers behind its colours, or its colours."""
    axis_names: tuple[str, ...] = ()
    """The name of each dimension, for messages, where it is more than the letter in `axes`."""
    frame: PixelFrame | None = None
    """Where the pixels lie in the full resolution of the image; None for full resolution itself."""
    acquisition: Acquisition = field(default_factory=Acquisition)
    """What the file says about microscope and time."""
    patient: PatientSpace | None = None
    """Where x, y and z lie in the patient, if the file says so."""

    def read_as(self, dimensions: int | None, *, labels: bool) -> RawImage:
        """Return the reading of a palette that has so many dimensions, or the numbers if they are labels."""
        other = self.otherwise
        if other is None:
            return self
        own, others = len(self.pixels.shape), len(other.pixels.shape)
        fits = dimensions == others != own if dimensions else labels and others < own
        return other if fits else self
