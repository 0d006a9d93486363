"""Separation of stains in brightfield images by colour deconvolution (Ruifrok and Johnston, 2001)."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

STAINS = ("hematoxylin", "eosin", "dab")
"""Stain names that :func:`separate_stain` takes."""

_DENSITY = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
"""Optical density of red, green and blue for hematoxylin, eosin and DAB (Ruifrok and Johnston, 2001)."""

_DARKEST = 1 / 255
_VISIBLE = 0.15
_COUNTERSTAIN_WORDS = {
    "dab": r"\b(dab|ihc|immuno\w*|brown|diaminobenzidine)\b",
    "eosin": r"(h\s*&\s*e|\bhe\b|eosin|pink)",
}


def optical_density(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return -log10 of the transmission of an image (3, H, W); model value 1 is white."""
    return np.asarray(-np.log10(np.clip(image, _DARKEST, 1.0)), np.float32)


def separate_stain(image: NDArray[np.float32], stain: str, other: str) -> NDArray[np.float32]:
    """Return the amount of one of two stains, float32 (H, W), in optical density.

    Noise makes it slightly negative where the stain is absent; it is not clipped.

    Parameters
    ----------
    image : float32 (3, H, W)
        Transmitted light in model range.
    stain, other : str
        Two different names from :data:`STAINS`. Colour that neither explains is assigned to a third, orthogonal one.
    """
    # Row vector of densities = amounts @ colours, so amounts = densities @ inverse.
    return np.asarray(np.tensordot(_weights(stain, other), optical_density(image), axes=(0, 0)))


def brown_share(image: NDArray[np.float32]) -> float:
    """Return the share of the stained pixels that are brown, 0 to 1.

    DAB takes away more blue than green light, hematoxylin and eosin less.
    """
    red, green, blue = optical_density(image)
    stained = red + green + blue > 2 * _VISIBLE
    brown = blue > 1.1 * np.maximum(red, green)
    return float(brown[stained].mean()) if stained.any() else 0.0


def keep_stain(image: NDArray[np.float32], stain: str, other: str) -> NDArray[np.float32]:
    """Return what a section would look like with one of two stains alone, float32 (3, H, W).

    The value of a pixel follows from its own colour, whatever the size of the image.
    """
    red, green, blue = (w * plane for w, plane in zip(_weights(stain, other), optical_density(image), strict=True))
    amount = np.maximum(red + green + blue, 0)
    colour = _unit(_DENSITY[STAINS.index(stain)]).astype(np.float32)
    return np.asarray(10 ** (-amount * colour[:, None, None]), np.float32)


def _weights(stain: str, other: str) -> NDArray[np.float32]:
    """Return how much each colour's density (red, green, blue) counts for the amount of a stain beside another."""
    first, second = (_unit(_DENSITY[STAINS.index(name)]) for name in (stain, other))
    inverse = np.linalg.inv(np.stack([first, second, _unit(np.cross(first, second))]))
    return np.asarray(inverse[:, 0], np.float32)


def find_counterstain(image: NDArray[np.float32], stain: str, words: str) -> str:
    """Return the second stain of a section: the one named in `words`, else the nearer in colour of eosin and DAB."""
    if stain != "hematoxylin":
        return "hematoxylin"
    for name, pattern in _COUNTERSTAIN_WORDS.items():
        if re.search(pattern, words, re.I):
            return name
    density = optical_density(image).reshape(3, -1).astype(np.float64)
    density = density[:, density.sum(axis=0) > _VISIBLE]
    if density.shape[1] == 0:
        return "eosin"
    unit = density / np.linalg.norm(density, axis=0)
    eosin, dab = (float(np.percentile(_unit(_DENSITY[STAINS.index(n)]) @ unit, 99)) for n in ("eosin", "dab"))
    return "dab" if dab > eosin else "eosin"


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vector / np.linalg.norm(vector))
