"""nano, to a checkpoint: pool, thinker, thoughts, editor, export. Each step is kept and not repeated."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from napari_s1omni.training.export import export
from napari_s1omni.training.recipe import Recipe
from napari_s1omni.training.training_run import TrainingRun

STEPS = ("pool", "thinker", "thoughts", "editor", "export")
"""Steps of a training, one after the other."""


def main(config: Path | Recipe, only: str | None = None, limit: float | None = None) -> Path:
    """Train nano as a recipe says; run again, it continues where it stopped.

    Parameters
    ----------
    config : Path or Recipe
        YAML file, or the recipe itself.
    only : {'pool', 'thinker', 'thoughts', 'editor', 'export'}, optional
        Do one step. ``editor`` beside a running ``thinker`` begins with the state the thinker has by then.
    limit : float, optional
        Minutes of the clock after which training stops for now and keeps its state.

    Returns
    -------
    Path
        Folder of the finished checkpoint.

    Raises
    ------
    JobError
        If the recipe is wrong.
    EngineUnavailable
        If its device is not here.
    RunInterrupted
        If `limit` was reached before the end; run again, it goes on.
    """
    recipe = config if isinstance(config, Recipe) else Recipe.open(Path(config))
    torch.set_num_threads(recipe.threads)
    until = None if limit is None else time.monotonic() + 60 * limit
    workshop = TrainingRun(recipe, until)
    output = Path(recipe.output)
    steps: dict[str, Callable[[], object]] = {
        "pool": workshop.pack,
        "thinker": workshop.thinker,
        "thoughts": workshop.thoughts,
        "editor": workshop.editor,
        "export": lambda: export(workshop, output),
    }
    for name in STEPS:
        if only in (None, name):
            steps[name]()
    return output
