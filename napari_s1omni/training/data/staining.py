"""Stains of brightfield pictures, varied as laboratories vary them."""

from __future__ import annotations

import numpy as np
from skimage.color import hed2rgb, rgb2hed

from napari_s1omni.training.data.resampling import Image


def vary_stains(image: Image, rng: np.random.Generator) -> Image:
    """Return a picture with more or less of hematoxylin, eosin and the rest in it.

    As in Tellez et al., "Whole-slide mitosis detection in H&E breast histology using PHH3 as a reference to train
    distilled stain-invariant convolutional networks" (2018).

    Parameters
    ----------
    image : float (3, H, W)
        RGB; held to 0..1.
    rng : numpy.random.Generator

    Returns
    -------
    float32 (3, H, W), 0..1
    """
    stains = rgb2hed(np.clip(image, 0, 1), channel_axis=0)
    gain = rng.uniform(0.75, 1.3, (3, 1, 1))
    more = rng.uniform(-0.02, 0.02, (3, 1, 1))
    return np.asarray(hed2rgb(stains * gain + more, channel_axis=0), np.float32)
