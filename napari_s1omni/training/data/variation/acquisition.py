"""How microscopes, cameras and file formats of other laboratories change an image.

Each function takes and returns an :class:`Appearance` in model range, and keeps what is known of noise and blur true.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from imageio.v3 import imread, imwrite
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.morphology import disk

from napari_s1omni.training.data.resampling import Image
from napari_s1omni.training.data.variation.appearance import Appearance

Rng = np.random.Generator
Change = Callable[[Rng, Appearance], Appearance]


def uneven_light(rng: Rng, seen: Appearance) -> Appearance:
    """Add a smooth background: a gradient or a few broad patches."""
    added = rng.uniform(0.05, 0.4) * _smooth_field(rng, seen.image.shape[1:])
    return seen._replace(image=seen.image + added - rng.uniform(0, 1) * added.mean())


def vignette(rng: Rng, seen: Appearance) -> Appearance:
    """Darken towards the edge of a round field, which may lie off the centre."""
    height, width = seen.image.shape[1:]
    y, x = np.mgrid[0:height, 0:width]
    cy, cx = rng.uniform(-0.2, 1.2, 2) * (height, width)
    away = np.hypot(y - cy, x - cx) / math.hypot(height, width)
    return seen._replace(image=seen.image * (1 - rng.uniform(0.2, 0.7) * np.clip(away, 0, 1) ** 2).astype(np.float32))


def haze(rng: Rng, seen: Appearance) -> Appearance:
    """Add light from above and below the focal plane: the image itself, much blurred."""
    sigma = rng.uniform(6, 25)
    share = rng.uniform(0.2, 0.6)
    return seen._replace(
        image=(1 - 0.5 * share) * seen.image + share * ndi.gaussian_filter(seen.image, (0, sigma, sigma))
    )


def uneven_stain(rng: Rng, seen: Appearance) -> Appearance:
    """Multiply by a smooth field, as where a stain or an antibody did not reach everywhere alike."""
    depth = rng.uniform(0.2, 0.6)
    base = np.median(seen.image, axis=(1, 2), keepdims=True)
    factor = 1 - depth * _smooth_field(rng, seen.image.shape[1:])
    return seen._replace(image=base + (seen.image - base) * factor)


def bleed_through(rng: Rng, seen: Appearance) -> Appearance:
    """Add the faint pattern of another channel, which has nothing to do with the objects."""
    shape = seen.image.shape[1:]
    scale = math.exp(rng.uniform(math.log(3), math.log(20)))
    pattern = ndi.gaussian_filter(rng.standard_normal(shape), scale)
    pattern = np.clip(pattern / max(float(pattern.std()), 1e-6) - rng.uniform(0, 1.2), 0, 3).astype(np.float32)
    grain = ndi.gaussian_filter(rng.standard_normal(shape).astype(np.float32), 1.2)
    return seen._replace(image=seen.image + rng.uniform(0.04, 0.14) * pattern * (1 + grain))


def defocus(rng: Rng, seen: Appearance) -> Appearance:
    """Blur with a disk."""
    radius = int(rng.integers(1, 5))
    kernel = disk(radius).astype(np.float32)
    return _blurred(seen, kernel / kernel.sum(), radius / 2)


def motion(rng: Rng, seen: Appearance) -> Appearance:
    """Blur along a line."""
    length = int(rng.integers(3, 10))
    line = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, math.pi)
    along = np.linspace(-0.5, 0.5, 4 * length) * (length - 1)
    middle = (length - 1) / 2
    line[
        np.rint(middle + along * math.sin(angle)).astype(int), np.rint(middle + along * math.cos(angle)).astype(int)
    ] = 1
    return _blurred(seen, line / line.sum(), length / math.sqrt(24))


def photon_noise(rng: Rng, seen: Appearance) -> Appearance:
    """Count photons with a camera that adds noise of its own."""
    photons = math.exp(rng.uniform(math.log(30), math.log(3000)))
    read = rng.uniform(0, 0.03)
    light = np.clip(seen.image, 0, None)
    image = (rng.poisson(light * photons) / photons).astype(np.float32)
    image += read * rng.standard_normal(image.shape, np.float32)
    added = math.sqrt(float(light.mean()) / photons + read**2)
    return seen._replace(image=image, noise=None if seen.noise is None else math.hypot(seen.noise, added))


def hot_pixels(rng: Rng, seen: Appearance) -> Appearance:
    """Set a few pixels to full or no light."""
    image = seen.image.copy()
    chosen = rng.random(image.shape[1:]) < math.exp(rng.uniform(math.log(2e-4), math.log(4e-3)))
    image[:, chosen] = (rng.random(int(chosen.sum())) < 0.8).astype(np.float32)
    return seen._replace(image=image)


def saturation(rng: Rng, seen: Appearance) -> Appearance:
    """Expose too long: the brightest pixels reach the end of the range."""
    end = np.float32(np.quantile(seen.image, rng.uniform(0.8, 0.98)))
    if end <= 0.05:
        return seen
    return seen._replace(image=(np.minimum(seen.image, end) / end).astype(np.float32))


def few_levels(rng: Rng, seen: Appearance) -> Appearance:
    """Round to few grey levels, as when a dim image of 16 bits was saved with 8."""
    levels = int(math.exp(rng.uniform(math.log(10), math.log(64))))
    return seen._replace(image=(np.rint(np.clip(seen.image, 0, 1) * levels) / levels).astype(np.float32))


def jpeg(rng: Rng, seen: Appearance) -> Appearance:
    """Compress as JPEG and read it again."""
    pixels = np.rint(255 * np.clip(seen.image, 0, 1)).astype(np.uint8)
    planes = np.moveaxis(pixels, 0, -1) if len(pixels) == 3 else pixels[0]
    file = imwrite("<bytes>", planes, extension=".jpg", quality=int(rng.integers(25, 90)))
    read = np.asarray(imread(file, extension=".jpg"), np.float32) / 255
    return seen._replace(image=np.ascontiguousarray(np.moveaxis(read, -1, 0) if read.ndim == 3 else read[None]))


def white_balance(rng: Rng, seen: Appearance) -> Appearance:
    """Change the gain of each colour."""
    return seen._replace(image=seen.image * rng.uniform(0.75, 1.1, (len(seen.image), 1, 1)).astype(np.float32))


def scanner(rng: Rng, seen: Appearance) -> Appearance:
    """Mix the colours a little, as another scanner's filters do."""
    mix = np.eye(3) + rng.normal(0, 0.06, (3, 3))
    mix /= mix.sum(1, keepdims=True)
    return seen._replace(image=np.einsum("ij,jyx->iyx", mix, seen.image).astype(np.float32))


