"""What a module that reads a file format provides. Third parties add one by an entry point, see ``docs``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from napari_s1omni.core.acquisition import Channel
from napari_s1omni.storage.readers.raw_image import RawImage


@dataclass(frozen=True, slots=True)
class FormatInfo:
    """What is known of a format without opening a file."""

    name: str
    """Name that people use, such as ``Zeiss CZI``."""
    endings: tuple[str, ...]
    """File endings in small letters, with the dot; empty for folders."""
    library: str
    """The package that reads it, as it is called by pip."""
    licence: str
    """SPDX name of the library's licence."""
    extra: str = ""
    """Extra of this package that installs the library; empty if it is always installed."""
    tried: str = ""
    """On which files the reader was tried, for the documentation."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """One image of a file, described without reading a pixel."""

    name: str
    """Name that says where it comes from, such as ``B/3/R1``; different from all others of the file."""
    axes: str
    """Letters in the order of the file: ``t c z y x``, ``s`` colour samples, ``l`` emission and ``e`` excitation."""
    shape: tuple[int, ...]
    """Pixels per axis."""
    dtype: str
    """numpy name in native byte order."""
    scale: tuple[float | None, ...]
    """Step per axis in its unit; None where the file gives none."""
    units: tuple[str | None, ...]
    """NGFF name of the unit per axis; None where the file gives none."""
    channels: tuple[Channel, ...] = ()
    """The channels, or the bands of a wavelength axis; empty if nothing is known of them."""
    levels: int = 1
    """Number of pyramid levels, with full resolution."""
    main: bool = True
    """False for a label, an overview or a thumbnail beside the images of a slide."""

    @property
    def sizes(self) -> str:
        """Its axes of more than 1 px with their sizes: ``c 2, y 512, x 512``."""
        named = zip(self.axes, self.shape, strict=True)
        return ", ".join(f"{axis} {n:,}" for axis, n in named if n > 1 and axis != "s")

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "name": self.name,
            "axes": self.axes,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "scale": list(self.scale),
            "units": list(self.units),
            "channels": [{"name": channel.name, **channel.to_json()} for channel in self.channels],
            "levels": self.levels,
            **({} if self.main else {"main": False}),
        }


class FileFormat(Protocol):
    """A module, or an object like one, that reads the files of a format. Its library is imported when it reads."""

    def describe(self) -> FormatInfo:
        """Describe the format without importing its library."""

    def list_images(self, path: Path) -> Sequence[ImageHeader]:
        """List the images of a file or folder without reading a pixel.

        Raises
        ------
        SourceError
            If the file is damaged, or is of another format.
        """

    def read_image(self, path: Path, number: int) -> RawImage:
        """Return one image as a lazy array; `number` counts from 0 in the order of :meth:`list_images`.

        The pixels read what a box holds and no more, can be read from several threads, and close the file when they
        are deleted. A failed read raises a SourceError that names the file and the damaged part.
        """
