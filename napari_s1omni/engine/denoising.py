"""Noise estimation and removal, used before an image is sharpened by back-projection."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

MIN_NOISE = 0.01
"""Noise (standard deviation, in model range) below which an image is left as it is."""
_ROUNDS_BELOW = ((MIN_NOISE, 8), (0.015, 4), (0.035, 2), (0.08, 1))
_STRENGTH = 0.4
"""Filter strength of non-local means relative to the noise; low, so that noise-like texture is kept."""


def plane_noise(plane: NDArray[np.float32]) -> float:
    """Return the standard deviation of the noise of one channel, float32 (H, W).

    From the median absolute Laplacian (Immerkaer, 1996, with a robust mean).
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    return float(np.median(np.abs(ndi.convolve(plane, kernel, mode="reflect"))) / (0.6745 * 6.0))


def image_noise(image: NDArray[np.float32]) -> float:
    """Return the mean noise of the channels of an image, float32 (C, H, W)."""
    return float(np.mean([plane_noise(plane) for plane in (image[:1] if is_grey_image(image) else image)]))


def is_grey_image(image: NDArray[np.float32]) -> bool:
    """Return whether all channels of an image, (C, H, W), are equal."""
    return bool((image == image[:1]).all())


def back_projection_rounds(noise: float) -> int:
    """Return the number of back-projection rounds for a noise level; each one sharpens detail and noise alike.

    Chosen on the training images with added noise of 0 to 0.1 of their range.
    """
    return next((rounds for limit, rounds in _ROUNDS_BELOW if noise < limit), 0)


def remove_noise(image: NDArray[np.float32], noise: float) -> NDArray[np.float32]:
    """Remove noise by non-local means (Buades, Coll and Morel, 2005), which keeps edges and repeated texture.

    Parameters
    ----------
    image : float32 (C, H, W)
        Patches are compared in all channels together.
    noise : float
        Standard deviation, in units of the image; below :data:`MIN_NOISE` the image is returned as it is.

    Returns
    -------
    float32 (C, H, W)
    """
    if noise < MIN_NOISE:
        return image
    from skimage.restoration import denoise_nl_means

    options = {"patch_size": 5, "patch_distance": 6, "h": _STRENGTH * noise, "sigma": noise, "fast_mode": True}
    if len(image) == 1:
        return np.asarray(denoise_nl_means(image[0], **options), np.float32)[None]
    return np.asarray(denoise_nl_means(image, channel_axis=0, **options), np.float32)
