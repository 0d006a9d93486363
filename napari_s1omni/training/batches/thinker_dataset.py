"""The thinker's training set: batches of freshly drawn samples."""

from __future__ import annotations

import numpy as np

from napari_s1omni.engine.s1omni.thinker.patches import PatchGeometry
from napari_s1omni.training.batches.thinker_batches import ThinkerBatch, ThinkerCollate
from napari_s1omni.training.data.samples import Mixture
from napari_s1omni.training.model_configs import VISION
from napari_s1omni.training.recipe import ThinkerRecipe
from napari_s1omni.training.training_data import TrainingData


class ThinkerDataset:
    """Makes the batch of a step of one phase.

    Parameters
    ----------
    data : TrainingData
    phase : ThinkerRecipe
    seed : int
    """

    def __init__(self, data: TrainingData, phase: ThinkerRecipe, seed: int) -> None:
        scene_weights = tuple(phase.scene_weights.items())
        mixture = Mixture(
            phase.simulated, super_resolution=0.0, translation=phase.translation, scene_weights=scene_weights
        )
        geometry = PatchGeometry(data.recipe.backbone.patch, 2, 1)
        self._phase, self._seed = phase, seed
        self._sampler = data.sampler(mixture, seed)
        self._collate = ThinkerCollate(data.prompting(), geometry, VISION, phase.number_sigma)

    def __call__(self, step: int) -> ThinkerBatch:
        """Make the batch of one step; all its tiles have one size."""
        phase = self._phase
        self._sampler.seed_step(step)
        rng = np.random.default_rng((self._seed, step))
        dice, draw = rng.random(), self._sampler.draw
        edge = phase.tile // 2 if dice < phase.half_size else phase.tile
        if phase.half_size <= dice < phase.half_size + phase.restoration:
            edge, draw = phase.tile // int(rng.choice((1, 2, 2, 4))), self._sampler.restoration
        return self._collate([draw(edge) for _ in range(phase.batch)])
