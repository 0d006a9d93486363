"""ImageDescription: what a reader found out about one image of a file, as header and as RawImage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from napari_s1omni.core.acquisition import Acquisition, Channel
from napari_s1omni.core.units import unit_name
from napari_s1omni.storage.readers.file_format import ImageHeader
from napari_s1omni.storage.readers.raw_image import Pixels, RawImage
from napari_s1omni.storage.readers.tiff_metadata.stored_sizes import StoredSizes


@dataclass(frozen=True, slots=True)
class ImageDescription:
    """One image of a file of a microscope."""

    name: str
    axes: str
    """Letters in the order of the file, as in :class:`ImageHeader`."""
    shape: tuple[int, ...]
    dtype: str
    sizes: StoredSizes
    acquisition: Acquisition = field(default_factory=Acquisition)
    levels: int = 1
    notes: tuple[str, ...] = ()
    channels: tuple[Channel, ...] = field(default=())
    """The channels, or the bands of a wavelength axis."""

    def header(self) -> ImageHeader:
        """Return it as it is listed."""
        scale, units = self.sizes.scale, self.sizes.units
        return ImageHeader(
            self.name,
            self.axes,
            self.shape,
            self.dtype,
            tuple(scale.get(a) for a in self.axes),
            tuple(unit_name(units.get(a)) if a in scale else None for a in self.axes),
            self.channels,
            self.levels,
        )

    def image(
        self, levels: Sequence[Pixels], chunks: tuple[int, ...], uri: str, axes: str, notes: Sequence[str] = ()
    ) -> RawImage:
        """Return it with its pixels.

        Parameters
        ----------
        levels : sequence of Pixels
            Full resolution first.
        chunks : tuple of int
            Smallest piece that is read alone, in pixels per dimension.
        uri : str
        axes : str
            Letters of the dimensions of `levels`, of ``t c z y x s``.
        notes : sequence of str
            More notes.
        """
        names = tuple(channel.name for channel in self.channels) if "c" in axes else ()
        return RawImage(
            levels[0],
            axes,
            chunks,
            scale={a: s for a, s in self.sizes.scale.items() if a in axes},
            units={a: u for a, u in self.sizes.units.items() if a in axes and a in self.sizes.scale},
            channel_names=names if any(names) else (),
            coarser=tuple(levels[1:]),
            notes=(*self.notes, *self.sizes.notes, *notes),
            uri=uri,
            acquisition=self.acquisition,
        )
