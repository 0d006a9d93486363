"""Samples: a crop of a field, a request, the truth of it, and what the editor should draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.s1omni.checkpoint.config import Enlargement, ObjectSize
from napari_s1omni.engine.s1omni.editor.object_scaling import scale_for
from napari_s1omni.training.data.copy_paste import copy_paste
from napari_s1omni.training.data.fields import Layer
from napari_s1omni.training.data.pool import PreparedField
from napari_s1omni.training.data.resampling import Image, resize, resize_labels, upsample
from napari_s1omni.training.data.staining import vary_stains
from napari_s1omni.training.prompts.prompt_templates import (
    PromptFacts,
    blur_word,
    noise_word,
    restoration_prompt,
    segmentation_prompt,
    translation_prompt,
)
from napari_s1omni.training.prompts.traces import Truth, measure_objects, with_measurements

Rng = np.random.Generator

INTERIOR_FROM = 0.35
"""Share of an object's largest distance from its border beyond which a px is interior."""
SMALL_DIAMETER = 16.0
"""Diameter in px that divides small from large objects in the auxiliary targets."""
_MARGIN = 16
"""Px around a tile to be restored that are blurred with it and cut off."""


REAL_DATASETS = (
    ("dsb2018_fluo", 0.40),
    ("dsb2018_tissue_512x640", 0.22),
    ("dsb2018_histology", 0.26),
    ("axondeepseg_sem", 0.09),
    ("maize_clsm", 0.03),
)
"""Real data sets, and their shares unless a recipe says otherwise."""
NUCLEI_DATASETS = ("dsb2018_fluo", "dsb2018_tissue_512x640", "dsb2018_histology")
"""Those of nuclei, which may be laid beside each other."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One lesson for thinker and editor."""

    source: Image
    """(3, h, w), model range, held to 0..1."""
    instruction: str
    truth: Truth
    target: Image
    """(3, H, W): fields, or the image to draw."""
    base: Image
    """(3, H, W): `source` at the size to draw, for a residual."""
    layers: tuple[tuple[NDArray[np.uint16], bool], ...] = ()
    """Instances and polarity of everything in the crop, for the thinker's auxiliary heads."""
    noise: float | None = None
    blur: float | None = None
    instances: NDArray[np.uint16] | None = None
    """(H, W), what the request means; None for images."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """How often the sampler draws what."""

    simulated: float = 0.5
    """Share of samples from simulated scenes."""
    super_resolution: float = 0.12
    translation: float = 0.08
    augment: bool = True
    """Whether crops are turned, scaled and changed in light; validation is not."""
    enlargement: Enlargement = "bicubic"
    """How a source to be restored comes to the finer grid."""
    object_size: ObjectSize | None = None
    """On which grid a segmentation is drawn; its words stay those of the tile that was thought about."""
    kinds: tuple[tuple[str, float], ...] = ()
    """How much oftener than others simulated scenes of a kind are asked for their objects."""
    crowded: float = 0.0
    """Share of samples of real nuclei with more of them that touch."""
    weights: tuple[tuple[str, float], ...] = REAL_DATASETS
    """Share of each real data set among real segmentation samples."""


class Sampler:
    """Draws samples from prepared fields; the same seed gives the same sequence.

    Parameters
    ----------
    real, simulated : sequence of Prepared
    mixture : Mixture
    seed : int
    """

    def __init__(
        self, real: Sequence[PreparedField], simulated: Sequence[PreparedField], mixture: Mixture, seed: int
    ) -> None:
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        self._mixture = mixture
        self._simulated = list(simulated)
        often = dict(mixture.kinds)
        self._shares = np.cumsum([often.get(f.field.dataset, 1.0) for f in self._simulated])
        self._sharp = [f for f in real if f.field.detail]
        self._paired = [f for f in real if f.field.pairs]
        self._sim_paired = [f for f in self._simulated if f.field.pairs]
        by = {name: [f for f in real if f.field.dataset == name] for name, _ in mixture.weights}
        self._labelled = [(by[name], weight) for name, weight in mixture.weights if by[name]]
        # Many objects make many different crops.
        self._crowds = [np.cumsum([_crowd(field) for field in group]) for group, _ in self._labelled]

    def at_step(self, step: int) -> None:
        """Go on with the random numbers of one step of training."""
        self._rng = np.random.default_rng((self._seed, step))

    def draw(self, edge: int) -> Sample:
        """Draw one sample whose result is `edge` x `edge` px."""
        rng, mix = self._rng, self._mixture
        dice = rng.random()
        if dice < mix.super_resolution and self._sharp:
            return self.super_resolution(self._pick(self._sharp_source()), edge)
        simulated = bool(rng.random() < mix.simulated) or not self._labelled
        if dice < mix.super_resolution + mix.translation:
            pool = self._sim_paired if simulated and self._sim_paired else self._paired
            if pool:
                return self.translation(self._pick(pool), edge)
        if simulated and self._simulated:
            return self.segmentation(self._pick(self._simulated, self._shares), edge)
        weights = np.array([w for _, w in self._labelled])
        which = int(rng.choice(len(weights), p=weights / weights.sum()))
        return self.segmentation(self._pick(self._labelled[which][0], self._crowds[which]), edge)

    # One sample per task.

    def segmentation(self, item: PreparedField, edge: int, which: int | None = None) -> Sample:
        """Ask for one kind of object of a field; `which` fixes the layer."""
        rng, field = self._rng, item.field
        at = int(rng.integers(len(field.layers))) if which is None else which
        zoom = self._zoom(field.dataset, item)
        scale = self._scale(field.layers[at].labels, zoom)
        cut = self._window(item.image.shape[1:], edge, zoom * scale)
        zoom, told_edge = edge / cut.size / scale, round(edge / scale)
        image = resize(cut.of(item.image).astype(np.float32), edge)
        (distance,) = resize(cut.of(item.distances[at][None]).astype(np.float32) / np.float32(255), edge)
        labels = [resize_labels(cut.of(layer.labels[None])[0], edge) for layer in field.layers]
        layers = list(field.layers)
        if field.dataset in NUCLEI_DATASETS and rng.random() < self._mixture.crowded:
            image, labels[at], distance = copy_paste(image, labels[at], distance, rng)
        noise = field.noise
        blur = None if field.blur is None else field.blur * zoom
        image, noise, blur, flipped = self._light(image, noise, blur)
        bright = [layer.bright != flipped for layer in layers]
        layer, instances = layers[at], labels[at]
        asked = Layer(layer.noun, instances, bright[at], layer.size_class)
        told = self._told(field.dataset, measure_objects(instances)[1] / scale)
        if field.dataset == "plain" and self._mixture.augment and rng.random() < 0.04:
            # Somebody asks for what is not there.
            asked = Layer(layer.noun, instances, not bright[at], layer.size_class)
            told = PromptFacts(True, False, None)
            instances, distance = np.zeros_like(instances), np.zeros_like(distance)
        pixel = float(np.exp(rng.uniform(math.log(0.05), math.log(2)))) if rng.random() < 0.4 else None
        request = segmentation_prompt(rng, asked, told, pixel)
        words = Instruction(
            "segmentation", request, (told_edge, told_edge), pixel=None if pixel is None else float(f"{pixel:.4g}")
        )
        truth = Truth("segmentation", layer.noun, asked.bright, asked.size_class if told.size_class else None)
        truth = with_measurements(truth, instances, noise, blur)
        truth = replace(truth, size=truth.size / scale)
        foreground = (instances > 0).astype(np.float32)
        distance = distance * foreground
        target = np.stack([foreground, (distance > INTERIOR_FROM).astype(np.float32), distance])
        everything = tuple(zip(labels, bright, strict=True))
        return Sample(image, words.text(), truth, target, image, everything, noise, blur, instances)

    def translation(self, item: PreparedField, edge: int, target: str | None = None) -> Sample:
        """Ask for another modality of a field."""
        rng, field = self._rng, item.field
        names = sorted(field.pairs)
        name = names[int(rng.integers(len(names)))] if target is None else target
        cut = self._window(item.image.shape[1:], edge, self._zoom(field.dataset, item))
        zoom = edge / cut.size
        image = resize(cut.of(item.image).astype(np.float32), edge)
        wanted = resize(cut.of(field.pairs[name][None]).astype(np.float32), edge)
        noise = field.noise
        blur = None if field.blur is None else field.blur * zoom
        if len(field.image) == 1 and not self._mixture.augment:
            image = _three(image)
        elif name == "nuclei":
            image, noise, blur, _ = self._light(image, noise, blur, invert=False)
        image = _three(np.clip(image, 0, 1))
        drawn = np.repeat(np.clip(wanted, 0, 1.5), 3, axis=0)
        words = Instruction("modality_translation", translation_prompt(rng, name), (edge, edge), target=name)
        truth = with_measurements(Truth("modality_translation", name), _objects(drawn[0]), noise, blur)
        return Sample(image, words.text(), truth, drawn, image, (), noise, blur)

    def super_resolution(self, item: PreparedField, edge: int, factor: int | None = None) -> Sample:
        """Ask for a finer grid: the field is blurred, binned, and made noisy."""
        rng = self._rng
        factor = int(rng.choice([2, 2, 2, 4])) if factor is None else factor
        shrunk = self._mixture.augment and rng.random() < 0.5
        zoom = float(np.exp(rng.uniform(-0.7, 0.1))) if shrunk else 1.0
        whole = edge + 2 * _MARGIN
        cut = self._window(item.image.shape[1:], whole, max(zoom, whole / min(item.image.shape[1:])))
        sharp = resize(cut.of(item.image).astype(np.float32), whole)
        if self._mixture.augment:
            sharp, _, _, _ = self._light(sharp, 0.0, 0.0, optics=False)
        sharp = _three(sharp)
        # A camera whose px are as wide as the blur allows: up to three quarters of a source px.
        sigma = float(rng.choice([0.0, rng.uniform(0.3, 0.75 * factor)], p=[0.1, 0.9]))
        soft = ndi.gaussian_filter(sharp, (0, sigma, sigma)) if sigma else sharp
        binned = soft.reshape(3, whole // factor, factor, whole // factor, factor).mean((2, 4), dtype=np.float32)
        noise = float(rng.choice([0.002, rng.uniform(0.0, 0.05)], p=[0.6, 0.4]))
        binned = binned + noise * rng.standard_normal(binned.shape[1:]).astype(np.float32)
        side = _MARGIN // factor
        source = binned[:, side:-side, side:-side]
        target = sharp[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
        source = np.clip(source, 0, 1)
        blur = sigma / factor
        told = blur if sigma and rng.random() < 0.5 else None
        words = Instruction(
            "super_resolution", restoration_prompt(rng, told), (edge // factor,) * 2, factor=(factor, factor)
        )
        truth = Truth("super_resolution", str(factor), count=1, noise=noise_word(noise), blur=blur_word(blur))
        base = upsample(source, factor, self._mixture.enlargement)
        return Sample(source, words.text(), truth, target.astype(np.float32), base, (), noise, blur)

    def look(self, edge: int) -> Sample:
        """Draw a tile to be restored as the thinker sees it, `edge` px wide; only its noise and blur are stated.

        It is a coarse one as the editor gets, a simulated one, or one with nothing to see.
        """
        rng = self._rng
        factor = int(rng.choice([2, 4]))
        dice = rng.random()
        if dice < 0.4 and self._sharp:
            item = self._pick(self._sharp_source())
            # An enlarged picture would not be as sharp as its words say.
            if edge * factor + 2 * _MARGIN <= min(item.image.shape[1:]):
                return self.super_resolution(item, edge * factor, factor)
        sample = self._flat(edge) if dice > 0.9 else self.segmentation(self._pick(self._simulated), edge)
        told = sample.blur if rng.random() < 0.3 else None
        words = Instruction("super_resolution", restoration_prompt(rng, told), (edge, edge), factor=(factor, factor))
        seen = sample.truth
        truth = Truth("super_resolution", str(factor), count=1, noise=seen.noise, blur=seen.blur)
        return replace(sample, instruction=words.text(), truth=truth)

    def _flat(self, edge: int) -> Sample:
        """Draw a tile of one tone, mostly with noise."""
        rng = self._rng
        noise = float(np.exp(rng.uniform(math.log(0.0005), math.log(0.2)))) if rng.random() < 0.7 else 0.0
        tone = rng.uniform(0, 1) + noise * rng.standard_normal((1, edge, edge))
        image = _three(np.clip(tone, 0, 1).astype(np.float32))
        return Sample(image, "", Truth("", "", noise=noise_word(noise)), image, image, noise=noise)

    # Choices.

    def _pick(self, fields: Sequence[Any], shares: NDArray[Any] | None = None) -> Any:
        """Draw one of the fields: all alike, or by the running sum of their shares."""
        if shares is None:
            return fields[int(self._rng.integers(len(fields)))]
        return fields[int(np.searchsorted(shares, self._rng.random() * shares[-1], "right"))]

    def _sharp_source(self) -> Sequence[PreparedField]:
        """Mostly pictures meant for it, else any real field: nuclei have edges worth restoring too."""
        if self._mixture.augment and self._rng.random() < 0.35 and self._labelled:
            return self._labelled[int(self._rng.integers(len(self._labelled)))][0]
        return self._sharp

    def _scale(self, labels: NDArray[Any], zoom: float) -> float:
        """Scale at which a thinker that is a little off has these objects drawn."""
        how = self._mixture.object_size
        if how is None or not labels.any():
            return 1.0
        return scale_for(zoom * measure_objects(labels)[1] * math.exp(self._rng.normal(0, 0.15)), how)

    def _told(self, dataset: str, known: float) -> PromptFacts:
        rng = self._rng
        diameter = known if known and rng.random() < 0.3 else None
        if dataset == "sizes":
            return PromptFacts(bool(rng.random() < 0.3), True, diameter)
        return PromptFacts(dataset == "polarities" or bool(rng.random() < 0.25), False, diameter)

    def _zoom(self, dataset: str, item: PreparedField) -> float:
        if not self._mixture.augment:
            return 1.0
        rng = self._rng
        if item.field.name.startswith("simulated"):
            return float(np.exp(rng.uniform(-0.25, 0.25)))
        if dataset == "maize_clsm":
            return float(np.exp(rng.uniform(-0.2, 0.6)))
        return float(np.clip(np.exp(rng.normal(0, 0.35)), 0.45, 2.0))

    def _window(self, shape: tuple[int, ...], edge: int, zoom: float) -> CropWindow:
        height, width = shape
        rng = self._rng
        size = min(math.ceil(edge / zoom), height, width)
        y, x = (int(rng.integers(0, n - size + 1)) for n in (height, width))
        turns, mirrored = (int(rng.integers(4)), bool(rng.random() < 0.5)) if self._mixture.augment else (0, False)
        return CropWindow(y, x, size, turns, mirrored)

    def _light(
        self, image: Image, noise: float | None, blur: float | None, invert: bool = True, optics: bool = True
    ) -> tuple[Image, float | None, float | None, bool]:
        """Vary what a microscope varies; returns image, noise, blur and whether bright and dark were exchanged."""
        rng = self._rng
        if not self._mixture.augment:
            return _three(np.clip(image, 0, 1)), noise, blur, False
        if len(image) == 3 and rng.random() < 0.15:
            image = image.mean(0, keepdims=True)
        if len(image) == 3 and rng.random() < 0.5:
            image = vary_stains(image, rng)
        if len(image) == 3 and rng.random() < 0.5:
            image = np.clip(image, 0, 1) ** np.exp(rng.normal(0, 0.25, (3, 1, 1))).astype(np.float32)
        flipped = bool(invert and rng.random() < 0.1) and len(image) == 1
        if flipped:
            image = 1 - image
        if rng.random() < 0.4:
            image = np.clip(image, 0, None) ** float(np.exp(rng.normal(0, 0.25)))
        gain, shift = float(np.exp(rng.uniform(-0.35, 0.2))), float(rng.uniform(-0.04, 0.08))
        image = gain * image + shift
        noise = None if noise is None else noise * gain
        if optics and blur is not None and rng.random() < 0.1:
            more = float(rng.uniform(0.5, 2.5))
            image = ndi.gaussian_filter(image, (0, more, more))
            # What was noise is now texture, too fine to be measured as either.
            noise, blur = (None if noise is None else noise * 0.2), math.hypot(blur, more)
        if optics and rng.random() < 0.25:
            extra = float(np.exp(rng.uniform(math.log(0.01), math.log(0.18))))
            image = image + extra * rng.standard_normal(image.shape, np.float32)
            noise = None if noise is None else math.hypot(noise, extra)
        return _three(np.clip(image, 0, 1).astype(np.float32)), noise, blur, flipped


@dataclass(frozen=True, slots=True)
class CropWindow:
    """A square cut of a field, turned and mirrored."""

    y: int
    x: int
    size: int
    turns: int
    mirrored: bool

    def of(self, planes: NDArray[Any]) -> NDArray[Any]:
        """Cut (C, H, W) to (C, size, size)."""
        cut = np.rot90(planes[:, self.y : self.y + self.size, self.x : self.x + self.size], self.turns, (1, 2))
        return np.ascontiguousarray(cut[:, :, ::-1] if self.mirrored else cut)


def _crowd(item: PreparedField) -> float:
    """How often a field is drawn: by the root of the number of its objects."""
    return math.sqrt(1 + sum(len(np.unique(layer.labels)) for layer in item.field.layers))


def _three(image: NDArray[Any]) -> Image:
    return np.repeat(image, 3, axis=0) if len(image) == 1 else np.asarray(image)


def _objects(stain: Image) -> NDArray[np.int32]:
    """Objects of a stain by Otsu's threshold, so that a translation's trace has numbers too."""
    from skimage.filters import threshold_otsu

    if np.ptp(stain) < 0.15:
        return np.zeros(stain.shape, np.int32)
    smooth = ndi.gaussian_filter(stain, 1.5)
    labels = np.asarray(ndi.label(smooth > threshold_otsu(smooth))[0])
    area = np.bincount(labels.ravel())
    labels[area[labels] < 12] = 0
    return labels
