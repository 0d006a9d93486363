"""Labels and the image under them, as the measurement reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from napari_s1omni.core.pixel_frame import PixelFrame
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import Span
from napari_s1omni.operations.channels import channel_labels
from napari_s1omni.storage.source import Source


@dataclass(frozen=True, slots=True)
class MeasuredLayers:
    """Labels to measure, and the image that gives their intensities."""

    labels: Any
    """Array-like of integers in the axes of `spec`; 0 is background."""
    spec: LayerSpec
    """Axes, size, scale and units of the labels."""
    block: tuple[int, ...]
    """Size of the pieces to read, in pixels of the labels, along the axes of `spec`."""
    image: Source | None = None
    """The image, or None to measure shapes only."""
    offset: Mapping[str, int] | None = None
    """First pixel of the labels in the image, per axis; None is 0."""
    channels: Sequence[int] = ()
    """Channels of `image` to measure, each once."""
    frame: PixelFrame | None = None
    """Where the pixels of the labels lie in the source at full resolution; None: they are these pixels."""

    @property
    def channel_suffixes(self) -> list[str]:
        """Ending of the intensity columns of each channel: ``-DAPI`` or ``-0``, none twice; empty for a single one."""
        if self.image is None or len(self.channels) < 2:
            return ["" for _ in self.channels]
        labels = channel_labels(self.image.spec)
        return [f"-{labels[c]}" for c in self.channels]

    def read_intensities(self, box: Mapping[str, Span], channel: int) -> NDArray[Any]:
        """Read one channel of the image under a box of the labels.

        Parameters
        ----------
        box : mapping of axis to span
            In pixels of the labels.
        channel : int

        Returns
        -------
        array
            In the axes of the image, one pixel along every axis that the box does not name.
        """
        image, offset = self.image, self.offset or {}
        if image is None:
            raise AssertionError("channels are measured only with an image")
        spans = {a: slice(s + offset.get(a, 0), e + offset.get(a, 0)) for a, (s, e) in box.items()}
        spans["c"] = slice(channel, channel + 1)
        whole = {a: spans.get(a, slice(0, 1)) for a in image.spec.axes}
        return image.read(tuple(whole[a] for a in image.spec.axes))
