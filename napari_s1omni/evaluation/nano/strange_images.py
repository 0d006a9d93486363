"""Images that hold no nuclei: photographs, text, textures, noise, blanks, and channels that are no colours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket", "retina", "camera", "clock", "moon", "coins", "horse")
"""Photographs that come with scikit-image, in colour and grey."""
TEXTS = ("page", "text")
TEXTURES = ("brick", "grass", "gravel")
EDGE = 512


def strange_images() -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Yield kind, name and pixels, (H, W) or (H, W, 3), of each image; always the same ones."""
    from skimage import data

    rng = np.random.default_rng(0)
    for kind, names in (("photograph", PHOTOGRAPHS), ("text", TEXTS), ("texture", TEXTURES)):
        for name in names:
            pixels = np.asarray(getattr(data, name)())
            yield kind, name, pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels
    yield "other stain", "immunohistochemistry", np.asarray(data.immunohistochemistry())
    yield "noise", "camera", rng.normal(100, 10, (EDGE, EDGE)).astype(np.float32)
    yield "noise", "photons", rng.poisson(5, (EDGE, EDGE)).astype(np.uint16)
    yield "noise", "bytes", rng.integers(0, 256, (EDGE, EDGE), np.uint8)
    yield "noise", "colours", rng.integers(0, 256, (EDGE, EDGE, 3), np.uint8)
    ramp = np.arange(EDGE, dtype=np.float32)[None].repeat(EDGE, 0)
    yield "blank", "zeros", np.zeros((EDGE, EDGE), np.uint8)
    yield "blank", "white", np.full((EDGE, EDGE, 3), 255, np.uint8)
    yield "blank", "one pixel", np.where(np.eye(EDGE, k=3)[::-1] * np.eye(EDGE)[::-1].T > 0, 9, 3).astype(np.uint8)
    yield "blank", "ramp", ramp
    yield "blank", "ramp with noise", ramp + rng.normal(0, 10, ramp.shape).astype(np.float32)
    yield "saturated", "all of it", np.full((EDGE, EDGE), 65535, np.uint16)
    yield "saturated", "nine tenths", np.minimum(rng.poisson(100, (EDGE, EDGE)), 88).astype(np.uint16)
    three = [np.asarray(getattr(data, name)())[:EDGE, :EDGE] for name in ("camera", "brick", "grass")]
    yield "no colours", "three photographs", np.stack(three, axis=-1)
    blobs = np.clip(ndi.gaussian_filter(rng.random((EDGE, EDGE)), 5) * 30 - 14.5, 0, 1)
    channels = [blobs, ndi.gaussian_filter(rng.random((EDGE, EDGE)), 2) * 4 - 1.5, rng.random((EDGE, EDGE))]
    yield (
        "no colours",
        "three stains",
        np.stack([np.rint(255 * np.clip(c, 0, 1)) for c in channels], -1).astype(np.uint8),
    )
