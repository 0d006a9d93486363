"""An engine whose editor gets an altered condition."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.protocol import Images, Thought
from napari_s1omni.engine.s1omni.engine import S1OmniEngine
from napari_s1omni.engine.s1omni.thinker.thinker import Condition
from napari_s1omni.training.model_configs import TASKS
from napari_s1omni.training.stages.task_embedding import task_states

CONTROL = "task embedding only"
"""The condition of another editor, trained with one learned vector per task instead of the thinker's states."""
STATE_VARIANTS = ("zeroed", "random of equal norm")
"""Variants that replace the thinker's states."""


class AlteredEngine(S1OmniEngine):
    """The engine with another condition in place of the thinker's states."""

    alteration: str | None = None
    """One of :data:`STATE_VARIANTS`, :data:`CONTROL`, or None for the engine's own condition."""
    seed = 0

    @classmethod
    def of(cls, engine: S1OmniEngine) -> AlteredEngine:
        """Wrap a loaded engine."""
        altered = cls.__new__(cls)
        altered.__dict__.update(engine.__dict__)
        return altered

    def condition(
        self, images: Images | None, thoughts: Sequence[Thought], sampling: Sampling, limit: int | None
    ) -> Condition:
        """Return the engine's condition, altered."""
        if self.alteration == CONTROL:
            tasks = [TASKS.index(Instruction.read(thought.prompt or thought.text).task) for thought in thoughts]
            states = task_states(torch.tensor(tasks), self._config.alignment_layer.input_dim)
            return self.connect(Condition(states, torch.ones(states.shape[:2], dtype=torch.bool)))
        own = super().condition(images, thoughts, sampling, limit)
        if self.alteration is None:
            return own
        if self.alteration == "zeroed":
            return Condition(torch.zeros_like(own.states), own.mask)
        generator = torch.Generator().manual_seed(self.seed)
        noise = torch.randn(own.states.shape, generator=generator)
        scale = own.states.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True)
        return Condition(noise * scale, own.mask)
