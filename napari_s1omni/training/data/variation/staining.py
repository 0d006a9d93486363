"""Augmentation of stained brightfield images."""

from __future__ import annotations

import numpy as np
from skimage.color import hed2rgb, rgb2hed

from napari_s1omni.training.data.resampling import Image


def vary_stains(image: Image, rng: np.random.Generator) -> Image:
    """Return an image with more or less hematoxylin, eosin and residual stain, as between laboratories.

    As in Tellez et al., "Whole-slide mitosis detection in H&E breast histology using PHH3 as a reference to train
    distilled stain-invariant convolutional networks" (2018).

    Parameters
    ----------
    image : float (3, H, W)
        RGB; clipped to 0..1.
    rng : numpy.random.Generator

    Returns
    -------
    float32 (3, H, W), 0..1
    """
    stains = rgb2hed(np.clip(image, 0, 1), channel_axis=0)
    gain = rng.uniform(0.75, 1.3, (3, 1, 1))
    offset = rng.uniform(-0.02, 0.02, (3, 1, 1))
    return np.asarray(hed2rgb(stains * gain + offset, channel_axis=0), np.float32)
