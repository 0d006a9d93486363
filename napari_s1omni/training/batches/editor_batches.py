"""Lessons of the editor: images to draw, and the tokens of what is told and thought of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import torch

from napari_s1omni.engine.s1omni.thinker.prompting import Prompting
from napari_s1omni.training.data.samples import Sample
from napari_s1omni.training.prompts.traces import ROUTE, perturb_truth
from napari_s1omni.training.recipe import EditorRecipe

PREDICTION = {"segmentation": "x0", "modality_translation": "x0", "super_resolution": "residual"}
"""What the editor's output means, per task."""
TASKS = tuple(PREDICTION)
_WEIGHTS = {"segmentation": (1.0, 0.5, 1.5), "modality_translation": (1.0,) * 3}
"""Weight of each drawn channel in the loss; that of residuals stands in the recipe."""


@dataclass(frozen=True, slots=True)
class EditorBatch:
    """Images and token sequences of a batch."""

    base: torch.Tensor
    """float (B, 3, H, W): the source at the size to draw, model range."""
    target: torch.Tensor
    """float (B, 3, H, W): the image to draw."""
    residual: torch.Tensor
    """bool (B,): rows in which the network gives the difference to `base`."""
    weight: torch.Tensor
    """float32 (B, 3): weight of each drawn channel."""
    ids: torch.Tensor
    """int64 (B, L): instruction, thought and route, padded to the right."""
    mask: torch.Tensor
    """bool (B, L - drop): which of the tokens that condition are not padding."""
    null: torch.Tensor
    """bool (B,): rows whose condition is empty."""
    task: torch.Tensor
    """int64 (B,): index into :data:`TASKS`."""
    drop: int
    """First token that conditions: the user's own words."""

    def tensors(self) -> dict[str, torch.Tensor]:
        """Every tensor by its name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "drop"}

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Self:
        """Return the batch with every tensor changed."""
        return replace(self, **{name: change(tensor) for name, tensor in self.tensors().items()})


class EditorCollate:
    """Makes an :class:`EditorBatch`; decides which rows see which thought.

    Parameters
    ----------
    prompting : Prompting
    recipe : EditorRecipe
    seed : int
    """

    def __init__(self, prompting: Prompting, recipe: EditorRecipe, seed: int) -> None:
        self._prompting, self._recipe = prompting, recipe
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        self._weights = {**_WEIGHTS, "super_resolution": (recipe.residual_weight,) * 3}

    def at_step(self, step: int) -> None:
        """Go on with the random numbers of one step of training."""
        self._rng = np.random.default_rng((self._seed, step))

    def __call__(self, samples: Sequence[Sample], thoughts: Sequence[tuple[int, ...] | None]) -> EditorBatch:
        """Collate; a thought of None is written from the sample's truth."""
        rows = [self._row(sample, thought) for sample, thought in zip(samples, thoughts, strict=True)]
        drop = rows[0][1]
        # As in the engine: room for the longest thought, plus a little chance so that no length is special.
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
        prompt = self._prompting.prompt(sample.instruction, 0)
        if self._rng.random() < self._recipe.instruction_only:
            body = self._prompting.encode(ROUTE)
        else:
            off = self._rng.random() < self._recipe.misjudged
            truth = perturb_truth(sample.truth, self._rng) if off else sample.truth
            body = thought or self._prompting.encode(truth.text)
        return [*prompt.ids, *self._prompting.closed(body, True)], prompt.drop
