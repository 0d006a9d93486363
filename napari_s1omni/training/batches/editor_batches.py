"""Batches for the editor: source and target images, and the tokens that condition it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import torch

from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer
from napari_s1omni.training.data.samples import Sample
from napari_s1omni.training.model_configs import PREDICTION, TASKS
from napari_s1omni.training.prompts.traces import ROUTE, perturb_truth
from napari_s1omni.training.recipe import EditorRecipe

_WEIGHTS = {"segmentation": (1.0, 0.5, 1.5), "modality_translation": (1.0,) * 3}
"""Weight of each channel in the loss; the weight of residuals is in the recipe."""


@dataclass(frozen=True, slots=True)
class EditorBatch:
    """Images and token sequences of a batch."""

    base: torch.Tensor
    """float (B, 3, H, W): the source at the size of the target, model range."""
    target: torch.Tensor
    """float (B, 3, H, W): the image to draw."""
    residual: torch.Tensor
    """bool (B,): rows in which the network predicts the difference from `base`."""
    weight: torch.Tensor
    """float32 (B, 3): weight of each channel."""
    ids: torch.Tensor
    """int64 (B, L): instruction, thought and route, padded to the right."""
    mask: torch.Tensor
    """bool (B, L - drop): conditioning tokens that are not padding."""
    null: torch.Tensor
    """bool (B,): rows with an empty condition."""
    task: torch.Tensor
    """int64 (B,): index into :data:`napari_s1omni.training.model_configs.TASKS`."""
    drop: int
    """Number of tokens before the first one that conditions, which begins the user's request."""

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all tensors by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "drop"}

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Self:
        """Return the batch with a function applied to every tensor."""
        return replace(self, **{name: change(tensor) for name, tensor in self.tensors().items()})


class EditorCollate:
    """Makes an :class:`EditorBatch`; decides which rows get which thought.

    Parameters
    ----------
    prompting : PromptTokenizer
    recipe : EditorRecipe
    seed : int
    """

    def __init__(self, prompting: PromptTokenizer, recipe: EditorRecipe, seed: int) -> None:
        self._prompting, self._recipe = prompting, recipe
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        self._weights = {**_WEIGHTS, "super_resolution": (recipe.residual_weight,) * 3}

    def seed_step(self, step: int) -> None:
        """Set the random numbers to those of one training step."""
        self._rng = np.random.default_rng((self._seed, step))

    def __call__(self, samples: Sequence[Sample], thoughts: Sequence[tuple[int, ...] | None]) -> EditorBatch:
        """Collate the samples; a thought of None is written from the sample's truth."""
        rows = [self._row(sample, thought) for sample, thought in zip(samples, thoughts, strict=True)]
        drop = rows[0][1]
        # As in the engine: room for the longest thought. A random margin avoids a preferred length.
        length = max(len(ids) for ids, _ in rows) + int(self._rng.integers(0, 40))
        ids = torch.full((len(rows), length), self._prompting.ids["turn_end"])
        mask = torch.zeros(len(rows), length - drop, dtype=torch.bool)
        for i, (tokens, _) in enumerate(rows):
            ids[i, : len(tokens)] = torch.tensor(tokens)
            mask[i, : len(tokens) - drop] = True
        base, target = (torch.from_numpy(np.stack([getattr(s, k) for s in samples])) for k in ("base", "target"))
        residual = torch.tensor([PREDICTION[s.truth.task] == "residual" for s in samples])
        weight = torch.tensor([self._weights[s.truth.task] for s in samples])
        null = torch.from_numpy(self._rng.random(len(rows)) < self._recipe.proportion_empty_prompts)
        task = torch.tensor([TASKS.index(s.truth.task) for s in samples])
        return EditorBatch(base.float(), target.float(), residual, weight, ids, mask, null, task, drop)

    def _row(self, sample: Sample, thought: tuple[int, ...] | None) -> tuple[list[int], int]:
        """Return the tokens of a sample and the number of tokens before the condition."""
        prompt = self._prompting.prompt(sample.instruction, 0)
        if self._rng.random() < self._recipe.instruction_only:
            body = self._prompting.encode(ROUTE)
        else:
            perturb = self._rng.random() < self._recipe.perturbed_traces
            truth = perturb_truth(sample.truth, self._rng) if perturb else sample.truth
            body = thought or self._prompting.encode(truth.trace)
        return [*prompt.ids, *self._prompting.close_turn(body, True)], prompt.prefix
