"""``s1omni train score``: score the present weights of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_s1omni.settings import data_folder


def score(
    config: Annotated[Path, typer.Option("--config", help="Recipe of the training, in YAML.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of the data.", show_default="$S1OMNI_DATA")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Images of each source to take.")] = 6,
) -> None:
    """Score the averaged weights on sources that no training read, and on validation fields; add that to its log.

    A running training is not disturbed.
    """
    from napari_s1omni.evaluation.nano.by_source import score_sources
    from napari_s1omni.training.export import export
    from napari_s1omni.training.recipe import Recipe
    from napari_s1omni.training.stages.progress import LOG, append_line
    from napari_s1omni.training.training_run import TrainingRun

    run = TrainingRun(Recipe.open(config))
    lessons = run.editor_lessons()
    folder = str(export(run, run.folder / "latest"))
    for subset in ("unseen", "validation"):
        found = score_sources(data_folder(data), [folder], subset, most)
        scores = {f"{source.name} ({subset})": source.average_precision[folder] for source in found}
        append_line(run.folder / LOG, {"stage": "score", "lessons": lessons, "scores": scores})
