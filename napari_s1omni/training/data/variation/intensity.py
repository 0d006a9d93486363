"""Intensity augmentation: stain, contrast, inversion, blur and noise, as they vary between microscopes."""

from __future__ import annotations

import math

import numpy as np

from napari_s1omni.training.data.resampling import Image, to_rgb
from napari_s1omni.training.data.variation.acquisition import vary_acquisition
from napari_s1omni.training.data.variation.appearance import Appearance
from napari_s1omni.training.data.variation.staining import vary_stains


def unchanged(image: Image, noise: float | None, blur: float | None) -> Appearance:
    """Return an image without augmentation, clipped to 0..1, in three channels."""
    return Appearance(to_rgb(np.clip(image, 0, 1)), noise, blur)


def vary_intensity(
    rng: np.random.Generator,
    image: Image,
    noise: float | None,
    blur: float | None,
    invert: bool = True,
    optics: bool = True,
) -> Appearance:
    """Return an augmented image, clipped to 0..1, in three channels.

    Parameters
    ----------
    rng : numpy.random.Generator
    image : float32 (1 or 3, H, W), model range
    noise, blur : float, optional
        Of the image, if known.
    invert : bool
        Whether bright and dark may be exchanged.
    optics : bool
        Whether blur and noise may be added.
    """
    if len(image) == 3 and rng.random() < 0.15:
        image = image.mean(0, keepdims=True)
    if len(image) == 3 and rng.random() < 0.5:
        image = vary_stains(image, rng)
    if len(image) == 3 and rng.random() < 0.5:
        image = np.clip(image, 0, 1) ** np.exp(rng.normal(0, 0.25, (3, 1, 1))).astype(np.float32)
    inverted = bool(invert and rng.random() < 0.1) and len(image) == 1
    if inverted:
        image = 1 - image
    if rng.random() < 0.4:
        image = np.clip(image, 0, None) ** float(np.exp(rng.normal(0, 0.25)))
    gain, shift = float(np.exp(rng.uniform(-0.35, 0.2))), float(rng.uniform(-0.04, 0.08))
    image = gain * image + shift
    noise = None if noise is None else noise * gain
    seen = vary_acquisition(rng, Appearance(image, noise, blur, inverted), optics)
    image, noise, blur, _ = seen
    if optics and rng.random() < 0.2:
        extra = float(np.exp(rng.uniform(math.log(0.01), math.log(0.18))))
        image = image + extra * rng.standard_normal(image.shape, np.float32)
        noise = None if noise is None else math.hypot(noise, extra)
    return Appearance(to_rgb(np.clip(image, 0, 1).astype(np.float32)), noise, blur, inverted)
