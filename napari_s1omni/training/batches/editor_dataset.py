"""Lessons of the editor as they come: fresh samples, and stored ones for which the thinker wrote the thought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.s1omni.checkpoint.config import CheckpointConfig
from napari_s1omni.engine.s1omni.description import multiple_of
from napari_s1omni.engine.s1omni.editor.object_scaling import grid_for
from napari_s1omni.engine.s1omni.thinker.thinker import Thinker
from napari_s1omni.errors import ThoughtError
from napari_s1omni.training.batches.editor_batches import EditorBatch, EditorCollate
from napari_s1omni.training.data.crops import apply_symmetry, random_crop
from napari_s1omni.training.data.resampling import resize
from napari_s1omni.training.data.samples import REAL_DATASETS, Mixture, Sample
from napari_s1omni.training.export import checkpoint_facts
from napari_s1omni.training.prompts.traces import Truth
from napari_s1omni.training.recipe import EditorRecipe

if TYPE_CHECKING:
    from napari_s1omni.training.training_run import TrainingRun


def editor_mixture(recipe: EditorRecipe) -> Mixture:
    """What the editor's lessons are drawn from."""
    return Mixture(
        recipe.simulated,
        recipe.super_resolution,
        recipe.translation,
        enlargement=recipe.enlargement,
        object_size=recipe.grid,
        crowded=recipe.crowded,
        weights=tuple(recipe.real.items()) or REAL_DATASETS,
    )


class EditorDataset:
    """Makes batches for the editor: fresh samples, and stored ones for which the thinker wrote the thought."""

    def __init__(self, workshop: TrainingRun, seed: int, tile: int, batch: int) -> None:
        recipe = workshop.recipe.editor
        self._sampler = workshop.sampler(editor_mixture(recipe), seed)
        self._prompting = workshop.prompting()
        self._collate = EditorCollate(self._prompting, recipe, seed)
        self._multiple = multiple_of(CheckpointConfig.model_validate(checkpoint_facts(workshop.recipe)))
        self._tile, self._batch = tile, batch
        self._recipe, self._path = recipe, workshop.folder / "thoughts.pt"
        self._seed = seed
        self._stored: list[dict[str, Any]] = []

    def __call__(self, step: int) -> EditorBatch:
        """Make the batch of one step."""
        if not self._stored and self._path.is_file():
            self._stored = torch.load(self._path, weights_only=True)
        rng = np.random.default_rng((self._seed, step))
        for part in (self._sampler, self._collate):
            part.at_step(step)
        drawn = [self._one(rng) for _ in range(self._batch)]
        return self._collate([sample for sample, _ in drawn], [thought for _, thought in drawn])

    def _one(self, rng: np.random.Generator) -> tuple[Sample, tuple[int, ...] | None]:
        if not self._stored or rng.random() >= self._recipe.self_sampled:
            return self._sampler.draw(self._tile), None
        kept = self._stored[int(rng.integers(len(self._stored)))]
        images = {name: kept[name].float().numpy() for name in ("source", "target", "base")}
        grid = self._recipe.grid if kept["task"] == "segmentation" else None
        if grid is not None:
            whole = images["target"].shape[-1]
            edge, _ = grid_for(self._prompting.decode(kept["ids"]), (whole, whole), grid, self._multiple, 2 * whole)
            images = {name: resize(image, edge) for name, image in images.items()}
        sample = Sample(instruction=kept["instruction"], truth=Truth(kept["task"], kept["noun"]), **images)
        seen = random_crop(sample, self._tile, rng)
        return apply_symmetry(seen, int(rng.integers(8))), tuple(kept["ids"])


def sample_with_thought(thinker: Thinker, sample: Sample) -> dict[str, Any]:
    """One sample and the thought the thinker has of it, as plain tensors."""
    try:
        (thought,) = thinker.think(torch.from_numpy(sample.source)[None], sample.instruction, Sampling())
        ids = list(thought.token_ids)
    except ThoughtError:
        ids = list(thinker.prompting.encode(sample.truth.text))
    images = {name: torch.from_numpy(getattr(sample, name).copy()).half() for name in ("source", "target", "base")}
    facts = {"instruction": sample.instruction, "task": sample.truth.task, "noun": sample.truth.target}
    return {**images, **facts, "ids": ids}
