"""Lessons that were kept, cut and turned anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_s1omni.training.data.resampling import Image
from napari_s1omni.training.data.samples import Rng, Sample


def apply_symmetry(sample: Sample, which: int) -> Sample:
    """Turn and mirror a sample's images: one of the eight symmetries of the square. Its words stay true."""

    def turn(image: Image) -> Image:
        out = np.rot90(image, which % 4, (1, 2))
        return np.ascontiguousarray(out[:, :, ::-1] if which >= 4 else out)

    return replace(sample, source=turn(sample.source), target=turn(sample.target), base=turn(sample.base))


def random_crop(sample: Sample, edge: int, rng: Rng) -> Sample:
    """Cut a random square of `edge` px of the result, and what it was made from; its words stay those of the whole."""
    whole = sample.target.shape[-1]
    if whole == edge:
        return sample
    factor = whole // sample.source.shape[-1]
    y, x = (int(v) * factor for v in rng.integers(0, (whole - edge) // factor + 1, 2))

    def cut(image: Image, by: int) -> Image:
        return image[:, y // by : (y + edge) // by, x // by : (x + edge) // by]

    return replace(sample, source=cut(sample.source, factor), target=cut(sample.target, 1), base=cut(sample.base, 1))
