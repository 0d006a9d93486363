"""The training loop of both stages: steps, learning rate, saved states, and when to stop."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_s1omni.errors import EngineUnavailable, RunInterrupted
from napari_s1omni.training.recipe import StageRecipe
from napari_s1omni.training.stages.progress import Progress
from napari_s1omni.training.stages.state_file import load_state, save_state

_FINAL_RATE = 0.02
"""Learning rate at the end, as a share of the full one."""


@dataclass(frozen=True, slots=True)
class TrainingEnvironment:
    """Device, seed and deadline of a training."""

    device: torch.device
    seed: int = 0
    deadline: float | None = None
    """Reading of the monotonic clock at which to stop; None: train until the recipe is done."""

    def clock(self) -> float:
        """Return the seconds used: CPU time per thread on a CPU, so that waiting is free; wall-clock time on a GPU."""
        if self.device.type == "cpu":
            return time.process_time() / int(torch.get_num_threads())
        return time.monotonic()


def choose_device(name: str) -> torch.device:
    """Return a device by name; ``auto`` is a GPU if there is one.

    Raises
    ------
    EngineUnavailable
        If it is not available.
    """
    gpu = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if gpu else "cpu")
    if name.startswith("cuda") and not gpu:
        raise EngineUnavailable(f"the device '{name}' is not available", "cpu", "set `device: cpu` or `device: auto`")
    return torch.device(name)


@dataclass(frozen=True, slots=True)
class TrainingLoop:
    """The loop of one stage or phase."""

    recipe: StageRecipe
    state: Path
    """File of the state, written every few minutes and at the end."""
    progress: Progress
    environment: TrainingEnvironment

    def run(
        self,
        parts: dict[str, Any],
        batches_from: Callable[[int], Iterator[Any]],
        compute_loss: Callable[[Any], tuple[torch.Tensor, dict[str, float]]],
        after_step: Callable[[int], None] = lambda step: None,
        after_save: Callable[[], None] = lambda: None,
    ) -> None:
        """Train until the recipe's time or steps are used up; continue from the saved state if there is one.

        The batch and the random numbers of a step depend only on the step. A training that was interrupted at a saved
        state therefore takes exactly the same steps as an uninterrupted one.

        Parameters
        ----------
        parts : dict
            Parts of the state by name; ``model`` and ``optimiser`` are trained.
        batches_from : callable
            Returns the batches from a step on.
        compute_loss : callable
            Returns the loss of a batch, and numbers for the log.
        after_step, after_save : callable, optional

        Raises
        ------
        RunInterrupted
            If the deadline has passed before the recipe is done; the state is kept.
        """
        recipe, environment = self.recipe, self.environment
        model, optimiser = parts["model"], parts["optimiser"]
        trainable = [p for p in model.parameters() if p.requires_grad]
        used, step = load_state(self.state, parts)
        batches = batches_from(step)
        saved, begin = time.monotonic(), environment.clock()
        model.train()
        while used < 60 * recipe.minutes and step < recipe.steps:
            rate = self._learning_rate(used, step)
            for group in optimiser.param_groups:
                group["lr"] = group.get("share", 1.0) * rate
            batch = next(batches)
            torch.manual_seed(environment.seed * 1_000_003 + step)
            with _autocast(environment.device, recipe.bfloat16):
                loss, numbers = compute_loss(batch)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trainable, 1.0)
            optimiser.step()
            step += 1
            after_step(step)
            now = environment.clock()
            used, begin = used + now - begin, now
            self.progress.record_step(step, len(batch.ids), used, numbers)
            late = environment.deadline is not None and time.monotonic() > environment.deadline
            if late or time.monotonic() - saved > 60 * recipe.save_every:
                save_state(self.state, parts, used, step)
                after_save()
                saved, begin = time.monotonic(), environment.clock()
            if late:
                self.progress.flush()
                raise RunInterrupted(
                    f"the training stopped at step {step}, {used / 60:.1f} of {recipe.minutes:g} minutes",
                    "time up to the given limit",
                    "run the same command again to continue",
                    step=step,
                    state=str(self.state),
                )
        self.progress.flush()
        save_state(self.state, parts, used, step)
        after_save()

    def _learning_rate(self, used: float, step: int) -> float:
        """Return the learning rate: linear warmup, then the schedule by time or steps, whichever is further."""
        recipe = self.recipe
        warm = min(1.0, (step + 1) / recipe.warmup)
        if recipe.schedule == "constant":
            left = recipe.minutes - used / 60
            fallen = 0.0 if left >= recipe.decay else 1 - max(left, 0.0) / recipe.decay
            return recipe.learning_rate * warm * (1 - math.sqrt(fallen))
        share = max(used / (60 * recipe.minutes), step / recipe.steps)
        return recipe.learning_rate * warm * (_FINAL_RATE + (1 - _FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * share)))


def _autocast(device: torch.device, bfloat16: bool) -> contextlib.AbstractContextManager[Any]:
    context: contextlib.AbstractContextManager[Any] = torch.autocast(device.type, torch.bfloat16, enabled=bfloat16)
    return context
