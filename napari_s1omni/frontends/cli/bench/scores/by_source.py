"""``s1omni bench nuclei --unseen``: what engines find on images of other microscopes and laboratories."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from napari_s1omni.evaluation.nano.by_source import AUTO, SourceScores, score_sources
from napari_s1omni.frontends.cli.printing import print_json
from napari_s1omni.training.data.split import Subset


def print_by_source(data: Path, subset: Subset, engines: Sequence[str], most: int | None, json: bool) -> None:
    """Print AP at IoU 0.5 of each source, a row as soon as it is measured; the last row is the mean of all rows.

    Parameters
    ----------
    data : Path
        Folder of the data.
    subset : {'unseen', 'validation', 'former_validation'}
    engines : sequence of str
    most : int, optional
        Images of each source to take.
    json : bool
        Print one JSON document instead.
    """
    auto = AUTO in engines
    if not json:
        head = ["source", "images", "objects", *engines, *(["auto chose"] if auto else [])]
        typer.echo(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    found: list[SourceScores] = []
    for scores in score_sources(data, engines, subset, most):
        found.append(scores)
        if not json:
            numbers = [f"{scores.average_precision[engine]:.3f}" for engine in engines]
            chosen = [", ".join(f"{name} {n}" for name, n in sorted(scores.chosen.items()))] if auto else []
            typer.echo(f"| {' | '.join([scores.name, str(scores.images), str(scores.objects), *numbers, *chosen])} |")
    if json:
        print_json([_row(scores) for scores in found])
    elif found:
        means = [f"{sum(s.average_precision[engine] for s in found) / len(found):.3f}" for engine in engines]
        images, objects = sum(s.images for s in found), sum(s.objects for s in found)
        typer.echo(f"| {' | '.join(['mean', str(images), str(objects), *means, *([''] if auto else [])])} |")


def _row(scores: SourceScores) -> dict[str, object]:
    return {
        "source": scores.name,
        "images": scores.images,
        "objects": scores.objects,
        "ap": scores.average_precision,
        "chosen": dict(scores.chosen),
    }
