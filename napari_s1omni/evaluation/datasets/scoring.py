"""Score an engine, or existing predictions, on a benchmark."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Fit
from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.datasets.benchmark import Benchmark, Case
from napari_s1omni.evaluation.datasets.images import read_image
from napari_s1omni.jobs.options import make_job
from napari_s1omni.jobs.run import run


@dataclass(frozen=True, slots=True)
class CaseScore:
    """Metrics of one case."""

    group: str
    name: str
    numbers: Mapping[str, float]


def evaluate(
    benchmark: Benchmark,
    folder: Path,
    *,
    predictions: Path | None = None,
    engine: str = "auto",
    limit: int | None = None,
    fit: Fit = "stretch",
) -> Iterator[CaseScore]:
    """Run an engine on a benchmark, or read existing predictions, and score each case.

    Parameters
    ----------
    benchmark : Benchmark
    folder : Path
        Folder in the official layout.
    predictions : Path, optional
        Folder with one file per case, named as the benchmark requires; no engine is run.
    engine : str
        Engine to run.
    limit : int, optional
        Largest number of cases.
    fit : str
        As :attr:`napari_s1omni.core.tiling.Tiling.fit`. Published figures are those of the released program, which
        stretches every image to the size of training.

    Yields
    ------
    CaseScore

    Raises
    ------
    SourceError
        If the folder has another layout, or a prediction is missing or has the wrong size.
    OperationRefused
        If the engine does not support the operation.
    """
    empty = True
    for number, case in enumerate(benchmark.cases(folder)):
        if limit is not None and number >= limit:
            return
        empty = False
        found = _run(benchmark, case, engine, fit) if predictions is None else _read_prediction(case, predictions)
        if found.shape != case.truth.shape:
            raise SourceError(
                f"the prediction of {case.name} has shape {found.shape}",
                f"the shape of the truth, {case.truth.shape}",
                "predict on the grid of the truth",
            )
        yield CaseScore(case.group, case.name, benchmark.score(case, found))
    if empty:
        raise SourceError(f"{folder} holds no case of {benchmark.name}", benchmark.protocol, "name its folder")


def means(rows: list[CaseScore]) -> dict[str, dict[str, float]]:
    """Return the mean of each metric over each group, and over all groups as ``all`` (each group counts once)."""
    found: dict[str, dict[str, float]] = {}
    for group in dict.fromkeys(row.group for row in rows):
        own = [row.numbers for row in rows if row.group == group]
        found[group] = {name: _mean([numbers[name] for numbers in own]) for name in own[0]}
    if len(found) > 1:
        first = next(iter(found.values()))
        found["all"] = {name: _mean([numbers[name] for numbers in found.values()]) for name in first}
    return found


def _run(benchmark: Benchmark, case: Case, engine: str, fit: Fit) -> NDArray[Any]:
    axes = "zyx"[-case.image.ndim :]
    with tempfile.TemporaryDirectory() as folder:
        job, array = make_job(
            benchmark.operation,
            case.image,
            str(Path(folder) / "result"),
            options={"engine": engine, "axes": axes, "fit": fit, **case.options},
        )
        return np.asarray(run(job, array, durable=False).array[...])


def _read_prediction(case: Case, folder: Path) -> NDArray[Any]:
    path = folder / case.prediction
    if not path.is_file():
        raise SourceError(
            f"no prediction of {case.name} at {path}", "one file per case", "predict all cases, or --limit"
        )
    pixels = read_image(path)
    return pixels if case.label is None else (pixels == case.label).astype(np.uint8)


def _mean(values: list[float]) -> float:
    # Cases without truth have no value (NaN); a perfect case has an infinite PSNR.
    known = [v for v in values if not math.isnan(v)]
    return float(np.mean(known)) if known else math.nan
