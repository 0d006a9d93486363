"""Benchmark: an official folder layout, what to run on it, and the numbers by which it is judged."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.datasets.metaimage import read_metaimage
from napari_s1omni.jobs import run as api
from napari_s1omni.storage.source import open_source

OperationType = Literal["segmentation", "super_resolution", "modality_translation"]


@dataclass(frozen=True, slots=True)
class Case:
    """One image of a benchmark with its truth."""

    name: str
    """Such as the stem of its file."""
    group: str
    """What means are taken over: an organ, a rock, a region of the body."""
    image: NDArray[Any]
    """What is shown to the engine, (y, x) or (z, y, x)."""
    truth: NDArray[Any]
    """What should come out."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the operation, such as the prompt."""
    inside: NDArray[np.bool_] | None = None
    """Where numbers count; None is everywhere."""
    label: int | None = None
    """Value that stands for this group in a file of predictions; None takes every value that is not 0."""
    prediction: str = ""
    """Where a prediction of this case lies in a folder of predictions."""


class Benchmark(Protocol):
    """One protocol."""

    name: ClassVar[str]
    """As the command line calls it."""
    operation: ClassVar[OperationType]
    protocol: ClassVar[str]
    """What is computed and how, in sentences that belong beside the numbers."""

    def cases(self, folder: Path) -> Iterator[Case]:
        """Yield the cases of the official layout, one at a time.

        Raises
        ------
        SourceError
            If the folder does not have that layout.
        """
        ...

    def score(self, case: Case, predicted: NDArray[Any]) -> dict[str, float]:
        """Return the numbers of one case."""
        ...


@dataclass(frozen=True, slots=True)
class CaseScore:
    """Numbers of one case."""

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
) -> Iterator[CaseScore]:
    """Run an engine on a benchmark, or take predictions that are there, and score each case.

    Parameters
    ----------
    benchmark : Benchmark
    folder : Path
        In the official layout.
    predictions : Path, optional
        Folder with a file per case, under the names that the benchmark states; nothing is run then.
    engine : str
        Engine to run.
    limit : int, optional
        Cases to take.

    Yields
    ------
    CaseScore

    Raises
    ------
    SourceError
        If the folder has another layout, or a prediction is missing or has another size.
    OperationRefused
        If the engine cannot do it.
    """
    none = True
    for number, case in enumerate(benchmark.cases(folder)):
        if limit is not None and number >= limit:
            return
        none = False
        found = _run(benchmark, case, engine) if predictions is None else _read(case, predictions)
        if found.shape != case.truth.shape:
            raise SourceError(
                f"the prediction of {case.name} has shape {found.shape}",
                f"the shape of the truth, {case.truth.shape}",
                "predict on the grid of the truth",
            )
        yield CaseScore(case.group, case.name, benchmark.score(case, found))
    if none:
        raise SourceError(f"{folder} holds no case of {benchmark.name}", benchmark.protocol, "name its folder")


def means(rows: list[CaseScore]) -> dict[str, dict[str, float]]:
    """Mean of each number over the cases of each group, and over all groups as ``all`` (each group counts once)."""
    found: dict[str, dict[str, float]] = {}
    for group in dict.fromkeys(row.group for row in rows):
        own = [row.numbers for row in rows if row.group == group]
        found[group] = {name: _mean([numbers[name] for numbers in own]) for name in own[0]}
    if len(found) > 1:
        first = next(iter(found.values()))
        found["all"] = {name: _mean([numbers[name] for numbers in found.values()]) for name in first}
    return found


def read_image(path: Path) -> NDArray[Any]:
    """Read an image, also MetaImage, as (y, x) or (z, y, x); of several time points or channels the first.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    if path.suffix == ".mha":
        return read_metaimage(path)
    source = open_source(str(path))
    spec = source.spec
    pixels = source.read(
        [slice(0, n) if a in "zyx" else slice(0, 1) for a, n in zip(spec.axes, spec.shape, strict=True)]
    )
    return pixels.squeeze(tuple(i for i, a in enumerate(spec.axes) if a not in "zyx"))


def _run(benchmark: Benchmark, case: Case, engine: str) -> NDArray[Any]:
    axes = "zyx"[-case.image.ndim :]
    with tempfile.TemporaryDirectory() as folder:
        job, array = api.make_job(
            benchmark.operation,
            case.image,
            str(Path(folder) / "result"),
            options={"engine": engine, "axes": axes, **case.options},
        )
        return np.asarray(api.run(job, array, durable=False).array[...])


def _read(case: Case, folder: Path) -> NDArray[Any]:
    path = folder / case.prediction
    if not path.is_file():
        raise SourceError(f"no prediction of {case.name} at {path}", "a file per case", "predict all cases, or --limit")
    pixels = read_image(path)
    return pixels if case.label is None else (pixels == case.label).astype(np.uint8)


def _mean(values: list[float]) -> float:
    # A perfect case has an infinite PSNR, a case without truth no number at all.
    known = [v for v in values if not math.isnan(v)]
    return float(np.mean(known)) if known else math.nan
