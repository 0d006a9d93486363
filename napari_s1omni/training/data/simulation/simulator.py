"""Simulated scenes with exact truth: fluorescence, brightfield, histology-like and EM-like images.

Instances, polarity, noise and blur are known because they were drawn. A third of
the scenes is ambiguous on purpose: they contain two kinds of objects, and only the
request says which kind is meant.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.training.data.fields import Field, Layer
from napari_s1omni.training.data.simulation import tissue_scenes
from napari_s1omni.training.data.simulation.shapes import (
    Texture,
    border_distance,
    draw_objects,
    drop_small_objects,
    grow_cells,
    scatter_centres,
)

SIZE = 256
"""Edge of a scene in pixels."""

_HEMATOXYLIN = np.array([0.65, 0.70, 0.29])
_EOSIN = np.array([0.07, 0.99, 0.11])


class Simulator:
    """Draws scenes; the same seed gives the same sequence.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._texture = Texture(self._rng, SIZE)
        plain = partial(self._plain, empty=False)
        self._kinds: tuple[tuple[float, Callable[[], Field]], ...] = (
            (0.20, plain),
            (0.06, partial(self._plain, empty=True)),
            (0.10, self._two_sizes),
            (0.10, self._two_polarities),
            (0.11, self._cells),
            (0.13, self._histology),
            (0.08, self._axons),
            (0.10, self._thick_section),
            (0.06, self._overlapping),
            (0.04, self._second_stain),
            (0.02, self._no_microscopy),
        )

    def scene(self) -> Field:
        """Draw one scene of a random kind."""
        weights = np.array([w for w, _ in self._kinds])
        kind = self._kinds[int(self._rng.choice(len(weights), p=weights / weights.sum()))][1]
        return kind()

    # Scenes: each draws objects, then light, then optics and camera.

    def _plain(self, empty: bool) -> Field:
        labels = np.zeros((SIZE, SIZE), np.uint16)
        if not empty:
            self._populate(labels, self._diameter(5, 70))
        bright = self._rng.random() < 0.6
        if self._rng.random() < 0.3:
            image = self._brightfield(labels, 1 if bright else -1)
        else:
            image = self._fluorescence(labels)
            if not bright:
                image = self._rng.uniform(0.85, 1.0) - image
        noun = self._pick(("nuclei", "nuclei", "cells", "objects", "spots" if labels.max() > 30 else "objects"))
        return self._finish(image, (Layer(noun, labels, bright),), "plain")

    def _two_sizes(self) -> Field:
        large = np.zeros((SIZE, SIZE), np.uint16)
        big = self._diameter(22, 56)
        self._populate(large, big, share=self._rng.uniform(0.08, 0.3))
        little = big * self._rng.uniform(0.2, 0.42)
        occupied = large > 0
        centres = scatter_centres(self._rng, SIZE, int(self._rng.integers(12, 90)), little, 1.25, False)
        both = np.where(occupied, 1, 0).astype(np.uint16)
        draw_objects(self._rng, both, centres, little, 0.12, 0.06)
        small = drop_small_objects(np.where((both > 1) & ~occupied, both - 1, 0).astype(np.uint16), 6)
        bright = self._rng.random() < 0.6
        image = np.maximum(self._fluorescence(large), self._fluorescence(small))
        if not bright:
            image = self._rng.uniform(0.85, 1.0) - image
        noun = self._pick(("objects", "nuclei", "cells", "particles", "spots"))
        layers = (Layer(noun, small, bright, "small"), Layer(noun, large, bright, "large"))
        return self._finish(image, layers, "sizes")

    def _two_polarities(self) -> Field:
        both = np.zeros((SIZE, SIZE), np.uint16)
        diameter = self._diameter(8, 44)
        self._populate(both, diameter, share=self._rng.uniform(0.12, 0.4))
        up = np.concatenate([[False], self._rng.random(int(both.max())) < self._rng.uniform(0.3, 0.7)])
        bright = drop_small_objects(np.where(up[both], both, 0).astype(np.uint16), 4)
        dark = drop_small_objects(np.where(~up[both], both, 0).astype(np.uint16), 4)
        base = self._rng.uniform(0.4, 0.6) + 0.04 * self._texture.window(self._rng, 20)
        gain = self._rng.uniform(0.2, 0.45, 2)
        image = base + gain[0] * self._fluorescence(bright, 0.0) - gain[1] * self._fluorescence(dark, 0.0)
        noun = self._pick(("objects", "nuclei", "cells", "spots", "particles"))
        return self._finish(image, (Layer(noun, bright, True), Layer(noun, dark, False)), "polarities")

    def _cells(self) -> Field:
        nuclei = np.zeros((SIZE, SIZE), np.uint16)
        diameter = self._diameter(9, 34)
        self._populate(nuclei, diameter, share=self._rng.uniform(0.05, 0.22), gap=1.5)
        reach = diameter * self._rng.uniform(0.35, 0.9)
        cells = grow_cells(self._rng, nuclei, reach, self._texture.window(self._rng, 8))
        level = np.concatenate([[0], self._rng.lognormal(-0.2, 0.3, int(nuclei.max()))])
        body = (
            np.clip(border_distance(cells) / 3, 0, 1) * level[cells] * (1 + 0.25 * self._texture.window(self._rng, 2))
        )
        holes = np.clip(border_distance(nuclei) / 2, 0, 1)
        stain = self._fluorescence(nuclei, 0.0)
        rim = self._rng.uniform(0, 0.4) * ((cells > 0) & (border_distance(cells) < 2))
        if self._rng.random() < 0.5:
            image = 0.05 + self._rng.uniform(0.25, 0.5) * body + rim + self._rng.uniform(0.4, 0.7) * stain
            nuclei_bright, target = True, None
        else:
            image = 0.05 + 0.7 * body * (1 - self._rng.uniform(0.4, 0.8) * holes) + rim
            nuclei_bright, target = False, stain
        layers = (Layer("nuclei", nuclei, nuclei_bright), Layer("cells", cells, True))
        return self._finish(image, layers, "cells", {} if target is None else {"nuclei": target})

    def _histology(self) -> Field:
        rng = self._rng
        nuclei = np.zeros((SIZE, SIZE), np.uint16)
        self._populate(nuclei, self._diameter(7, 34), share=rng.uniform(0.03, 0.3))
        texture = self._texture.window(rng, 8)
        tissue = 1 / (1 + np.exp(-3 * (self._texture.window(rng, 20) + rng.uniform(-0.5, 2.5))))
        tissue = np.maximum(tissue, ndi.gaussian_filter((nuclei > 0).astype(np.float32), 3))
        level = np.concatenate([[0], rng.lognormal(-0.1, 0.25, int(nuclei.max()))])
        chromatin = 1 + 0.3 * self._texture.window(rng, 2)
        blue = level[nuclei] * np.clip(border_distance(nuclei) / 2, 0, 1) * chromatin * rng.uniform(0.7, 1.6)
        blue = blue + tissue * rng.uniform(0.02, 0.25) * (1 + 0.4 * self._texture.window(rng, 4))
        pink = tissue * rng.uniform(0.15, 0.8) * (1 + 0.35 * texture) * (1 - 0.5 * (nuclei > 0))
        blur = self._blur()
        blue, pink = (ndi.gaussian_filter(np.clip(v, 0, None), max(blur, 0.4)) for v in (blue, pink))
        stains = [v + rng.normal(0, 0.06, 3) for v in (_HEMATOXYLIN, _EOSIN)]
        density = sum(np.abs(s)[:, None, None] * d for s, d in zip(stains, (blue, pink), strict=True))
        image = np.exp(-density) * rng.uniform(0.9, 1.02)
        noise = self._noise() * 0.6
        image = image + rng.normal(0, noise, image.shape)
        # Pairs are decadic optical densities, as from colour deconvolution.
        pair = {"hematoxylin": blue / math.log(10), "eosin": pink / math.log(10)}
        return Field("simulated histology", "histology", image, (Layer("nuclei", nuclei, False),), noise, blur, pair)

    def _axons(self) -> Field:
        rng = self._rng
        fibers = np.zeros((SIZE, SIZE), np.uint16)
        self._populate(fibers, self._diameter(12, 60), share=rng.uniform(0.15, 0.6))
        inner = border_distance(fibers)
        largest = np.maximum(ndi.maximum(inner, fibers, np.arange(fibers.max() + 1)), 1)
        thick = largest[fibers] * (1 - rng.uniform(0.5, 0.75))
        axons = drop_small_objects(np.where(inner > thick, fibers, 0).astype(np.uint16), 6)
        base = rng.uniform(0.5, 0.75) + 0.07 * self._texture.window(rng, 4) + 0.05 * self._texture.window(rng, 1)
        lumen = rng.uniform(0.6, 0.9) + 0.05 * self._texture.window(rng, 2)
        image = np.where(fibers > 0, rng.uniform(0.05, 0.3) + 0.03 * self._texture.window(rng, 1), base)
        image = np.where(axons > 0, lumen, image)
        if rng.random() < 0.55:
            image = 1 - image
        bright = bool(image[axons > 0].mean() > 0.5) if axons.any() else True
        layers = (Layer("axons", axons, bright), Layer("fibers", fibers, not bright))
        return self._finish(image, layers, "axons")

    def _thick_section(self) -> Field:
        image, nuclei = tissue_scenes.thick_section(self._rng, self._texture, SIZE)
        return self._finish(image, (Layer("nuclei", nuclei, True),), "thick section")

    def _overlapping(self) -> Field:
        image, nuclei = tissue_scenes.overlapping_nuclei(self._rng, self._texture, SIZE)
        return self._finish(image + self._rng.uniform(0.02, 0.15), (Layer("nuclei", nuclei, True),), "overlapping")

    def _second_stain(self) -> Field:
        image, nuclei = tissue_scenes.second_stain(self._rng, self._texture, SIZE)
        noise = 0.6 * self._noise()
        image = image + noise * self._rng.standard_normal(image.shape).astype(np.float32)
        return Field("simulated second stain", "second stain", image, (Layer("nuclei", nuclei, False),), noise, 0.7)

    def _no_microscopy(self) -> Field:
        image = tissue_scenes.no_microscopy(self._rng, self._texture, SIZE)
        noun = self._pick(("nuclei", "cells", "objects"))
        nothing = np.zeros((SIZE, SIZE), np.uint16)
        return self._finish(image, (Layer(noun, nothing, True),), "no microscopy")

    # Light.

    def _fluorescence(self, labels: NDArray[np.uint16], base: float | None = None) -> NDArray[np.float32]:
        rng = self._rng
        background = rng.uniform(0.02, 0.2) if base is None else base
        n = int(labels.max())
        level = np.concatenate([[0], np.clip(rng.lognormal(-0.35, rng.uniform(0.1, 0.5), n), 0.25, 1.1)])
        edge = np.clip(border_distance(labels) / rng.uniform(1, 5), 0, 1) if rng.random() < 0.6 else (labels > 0)
        grain = 1 + rng.uniform(0, 0.3) * self._texture.window(rng, float(rng.choice([1, 2, 4])))
        image = level[labels] * edge * np.clip(grain, 0.3, 2)
        if base is None:
            image = image + background * (1 + 0.4 * self._texture.window(rng, 50)).clip(0.1)
            if rng.random() < 0.3:
                image = image + rng.uniform(0.05, 0.2) * ndi.gaussian_filter((labels > 0).astype(np.float32), 8)
        return np.asarray(image, np.float32)

    def _brightfield(self, labels: NDArray[np.uint16], sign: int) -> NDArray[np.float32]:
        rng = self._rng
        base = rng.uniform(0.4, 0.6) + 0.05 * self._texture.window(rng, 50) + 0.02 * self._texture.window(rng, 2)
        far = ndi.distance_transform_edt(labels == 0) if labels.any() else np.full(labels.shape, 99.0)
        near = border_distance(labels)
        inside = sign * rng.uniform(0.12, 0.4) * (labels > 0) * (1 + 0.2 * self._texture.window(rng, 2))
        rim = sign * rng.uniform(0, 0.3) * ((labels > 0) & (near < 3))
        halo = -sign * rng.uniform(0, 0.2) * ((labels == 0) & (far < 3))
        return np.asarray(base + inside + rim + halo, np.float32)

    # Optics and camera.

    def _finish(
        self,
        image: NDArray[np.float32],
        layers: tuple[Layer, ...],
        kind: str,
        pair: dict[str, NDArray[Any]] | None = None,
    ) -> Field:
        blur, noise = self._blur(), self._noise()
        image = ndi.gaussian_filter(image, blur) if blur > 0.3 else image
        sd = noise * np.sqrt(0.5 + np.clip(image, 0, 1))
        image = image + sd * self._rng.standard_normal(image.shape).astype(np.float32)
        return Field(f"simulated {kind}", kind, image[None], layers, noise, blur, pair or {})

    def _noise(self) -> float:
        low, high = ((0.004, 0.025), (0.045, 0.075), (0.115, 0.2))[int(self._rng.choice(3, p=(0.45, 0.3, 0.25)))]
        return float(np.exp(self._rng.uniform(math.log(low), math.log(high))))

    def _blur(self) -> float:
        low, high = ((0.0, 0.6), (1.1, 1.6), (2.4, 3.4))[int(self._rng.choice(3, p=(0.45, 0.35, 0.2)))]
        return float(self._rng.uniform(low, high))

    # Objects.

    def _populate(
        self, labels: NDArray[np.uint16], diameter: float, share: float | None = None, gap: float | None = None
    ) -> None:
        rng = self._rng
        share = float(np.exp(rng.uniform(math.log(0.01), math.log(0.5)))) if share is None else share
        count = max(1, min(400, round(share * SIZE**2 / (math.pi * diameter**2 / 4))))
        gap = float(rng.choice([0.8, 0.95, 1.1, 1.4])) if gap is None else gap
        centres = scatter_centres(rng, SIZE, count, diameter, gap, bool(rng.random() < 0.3))
        draw_objects(rng, labels, centres, diameter, rng.uniform(0.05, 0.3), rng.uniform(0.02, 0.12))
        labels[:] = drop_small_objects(labels, 6)

    def _diameter(self, low: float, high: float) -> float:
        return float(np.exp(self._rng.uniform(math.log(low), math.log(high))))

    def _pick(self, choices: tuple[str, ...]) -> str:
        return choices[int(self._rng.integers(len(choices)))]