LIGHT: tuple[tuple[float, Change], ...] = (
    (0.10, uneven_light),
    (0.06, vignette),
    (0.06, haze),
    (0.06, uneven_stain),
    (0.06, bleed_through),
)
"""Share of samples, and change, of what reaches the camera."""
OPTICS: tuple[tuple[float, Change], ...] = ((0.08, defocus), (0.04, motion))
COLOUR: tuple[tuple[float, Change], ...] = ((0.25, white_balance), (0.15, scanner))
"""Changes of images with three channels."""
CAMERA: tuple[tuple[float, Change], ...] = (
    (0.12, photon_noise),
    (0.03, hot_pixels),
    (0.05, saturation),
    (0.05, few_levels),
    (0.06, jpeg),
)


def vary_acquisition(rng: Rng, seen: Appearance, optics: bool = True) -> Appearance:
    """Apply each change with its share; `optics` allows those that blur or add noise."""
    colour = COLOUR if len(seen.image) == 3 else ()
    for share, change in (*LIGHT, *(OPTICS if optics else ()), *colour, *(CAMERA if optics else ())):
        if rng.random() < share:
            seen = change(rng, seen)
    return seen


def _smooth_field(rng: Rng, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a smooth random field of this shape, 0 to 1."""
    coarse = rng.random((int(rng.integers(2, 5)),) * 2)
    fine = ndi.zoom(coarse, [n / k for n, k in zip(shape, coarse.shape, strict=True)], order=1)[: shape[0], : shape[1]]
    spread = float(np.ptp(fine))
    return np.asarray((fine - fine.min()) / (spread or 1), np.float32)


def _blurred(seen: Appearance, kernel: NDArray[np.float32], sigma: float) -> Appearance:
    """Convolve with `kernel`, which blurs about as much as a Gaussian of `sigma` pixels."""
    image: Image = ndi.convolve(seen.image, kernel[None], mode="nearest")
    # Blurred noise looks like texture, too smooth to be measured as noise.
    noise = None if seen.noise is None else seen.noise * 0.2
    return seen._replace(image=image, noise=noise, blur=None if seen.blur is None else math.hypot(seen.blur, sigma))
