"""Augmentation of stored samples: random crops and symmetries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_s1omni.training.data.resampling import Image
from napari_s1omni.training.data.samples import Sample


def apply_symmetry(sample: Sample, which: int) -> Sample:
    """Rotate and mirror the images of a sample by one of the eight symmetries of the square; its texts stay true."""

    def transform(image: Image) -> Image:
        out = np.rot90(image, which % 4, (1, 2))
        return np.ascontiguousarray(out[:, :, ::-1] if which >= 4 else out)

    return replace(
        sample, source=transform(sample.source), target=transform(sample.target), base=transform(sample.base)
    )


def random_crop(sample: Sample, edge: int, rng: np.random.Generator) -> Sample:
    """Crop a random square of `edge` pixels of the target, and the source of it; the texts stay those of the whole."""
    whole = sample.target.shape[-1]
    if whole == edge:
        return sample
    factor = whole // sample.source.shape[-1]
    y, x = (int(v) * factor for v in rng.integers(0, (whole - edge) // factor + 1, 2))

    def crop(image: Image, by: int) -> Image:
        return image[:, y // by : (y + edge) // by, x // by : (x + edge) // by]

    return replace(sample, source=crop(sample.source, factor), target=crop(sample.target, 1), base=crop(sample.base, 1))
