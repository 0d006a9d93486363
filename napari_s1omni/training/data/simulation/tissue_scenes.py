"""Simulated scenes of what real sections and thick samples bring: nuclei out of focus, autofluorescence, debris,
nuclei that shine through each other, a second stain, and images that are no microscopy at all.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.training.data.simulation.shapes import (
    Rng,
    Texture,
    border_distance,
    draw_objects,
    drop_small_objects,
    scatter_centres,
)

Labels = NDArray[np.uint16]
Plane = NDArray[np.float32]

HEMATOXYLIN = np.array([0.65, 0.70, 0.29])
DAB = np.array([0.27, 0.57, 0.78])
"""Optical densities of red, green and blue light per unit of stain (Ruifrok and Johnston, 2001)."""


def thick_section(rng: Rng, texture: Texture, size: int) -> tuple[Plane, Labels]:
    """Draw nuclei in focus, others far from it, autofluorescence and debris; only the first are labelled."""
    diameter = _log_uniform(rng, 9, 45)
    sharp = _objects(rng, size, diameter, _log_uniform(rng, 0.03, 0.3))
    image: NDArray[Any] = _light(rng, texture, sharp)
    for _ in range(int(rng.integers(1, 4))):
        far = _light(rng, texture, _objects(rng, size, diameter, _log_uniform(rng, 0.03, 0.25)))
        image = image + rng.uniform(0.25, 0.8) * ndi.gaussian_filter(far, diameter * rng.uniform(0.2, 0.5))
    if rng.random() < 0.6:
        haze = np.clip(texture.window(rng, 20) + 0.6 * texture.window(rng, 4), 0, None)
        image = image + rng.uniform(0.03, 0.15) * haze
    if rng.random() < 0.5:
        image = image + debris(rng, size, diameter)
    return np.asarray(image, np.float32), sharp


def debris(rng: Rng, size: int, diameter: float) -> Plane:
    """Draw bright specks, much smaller than the objects."""
    specks = _objects(rng, size, diameter * rng.uniform(0.1, 0.22), _log_uniform(rng, 0.001, 0.01))
    return np.asarray(rng.uniform(0.3, 1.0) * ndi.gaussian_filter((specks > 0).astype(np.float32), 0.7), np.float32)


def overlapping_nuclei(rng: Rng, texture: Texture, size: int) -> tuple[Plane, Labels]:
    """Draw nuclei that shine through each other: the light of two adds up, and one of them has the pixel."""
    diameter = _log_uniform(rng, 12, 50)
    first = _objects(rng, size, diameter, rng.uniform(0.1, 0.35))
    second = _objects(rng, size, diameter, rng.uniform(0.05, 0.25))
    light = _light(rng, texture, first) + _light(rng, texture, second)
    behind = np.where((second > 0) & (first == 0), second, 0)
    shown = np.bincount(behind.ravel(), minlength=int(second.max()) + 1)
    whole = np.bincount(second.ravel(), minlength=int(second.max()) + 1)
    # A nucleus that is mostly hidden is not drawn by annotators either.
    clear = shown > 0.6 * np.maximum(whole, 1)
    behind = np.where(clear[behind], behind, 0)
    labels = np.where(first > 0, first, np.where(behind > 0, behind + int(first.max()), 0)).astype(np.uint16)
    return np.asarray(light, np.float32), drop_small_objects(labels, 6)


def second_stain(rng: Rng, texture: Texture, size: int) -> tuple[Plane, Labels]:
    """Draw blue nuclei (hematoxylin) beside brown cytoplasm or membranes (DAB), in RGB; the nuclei are labelled."""
    diameter = _log_uniform(rng, 9, 36)
    nuclei = _objects(rng, size, diameter, _log_uniform(rng, 0.04, 0.3))
    grain = 1 + 0.3 * texture.window(rng, 2)
    blue = np.clip(border_distance(nuclei) / 2, 0, 1) * grain * rng.uniform(0.4, 1.2) + rng.uniform(0.02, 0.1)
    around = ndi.distance_transform_edt(nuclei == 0)
    reach = diameter * rng.uniform(0.3, 1.2)
    if rng.random() < 0.5:
        brown = np.exp(-(((around - reach) / max(1.0, 0.15 * diameter)) ** 2))
    else:
        brown = 1 / (1 + np.exp((around - reach) / 2))
    patches = 1 / (1 + np.exp(-4 * (texture.window(rng, 20) - rng.uniform(-0.8, 0.8))))
    brown = brown * (nuclei == 0) * patches * rng.uniform(0.3, 1.4) * (1 + 0.4 * texture.window(rng, 4))
    density = HEMATOXYLIN[:, None, None] * np.clip(blue, 0, None) + DAB[:, None, None] * np.clip(brown, 0, None)
    blur = rng.uniform(0.4, 1.4)
    return np.asarray(ndi.gaussian_filter(np.exp(-density), (0, blur, blur)), np.float32), nuclei


def no_microscopy(rng: Rng, texture: Texture, size: int) -> Plane:
    """Draw lines of strokes, as of a page, or large smooth areas with edges, as of a photograph."""
    if rng.random() < 0.4:
        page = np.full((size, size), rng.uniform(0.75, 1.0), np.float32)
        height = int(rng.integers(6, 18))
        for top in range(int(rng.integers(0, height)), size - height, int(height * rng.uniform(1.3, 2.0)) + 1):
            strokes = ndi.gaussian_filter(
                rng.standard_normal((height, size)), (rng.uniform(0.8, 2), rng.uniform(0.6, 1.5))
            )
            page[top : top + height][strokes > 1.2 * strokes.std()] = rng.uniform(0.0, 0.3)
        return page
    image = np.full((size, size), rng.uniform(0.2, 0.8), np.float32)
    y, x = np.mgrid[0:size, 0:size]
    for _ in range(int(rng.integers(2, 7))):
        angle, at = rng.uniform(0, math.pi), rng.uniform(0, size)
        side = (y - at) * math.sin(angle) + (x - at) * math.cos(angle) > 0
        image = np.where(side, rng.uniform(0.5, 1.2) * image + rng.uniform(-0.15, 0.2), image)
    image = image + rng.uniform(0.02, 0.12) * texture.window(rng, 50) + rng.uniform(0, 0.05) * texture.window(rng, 2)
    return np.asarray(image, np.float32)


def _objects(rng: Rng, size: int, diameter: float, share: float) -> Labels:
    """Draw objects of about this diameter that cover about this share of the plane."""
    labels = np.zeros((size, size), np.uint16)
    count = max(1, min(500, round(share * size**2 / (math.pi * diameter**2 / 4))))
    gap = float(rng.choice([0.8, 0.95, 1.1, 1.4]))
    centres = scatter_centres(rng, size, count, diameter, gap, bool(rng.random() < 0.3))
    draw_objects(rng, labels, centres, diameter, rng.uniform(0.05, 0.25), rng.uniform(0.02, 0.12))
    return drop_small_objects(labels, 4)


def _light(rng: Rng, texture: Texture, labels: Labels) -> Plane:
    """Return the light of fluorescent objects: a level for each, soft edges, and grain."""
    level = np.concatenate([[0], np.clip(rng.lognormal(-0.4, rng.uniform(0.1, 0.5), int(labels.max())), 0.2, 1.1)])
    edge = np.clip(border_distance(labels) / rng.uniform(1, 4), 0, 1)
    grain = np.clip(1 + rng.uniform(0, 0.3) * texture.window(rng, float(rng.choice([1, 2, 4]))), 0.3, 2)
    return np.asarray(level[labels] * edge * grain, np.float32)


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))
