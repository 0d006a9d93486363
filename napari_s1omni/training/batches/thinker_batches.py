"""Batches for the thinker: patches, token sequences, and the targets of text and auxiliary heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import torch

from napari_s1omni.engine.s1omni.checkpoint.config import VisionConfig
from napari_s1omni.engine.s1omni.thinker.patches import PatchGeometry, patchify
from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer
from napari_s1omni.training.batches.auxiliary_targets import object_targets, optics_target
from napari_s1omni.training.data.samples import Sample
from napari_s1omni.training.prompts.numbers import TRACE_NUMBERS, soft_target
from napari_s1omni.training.prompts.tokenizer import number_token_ids

IGNORE_INDEX = -100
"""Label of tokens without a loss."""
_OPTICS_END = 8
"""Noise and blur are stated within so many tokens of the trace; later, the same words are plain text."""


@dataclass(frozen=True, slots=True)
class ThinkerBatch:
    """Token sequences padded to the right, patches, and targets."""

    ids: torch.Tensor
    """int64 (B, L)."""
    labels: torch.Tensor
    """int64 (B, L): the next token, or :data:`IGNORE_INDEX`."""
    weights: torch.Tensor
    """float32 (B, L): weight of each token in the loss."""
    soft: torch.Tensor
    """float32 (N, numbers): soft targets of the number tokens, in row-major order of their labels."""
    pixel_values: torch.Tensor
    """float32 (patches, values)."""
    grid: torch.Tensor
    """int64 (B, 3): time, rows and columns of patches."""
    objects: torch.Tensor
    """float32 (B, cells, 3 * OBJECT_CLASSES), see
    :func:`napari_s1omni.training.batches.auxiliary_targets.object_targets`."""
    optics: torch.Tensor
    """float32 (B, 2): log noise and log blur; NaN where unknown."""

    def to(self, device: torch.device) -> Self:
        """Move all tensors to a device."""
        return type(self)(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))


class ThinkerCollate:
    """Makes a :class:`ThinkerBatch` from samples of one size.

    Parameters
    ----------
    prompting : PromptTokenizer
    geometry : PatchGeometry
    vision : VisionConfig
    sigma : float
        Width of the soft targets of numbers, in bins.
    """

    def __init__(self, prompting: PromptTokenizer, geometry: PatchGeometry, vision: VisionConfig, sigma: float) -> None:
        self._prompting, self._geometry, self._vision, self._sigma = prompting, geometry, vision, sigma
        self._numbers = dict(zip(number_token_ids(prompting.tokenizer), TRACE_NUMBERS, strict=True))
        tokenizer = prompting.tokenizer
        self._noise_words = {tokenizer.encode(f" {w}").ids[0] for w in ("low", "medium", "high")}
        self._blur_words = {tokenizer.encode(f" {w}").ids[0] for w in ("no", "slight", "strong")}

    def __call__(self, samples: Sequence[Sample]) -> ThinkerBatch:
        """Collate the samples."""
        images = torch.from_numpy(np.stack([sample.source for sample in samples]))
        pads = self._geometry.tokens(images.shape[-2], images.shape[-1], self._vision)
        rows = [self._row(sample, pads) for sample in samples]
        length = max(len(ids) for ids, _, _ in rows)
        ids = torch.full((len(rows), length), self._prompting.ids["turn_end"])
        labels = torch.full((len(rows), length), IGNORE_INDEX)
        weights = torch.zeros(len(rows), length)
        soft: list[Any] = []
        for i, (tokens, start, weight) in enumerate(rows):
            ids[i, : len(tokens)] = torch.tensor(tokens)
            labels[i, start - 1 : len(tokens) - 1] = torch.tensor(tokens[start:])
            weights[i, start - 1 : len(tokens) - 1] = torch.tensor(weight)
            soft += [soft_target(self._numbers[t], self._sigma) for t in tokens[start:] if t in self._numbers]
        pixel_values, grid = patchify(images, self._geometry, self._vision)
        cell = self._geometry.patch * self._geometry.merge
        objects = torch.from_numpy(np.stack([object_targets(sample, cell) for sample in samples]))
        optics = torch.tensor([optics_target(sample) for sample in samples], dtype=torch.float32)
        targets = torch.from_numpy(np.stack(soft)) if soft else torch.zeros(0, len(TRACE_NUMBERS))
        return ThinkerBatch(ids, labels, weights, targets, pixel_values, grid, objects, optics)

    def _row(self, sample: Sample, pads: int) -> tuple[list[int], int, list[float]]:
        """Return the tokens of a sample, the first token of the trace, and the weight of each token of the trace."""
        prompt = self._prompting.prompt(sample.instruction, pads).ids
        body = [*self._prompting.encode(sample.truth.trace), self._prompting.ids["turn_end"]]
        return [*prompt, *body], len(prompt), [self._weight(i, token, sample) for i, token in enumerate(body)]

    def _weight(self, position: int, token: int, sample: Sample) -> float:
        if position < _OPTICS_END and token in self._blur_words:
            return 0.0 if sample.truth.blur is None else 3.0
        if position < _OPTICS_END and token in self._noise_words:
            return 0.0 if sample.truth.noise is None else 3.0
        # The first word after the tag is the polarity, on which everything else depends.
        return 3.0 if token in self._numbers or position == 1 else 1.0
