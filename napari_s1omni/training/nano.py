"""Train nano in five steps: pool, thinker, thoughts, editor, export. Finished steps are not repeated."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from napari_s1omni.training.export import export
from napari_s1omni.training.recipe import Recipe
from napari_s1omni.training.training_run import TrainingRun

STEPS = ("pool", "thinker", "thoughts", "editor", "export")
"""Steps of a training, in order."""


def main(
    config: Path | Recipe, only: str | None = None, limit: float | None = None, decay: float | None = None
) -> Path:
    """Train nano by a recipe; run again, it continues where it stopped.

    Parameters
    ----------
    config : Path or Recipe
        YAML file, or the recipe itself.
    only : {'pool', 'thinker', 'thoughts', 'editor', 'export'}, optional
        Run a single step. ``editor`` during a running ``thinker`` starts with the thinker's latest state.
    limit : float, optional
        Wall-clock minutes after which training stops and keeps its state.
    decay : float, optional
        Take a checkpoint out of a training without an end: train a copy of its editor for these minutes at a falling
        rate, and export that.

    Returns
    -------
    Path
        Folder of the finished checkpoint.

    Raises
    ------
    JobError
        If the recipe is wrong.
    EngineUnavailable
        If its device is not available.
    RunInterrupted
        If `limit` was reached before the end; run again to continue.
    """
    recipe = config if isinstance(config, Recipe) else Recipe.open(Path(config))
    torch.set_num_threads(recipe.threads)
    deadline = None if limit is None else time.monotonic() + 60 * limit
    run = TrainingRun(recipe, deadline)
    output = recipe.output_folder
    steps: dict[str, Callable[[], object]] = {
        "pool": run.data.pack_pool,
        "thinker": run.train_thinker,
        "thoughts": run.write_thoughts,
        "editor": run.train_editor,
        "export": lambda: export(run, output),
    }
    chosen: tuple[str, ...] = STEPS if only is None else (only,)
    if decay is not None:
        run.begin_decay(decay)
        chosen = ("editor", "export")
    for name in chosen:
        steps[name]()
    if decay is not None:
        run.end_decay()
    return output
