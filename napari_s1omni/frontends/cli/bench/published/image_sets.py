"""``s1omni bench msd``, ``cigrocksem``, ``synthrad2025`` and ``ixi``: score an engine on a published set of images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_s1omni.core.tiling import Fit
from napari_s1omni.evaluation.datasets.registry import BENCHMARKS
from napari_s1omni.evaluation.datasets.scoring import evaluate, means
from napari_s1omni.frontends.cli.arguments import folder_to_read
from napari_s1omni.frontends.cli.printing import print_json
from napari_s1omni.frontends.cli.run_options import Json

Name = Literal["msd", "cigrocksem", "synthrad2025", "ixi"]
Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="The data in its published folder layout.", parser=folder_to_read)
]
Predictions = Annotated[
    Path | None,
    typer.Option(
        "--predictions",
        help="Score predictions in this folder; run no engine.",
        show_default=False,
        parser=folder_to_read,
    ),
]
Engine = Annotated[str, typer.Option("--engine", "-e", help="Engine to run.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Cases to score.", show_default="all")]
FitOption = Annotated[
    Fit,
    typer.Option(
        "--fit", help="How images are shown to a model trained at one size. Published figures are those of 'stretch'."
    ),
]


def evaluate_benchmark(
    name: Annotated[Name, typer.Argument(metavar="NAME", help="msd, cigrocksem, synthrad2025 or ixi.")],
    folder: Folder,
    predictions: Predictions = None,
    engine: Engine = "auto",
    limit: Limit = None,
    fit: FitOption = "stretch",
    json: Json = False,
) -> None:
    """Score an engine, or existing predictions, by the protocol of a published benchmark.

    Prints the protocol with the scores. 's1omni bench NAME' is the same.
    """
    benchmark = BENCHMARKS[name]
    rows = list(evaluate(benchmark, folder, predictions=predictions, engine=engine, limit=limit, fit=fit))
    groups = means(rows)
    if json:
        cases = [{"group": r.group, "case": r.name, **{k: _plain(v) for k, v in r.numbers.items()}} for r in rows]
        tidy = {group: {k: _plain(v) for k, v in numbers.items()} for group, numbers in groups.items()}
        print_json({"benchmark": name, "protocol": benchmark.protocol, "means": tidy, "cases": cases})
        return
    typer.echo(benchmark.protocol + "\n")
    names = list(next(iter(groups.values())))
    typer.echo(f"| group | cases | {' | '.join(names)} |\n|---|---|{'---|' * len(names)}")
    for group, numbers in groups.items():
        count = len(rows) if group == "all" else sum(row.group == group for row in rows)
        typer.echo(f"| {group} | {count} | {' | '.join(f'{numbers[n]:.4f}' for n in names)} |")


def msd(
    folder: Folder,
    predictions: Predictions = None,
    engine: Engine = "auto",
    limit: Limit = None,
    fit: FitOption = "stretch",
    json: Json = False,
) -> None:
    """Score an engine, or existing predictions, on a task of the Medical Segmentation Decathlon."""
    evaluate_benchmark("msd", folder, predictions, engine, limit, fit, json)


def cigrocksem(
    folder: Folder,
    predictions: Predictions = None,
    engine: Engine = "auto",
    limit: Limit = None,
    fit: FitOption = "stretch",
    json: Json = False,
) -> None:
    """Score an engine, or existing predictions, on cigRockSEM."""
    evaluate_benchmark("cigrocksem", folder, predictions, engine, limit, fit, json)


def synthrad2025(
    folder: Folder,
    predictions: Predictions = None,
    engine: Engine = "auto",
    limit: Limit = None,
    fit: FitOption = "stretch",
    json: Json = False,
) -> None:
    """Score an engine, or existing predictions, on SynthRAD2025."""
    evaluate_benchmark("synthrad2025", folder, predictions, engine, limit, fit, json)


def ixi(
    folder: Folder,
    predictions: Predictions = None,
    engine: Engine = "auto",
    limit: Limit = None,
    fit: FitOption = "stretch",
    json: Json = False,
) -> None:
    """Score an engine, or existing predictions, on IXI."""
    evaluate_benchmark("ixi", folder, predictions, engine, limit, fit, json)


def _plain(value: float) -> float | None:
    # JSON has no infinity and no not-a-number.
    return value if math.isfinite(value) else None
