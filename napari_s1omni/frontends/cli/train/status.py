"""``s1omni train status``: how far a training is."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_s1omni.errors import JobError
from napari_s1omni.settings import cache_folder

_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS = 60


def status(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder of the training.", show_default="training/nano in the user's cache folder"),
    ] = None,
) -> None:
    """Print how far a training is, and plot its losses and validation scores over its lessons."""
    from napari_s1omni.training.stages.progress import LOG, read_lines

    work = folder or cache_folder() / "training" / "nano"
    lines = read_lines(work / LOG)
    if not lines:
        raise JobError(f"{work} holds no training", "a folder with progress.jsonl", "train first")
    last = next(line for line in reversed(lines) if "minutes" in line)
    minutes = f"{last['minutes']:.0f} min of processor time"
    typer.echo(f"{last['stage']}: {last['lessons']:,} lessons in {minutes}, last at {last['time']}")
    for name, values in _curves(lines).items():
        typer.echo(f"{name:>24} {_plot(values)} {values[0]:.4g} to {values[-1]:.4g}")


def _curves(lines: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Return the values of each loss and score in the order of the log."""
    curves: dict[str, list[float]] = {}
    for line in lines:
        for name, value in {**line.get("loss", {}), **line.get("scores", {})}.items():
            curves.setdefault(name, []).append(float(value))
    return curves


def _plot(values: list[float]) -> str:
    """Return a line of bars, each the mean of an equal part of the values."""
    parts = min(_COLUMNS, len(values))
    edges = [i * len(values) // parts for i in range(parts + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, spread = min(means), max(means) - min(means)
    return "".join(_BARS[int((mean - low) / spread * (len(_BARS) - 1)) if spread else 0] for mean in means)
