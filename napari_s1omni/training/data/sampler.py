"""Draw samples from the pool of fields by the shares of a mixture."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.training.data.pool import PreparedField
from napari_s1omni.training.data.resampling import to_rgb
from napari_s1omni.training.data.sample_maker import MARGIN, SampleMaker
from napari_s1omni.training.data.samples import Mixture, Sample
from napari_s1omni.training.prompts.prompt_templates import restoration_prompt
from napari_s1omni.training.prompts.traces import TileTruth, noise_word


class Sampler(SampleMaker):
    """Draws samples from prepared fields; the same seed gives the same sequence.

    Parameters
    ----------
    real, simulated : sequence of PreparedField
    mixture : Mixture
    seed : int
    """

    def __init__(
        self, real: Sequence[PreparedField], simulated: Sequence[PreparedField], mixture: Mixture, seed: int
    ) -> None:
        super().__init__(mixture, seed)
        self._simulated = list(simulated)
        weights = dict(mixture.scene_weights)
        self._scene_sums = np.cumsum([weights.get(f.field.dataset, 1.0) for f in self._simulated])
        self._sharp = [f for f in real if f.field.detail]
        self._paired = [f for f in real if f.field.pairs]
        self._simulated_pairs = [f for f in self._simulated if f.field.pairs]
        by = {name: [f for f in real if f.field.dataset == name] for name, _ in mixture.dataset_weights}
        self._labelled = [(by[name], weight) for name, weight in mixture.dataset_weights if by[name]]
        self._field_sums = [np.cumsum(_image_weights(group)) for group, _ in self._labelled]

    def draw(self, edge: int) -> Sample:
        """Draw one sample whose target is `edge` x `edge` pixels."""
        rng, mix = self._rng, self._mixture
        dice = rng.random()
        if dice < mix.super_resolution and self._sharp:
            return self.super_resolution(self._pick(self._sharp_fields()), edge)
        simulated = bool(rng.random() < mix.simulated) or not self._labelled
        if dice < mix.super_resolution + mix.translation:
            pool = self._simulated_pairs if simulated and self._simulated_pairs else self._paired
            if pool:
                return self.translation(self._pick(pool), edge)
        if simulated and self._simulated:
            return self.segmentation(self._pick(self._simulated, self._scene_sums), edge)
        weights = np.array([w for _, w in self._labelled])
        which = int(rng.choice(len(weights), p=weights / weights.sum()))
        return self.segmentation(self._pick(self._labelled[which][0], self._field_sums[which]), edge)

    def restoration(self, edge: int) -> Sample:
        """Draw a super-resolution request for the thinker, with a source of `edge` pixels.

        The trace states only noise and blur. The source is degraded as for the editor, simulated, or uniform.
        """
        rng = self._rng
        factor = int(rng.choice([2, 4]))
        dice = rng.random()
        if dice < 0.4 and self._sharp:
            item = self._pick(self._sharp_fields())
            # An upsampled image would not be as sharp as its trace says.
            if edge * factor + 2 * MARGIN <= min(item.image.shape[1:]):
                return self.super_resolution(item, edge * factor, factor)
        sample = self._uniform(edge) if dice > 0.9 else self.segmentation(self._pick(self._simulated), edge)
        request = restoration_prompt(rng, sample.blur if rng.random() < 0.3 else None)
        instruction = Instruction("super_resolution", request, (edge, edge), factor=(factor, factor))
        noise, blur = sample.truth.noise, sample.truth.blur
        truth = TileTruth("super_resolution", str(factor), count=1, noise=noise, blur=blur)
        return replace(sample, instruction=instruction.text, truth=truth)

    def _uniform(self, edge: int) -> Sample:
        """Draw a tile of a single intensity, mostly with noise."""
        rng = self._rng
        noise = float(np.exp(rng.uniform(math.log(0.0005), math.log(0.2)))) if rng.random() < 0.7 else 0.0
        intensity = rng.uniform(0, 1) + noise * rng.standard_normal((1, edge, edge))
        image = to_rgb(np.clip(intensity, 0, 1).astype(np.float32))
        return Sample(image, "", TileTruth("", "", noise=noise_word(noise)), image, image, noise=noise)

    def _pick(self, fields: Sequence[Any], cumulative: NDArray[Any] | None = None) -> Any:
        """Draw one of the fields, uniformly or by the cumulative sum of their weights."""
        if cumulative is None:
            return fields[int(self._rng.integers(len(fields)))]
        return fields[int(np.searchsorted(cumulative, self._rng.random() * cumulative[-1], "right"))]

    def _sharp_fields(self) -> Sequence[PreparedField]:
        """Return fields for super-resolution: mostly sharp images, sometimes other real ones, for edges of objects."""
        if self._mixture.augment and self._rng.random() < 0.35 and self._labelled:
            return self._labelled[int(self._rng.integers(len(self._labelled)))][0]
        return self._sharp


def _image_weights(group: Sequence[PreparedField]) -> list[float]:
    """Return the sampling weight of each image of a family.

    A field of view weighs the root of its number of objects, which allow more different crops, and its images share
    that by their objects.
    """
    counts = [1 + sum(len(np.unique(layer.labels)) for layer in item.field.layers) for item in group]
    views = [item.field.view or item.field.name for item in group]
    totals: dict[str, int] = defaultdict(int)
    for view, count in zip(views, counts, strict=True):
        totals[view] += count
    return [count / math.sqrt(totals[view]) for view, count in zip(views, counts, strict=True)]
