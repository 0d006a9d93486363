"""The editor's training set: freshly drawn samples, and stored ones with a thought of the thinker."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.s1omni.description import size_multiple
from napari_s1omni.engine.s1omni.editor.object_scaling import drawing_size
from napari_s1omni.engine.s1omni.thinker.thinker import Thinker
from napari_s1omni.errors import ThoughtError
from napari_s1omni.training.batches.editor_batches import EditorBatch, EditorCollate
from napari_s1omni.training.data.crops import apply_symmetry, random_crop
from napari_s1omni.training.data.resampling import resize
from napari_s1omni.training.data.samples import REAL_DATASETS, Mixture, Sample
from napari_s1omni.training.model_configs import checkpoint_config
from napari_s1omni.training.prompts.traces import TileTruth
from napari_s1omni.training.recipe import EditorRecipe
from napari_s1omni.training.training_data import TrainingData


def editor_mixture(recipe: EditorRecipe) -> Mixture:
    """Return the mixture of samples that the editor is trained on."""
    return Mixture(
        recipe.simulated,
        recipe.super_resolution,
        recipe.translation,
        enlargement=recipe.enlargement,
        object_size=recipe.scaling,
        copy_paste=recipe.copy_paste,
        dataset_weights=tuple(recipe.dataset_weights.items()) or REAL_DATASETS,
    )


class EditorDataset:
    """Makes the batch of a step.

    Parameters
    ----------
    data : TrainingData
    seed : int
    tile : int
        Edge of a sample in pixels.
    batch : int
        Samples per batch.
    """

    def __init__(self, data: TrainingData, seed: int, tile: int, batch: int) -> None:
        self._recipe = data.recipe.editor
        self._sampler = data.sampler(editor_mixture(self._recipe), seed)
        self._prompting = data.prompting()
        self._collate = EditorCollate(self._prompting, self._recipe, seed)
        self._multiple = size_multiple(checkpoint_config(data.recipe))
        self._seed, self._tile, self._batch = seed, tile, batch
        self._path = data.folder / "thoughts.pt"
        self._stored: list[dict[str, Any]] = []

    def __call__(self, step: int) -> EditorBatch:
        """Make the batch of one step."""
        if not self._stored and self._path.is_file():
            self._stored = torch.load(self._path, weights_only=True)
        rng = np.random.default_rng((self._seed, step))
        self._sampler.seed_step(step)
        self._collate.seed_step(step)
        rows = [self._draw(rng) for _ in range(self._batch)]
        return self._collate([sample for sample, _ in rows], [thought for _, thought in rows])

    def _draw(self, rng: np.random.Generator) -> tuple[Sample, tuple[int, ...] | None]:
        """Return a new sample without a thought, or a crop of a stored one with its thought."""
        if not self._stored or rng.random() >= self._recipe.self_sampled:
            return self._sampler.draw(self._tile), None
        stored = self._stored[int(rng.integers(len(self._stored)))]
        images = {name: stored[name].float().numpy() for name in ("source", "target", "base")}
        scaling = self._recipe.scaling if stored["task"] == "segmentation" else None
        if scaling is not None:
            edge = images["target"].shape[-1]
            thought = self._prompting.decode(stored["ids"])
            scaled, _ = drawing_size(thought, (edge, edge), scaling, self._multiple, 2 * edge)
            images = {name: resize(image, scaled) for name, image in images.items()}
        sample = Sample(instruction=stored["instruction"], truth=TileTruth(stored["task"], stored["noun"]), **images)
        crop = random_crop(sample, self._tile, rng)
        return apply_symmetry(crop, int(rng.integers(8))), tuple(stored["ids"])


def sample_with_thought(thinker: Thinker, sample: Sample) -> dict[str, Any]:
    """Return a sample and the thinker's thought about it as plain tensors; a failed thought is written from truth."""
    try:
        (thought,) = thinker.think(torch.from_numpy(sample.source)[None], sample.instruction, Sampling())
        ids = list(thought.token_ids)
    except ThoughtError:
        ids = list(thinker.prompting.encode(sample.truth.trace))
    images = {name: torch.from_numpy(getattr(sample, name).copy()).half() for name in ("source", "target", "base")}
    texts = {"instruction": sample.instruction, "task": sample.truth.task, "noun": sample.truth.target}
    return {**images, **texts, "ids": ids}
