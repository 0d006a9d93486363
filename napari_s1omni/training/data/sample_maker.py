"""Make one sample of a field: a crop, a request, its truth, and the target image."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.s1omni.editor.object_scaling import best_scale
from napari_s1omni.training.data.crop_window import CropWindow
from napari_s1omni.training.data.fields import Layer
from napari_s1omni.training.data.pool import PreparedField
from napari_s1omni.training.data.resampling import Image, resize, resize_labels, to_rgb, upsample
from napari_s1omni.training.data.samples import Mixture, Sample
from napari_s1omni.training.data.variation.appearance import Appearance
from napari_s1omni.training.data.variation.copy_paste import copy_paste
from napari_s1omni.training.data.variation.intensity import unchanged, vary_intensity
from napari_s1omni.training.prompts.prompt_templates import (
    PromptFacts,
    restoration_prompt,
    segmentation_prompt,
    translation_prompt,
)
from napari_s1omni.training.prompts.traces import TileTruth, blur_word, measure_objects, noise_word, with_measurements

INTERIOR_FROM = 0.35
"""Relative distance from the border beyond which a pixel of an object is interior."""
NUCLEI_DATASETS = "dsb2018_"
"""Real data sets of nuclei begin so; they get copy-paste augmentation."""
MARGIN = 16
"""Pixels around a super-resolution crop that are blurred with it and cut off."""


class SampleMaker:
    """Makes samples of given fields.

    Parameters
    ----------
    mixture : Mixture
    seed : int
    """

    def __init__(self, mixture: Mixture, seed: int) -> None:
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        self._mixture = mixture

    def seed_step(self, step: int) -> None:
        """Set the random numbers to those of one training step."""
        self._rng = np.random.default_rng((self._seed, step))

    def segmentation(self, item: PreparedField, edge: int, which: int | None = None) -> Sample:
        """Request one kind of object of a field, in a tile of `edge` pixels; `which` selects the layer."""
        rng, field = self._rng, item.field
        at = int(rng.integers(len(field.layers))) if which is None else which
        layer = field.layers[at]
        zoom = self._zoom(field.dataset, item)
        scale = self._drawing_scale(layer.labels, zoom)
        window = self._window(item, edge, zoom * scale)
        zoom, own_edge = edge / window.size / scale, round(edge / scale)
        image = resize(window.of(item.image).astype(np.float32), edge)
        (distance,) = resize(window.of(item.distances[at][None]).astype(np.float32) / np.float32(255), edge)
        labels = [resize_labels(window.of(other.labels[None])[0], edge) for other in field.layers]
        if field.dataset.startswith(NUCLEI_DATASETS) and rng.random() < self._mixture.copy_paste:
            image, labels[at], distance = copy_paste(image, labels[at], distance, rng)
        seen = self._vary(image, field.noise, None if field.blur is None else field.blur * zoom)
        polarities = [other.bright != seen.inverted for other in field.layers]
        instances, bright = labels[at], polarities[at]
        facts = self._prompt_facts(field.dataset, layer, bright, measure_objects(instances)[1] / scale)
        if field.dataset == "plain" and self._mixture.augment and rng.random() < 0.04:
            # Request objects of the polarity that is not there.
            bright = not bright
            facts = PromptFacts(bright)
            instances, distance = np.zeros_like(instances), np.zeros_like(distance)
        pixel = float(np.exp(rng.uniform(math.log(0.05), math.log(2)))) if rng.random() < 0.4 else None
        request = segmentation_prompt(rng, layer.noun, facts, pixel)
        stated_pixel = None if pixel is None else float(f"{pixel:.4g}")
        instruction = Instruction("segmentation", request, (own_edge, own_edge), pixel=stated_pixel).text
        truth = TileTruth("segmentation", layer.noun, bright, facts.size_class)
        truth = with_measurements(truth, instances, seen.noise, seen.blur)
        truth = replace(truth, size=truth.size / scale)
        target = _target_fields(instances, distance)
        layers = tuple(zip(labels, polarities, strict=True))
        return Sample(seen.image, instruction, truth, target, seen.image, layers, seen.noise, seen.blur, instances)

    def translation(self, item: PreparedField, edge: int, target: str | None = None) -> Sample:
        """Request another modality of a field, by default a random one."""
        rng, field = self._rng, item.field
        names = sorted(field.pairs)
        name = names[int(rng.integers(len(names)))] if target is None else target
        window = self._window(item, edge, self._zoom(field.dataset, item))
        zoom = edge / window.size
        image = resize(window.of(item.image).astype(np.float32), edge)
        expected = resize(window.of(field.pairs[name][None]).astype(np.float32), edge)
        seen = Appearance(image, field.noise, None if field.blur is None else field.blur * zoom)
        if name == "nuclei":
            seen = self._vary(image, seen.noise, seen.blur, invert=False)
        image = to_rgb(np.clip(seen.image, 0, 1))
        drawn = np.repeat(np.clip(expected, 0, 1.5), 3, axis=0)
        instruction = Instruction("modality_translation", translation_prompt(rng, name), (edge, edge), target=name)
        truth = TileTruth("modality_translation", name)
        truth = with_measurements(truth, _threshold_objects(drawn[0]), seen.noise, seen.blur)
        return Sample(image, instruction.text, truth, drawn, image, (), seen.noise, seen.blur)

    def super_resolution(self, item: PreparedField, edge: int, factor: int | None = None) -> Sample:
        """Request a finer grid; the source is a blurred, binned and noisy crop, the target has `edge` pixels."""
        rng = self._rng
        factor = int(rng.choice([2, 2, 2, 4])) if factor is None else factor
        shrink = self._mixture.augment and rng.random() < 0.5
        zoom = float(np.exp(rng.uniform(-0.7, 0.1))) if shrink else 1.0
        whole = edge + 2 * MARGIN
        window = self._window(item, whole, max(zoom, whole / min(item.image.shape[1:])))
        sharp = resize(window.of(item.image).astype(np.float32), whole)
        if self._mixture.augment:
            sharp = vary_intensity(rng, sharp, 0.0, 0.0, optics=False).image
        sharp = to_rgb(sharp)
        # A camera whose pixels match the blur: sigma is at most three quarters of a source pixel.
        sigma = float(rng.choice([0.0, rng.uniform(0.3, 0.75 * factor)], p=[0.1, 0.9]))
        soft = ndi.gaussian_filter(sharp, (0, sigma, sigma)) if sigma else sharp
        binned = soft.reshape(3, whole // factor, factor, whole // factor, factor).mean((2, 4), dtype=np.float32)
        noise = float(rng.choice([0.002, rng.uniform(0.0, 0.05)], p=[0.6, 0.4]))
        binned = binned + noise * rng.standard_normal(binned.shape[1:]).astype(np.float32)
        side = MARGIN // factor
        source = np.clip(binned[:, side:-side, side:-side], 0, 1)
        target = sharp[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
        blur = sigma / factor
        request = restoration_prompt(rng, blur if sigma and rng.random() < 0.5 else None)
        instruction = Instruction("super_resolution", request, (edge // factor,) * 2, factor=(factor, factor))
        truth = TileTruth("super_resolution", str(factor), count=1, noise=noise_word(noise), blur=blur_word(blur))
        base = upsample(source, factor, self._mixture.enlargement)
        return Sample(source, instruction.text, truth, target.astype(np.float32), base, (), noise, blur)

    def _vary(self, image: Image, noise: float | None, blur: float | None, invert: bool = True) -> Appearance:
        if self._mixture.augment:
            return vary_intensity(self._rng, image, noise, blur, invert)
        return unchanged(image, noise, blur)

    def _window(self, item: PreparedField, edge: int, zoom: float) -> CropWindow:
        return CropWindow.random(self._rng, item.image.shape[1:], edge, zoom, self._mixture.augment)

    def _zoom(self, dataset: str, item: PreparedField) -> float:
        if not self._mixture.augment:
            return 1.0
        rng = self._rng
        if item.field.name.startswith("simulated"):
            return float(np.exp(rng.uniform(-0.25, 0.25)))
        if dataset == "maize_clsm":
            return float(np.exp(rng.uniform(-0.2, 0.6)))
        return float(np.clip(np.exp(rng.normal(0, 0.5)), 0.25, 4.0))

    def _drawing_scale(self, labels: NDArray[Any], zoom: float) -> float:
        """Return the scale at which these objects are drawn, for a thinker that misjudges their size a little."""
        scaling = self._mixture.object_size
        if scaling is None or not labels.any():
            return 1.0
        return best_scale(zoom * measure_objects(labels)[1] * math.exp(self._rng.normal(0, 0.15)), scaling)

    def _prompt_facts(self, dataset: str, layer: Layer, bright: bool, diameter: float) -> PromptFacts:
        """Draw what the request states; it always states what separates two kinds of objects in one image."""
        rng = self._rng
        stated = diameter if diameter and rng.random() < 0.3 else None
        if dataset == "sizes":
            return PromptFacts(bright if rng.random() < 0.3 else None, layer.size_class, stated)
        state_polarity = dataset == "polarities" or rng.random() < 0.25
        return PromptFacts(bright if state_polarity else None, None, stated)


def _target_fields(instances: NDArray[np.uint16], distance: Image) -> Image:
    """Return foreground, interior and distance of the objects, float32 (3, H, W)."""
    foreground = (instances > 0).astype(np.float32)
    distance = np.minimum(distance, 1) * foreground
    return np.stack([foreground, (distance > INTERIOR_FROM).astype(np.float32), distance])


def _threshold_objects(stain: Image) -> NDArray[np.int32]:
    """Label the objects of a stain by Otsu's threshold, so that traces of translation contain numbers as well."""
    from skimage.filters import threshold_otsu

    if np.ptp(stain) < 0.15:
        return np.zeros(stain.shape, np.int32)
    smooth = ndi.gaussian_filter(stain, 1.5)
    labels = np.asarray(ndi.label(smooth > threshold_otsu(smooth))[0])
    area = np.bincount(labels.ravel())
    labels[area[labels] < 12] = 0
    return labels
