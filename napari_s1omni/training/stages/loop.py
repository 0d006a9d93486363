"""The loop that both stages share: steps, learning rate, states to go on from, and when to stop."""

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
from napari_s1omni.training.stages.progress import Progress, load_state, save_state

_LAST = 0.02
"""Share of the learning rate that is left in the end."""


@dataclass(frozen=True, slots=True)
class TrainingEnvironment:
    """Where a training happens, and until when."""

    device: torch.device
    seed: int = 0
    until: float | None = None
    """Reading of the monotonic clock at which to stop for now; None: not before the recipe is done."""

    def clock(self) -> float:
        """Seconds that training is charged for: of processor per thread on a CPU, so that waiting is free."""
        if self.device.type == "cpu":
            return time.process_time() / int(torch.get_num_threads())
        return time.monotonic()


def choose_device(name: str) -> torch.device:
    """Return a device by name; ``auto`` is a GPU where there is one.

    Raises
    ------
    EngineUnavailable
        If it is not here.
    """
    gpu = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if gpu else "cpu")
    if name.startswith("cuda") and not gpu:
        raise EngineUnavailable(f"the device '{name}' is not here", "cpu", "set `device: cpu` or `device: auto`")
    return torch.device(name)


def train(
    recipe: StageRecipe,
    parts: dict[str, Any],
    lessons: Callable[[int], Iterator[Any]],
    lesson: Callable[[Any], tuple[torch.Tensor, dict[str, float]]],
    state: Path,
    progress: Progress,
    bench: TrainingEnvironment,
    after_step: Callable[[int], None] = lambda step: None,
    after_save: Callable[[], None] = lambda: None,
) -> None:
    """Train until the recipe's time or steps are used up; goes on from `state` if it exists.

    A step's lessons and random numbers depend on the step alone, so that a training that was interrupted at a
    saved state takes the very same steps as one that was not.

    Parameters
    ----------
    recipe : StageRecipe
    parts : dict
        What a state holds; ``model`` and ``optimiser`` learn.
    lessons : callable
        Returns the batches from a step on.
    lesson : callable
        Returns the loss of a batch, and numbers for the log.
    state : Path
        File of the state, written every few minutes and at the end.
    progress : Progress
    bench : TrainingEnvironment
    after_step, after_save : callable, optional

    Raises
    ------
    RunInterrupted
        If the bench's time is over before the recipe is done; the state is kept.
    """
    model, optimiser = parts["model"], parts["optimiser"]
    learning = [p for p in model.parameters() if p.requires_grad]
    used, step = load_state(state, parts)
    batches = lessons(step)
    saved, begin = time.monotonic(), bench.clock()
    model.train()
    while used < 60 * recipe.minutes and step < recipe.steps:
        share = max(used / (60 * recipe.minutes), step / recipe.steps)
        warm = min(1.0, (step + 1) / recipe.warmup)
        rate = recipe.learning_rate * warm * (_LAST + (1 - _LAST) * 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimiser.param_groups:
            group["lr"] = group.get("share", 1.0) * rate
        batch = next(batches)
        torch.manual_seed(bench.seed * 1_000_003 + step)
        with _half(bench.device, recipe.bfloat16):
            loss, numbers = lesson(batch)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step()
        step += 1
        after_step(step)
        now = bench.clock()
        used, begin = used + now - begin, now
        progress.note(step, len(batch.ids), used, numbers)
        over = bench.until is not None and time.monotonic() > bench.until
        if over or time.monotonic() - saved > 60 * recipe.save_every:
            save_state(state, parts, used, step)
            after_save()
            saved, begin = time.monotonic(), bench.clock()
        if over:
            raise RunInterrupted(
                f"the training stopped at step {step}, {used / 60:.1f} of {recipe.minutes:g} minutes",
                "time up to the given limit",
                "run the same command again; it goes on from there",
                step=step,
                state=str(state),
            )
    save_state(state, parts, used, step)
    after_save()


def _half(device: torch.device, wanted: bool) -> contextlib.AbstractContextManager[Any]:
    half: contextlib.AbstractContextManager[Any] = torch.autocast(device.type, torch.bfloat16, enabled=wanted)
    return half
