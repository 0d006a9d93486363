"""An image with what is known of its noise and blur."""

from __future__ import annotations

from typing import NamedTuple

from napari_s1omni.training.data.resampling import Image


class Appearance(NamedTuple):
    """An image (C, H, W) with its noise and blur, as far as they are known."""

    image: Image
    noise: float | None
    """Standard deviation of the noise in model range."""
    blur: float | None
    """Sigma of the blur in pixels."""
    inverted: bool = False
    """Whether bright and dark were exchanged."""
