"""``s1omni evaluate``: compare a result with ground truth."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from napari_s1omni.core.paths import full_path
from napari_s1omni.errors import JobError, PlanError
from napari_s1omni.evaluation import metrics
from napari_s1omni.frontends.cli.arguments import ResultPlace
from napari_s1omni.frontends.cli.formatting import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import HOLES, Json
from napari_s1omni.results.result import Result
from napari_s1omni.storage.source import open_source


def evaluate(
    output: ResultPlace,
    truth: Annotated[
        str,
        typer.Option("--truth", metavar="FILE", help="Ground truth: any image that can be read.", parser=full_path),
    ],
    axes: Annotated[str | None, typer.Option("--axes", help="Axes of the ground truth, if not in its file.")] = None,
    data_range: Annotated[
        float | None,
        typer.Option(
            "--data-range", min=0, help="Intensity range for PSNR and SSIM.", show_default="that of the ground truth"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Compare a result with ground truth of the same field of view.

    Labels: instance AP, Dice, IoU and variation of information. Images: PSNR,
    SSIM and Pearson correlation. Ground truth of the whole source is cropped to
    the region of the run.
    """
    result = Result.open(output)
    if not result.complete:
        raise PlanError(f"{output} is unfinished", "a finished result", f"finish it: s1omni resume {output}")
    source = open_source(truth, axes=axes)
    expected = _crop_truth(result, source.read(), source.spec.axes)
    found = np.asarray(result.array[...])
    numbers = (
        _score_labels(expected, found) if result.spec.kind == "labels" else _score_image(expected, found, data_range)
    )
    if json:
        print_json(numbers)
    else:
        print_rows(f"{output} against {truth}", {name: _format(value) for name, value in numbers.items()})
    if result.summary.get("holes"):
        raise typer.Exit(HOLES)


def _crop_truth(result: Result, truth: NDArray[Any], axes: tuple[str, ...]) -> NDArray[Any]:
    """Return the ground truth in the axes of the result, cropped to its region."""
    spec, grid = result.spec, result.plan.grid
    squeezed = tuple(i for i, a in enumerate(axes) if a not in spec.axes and truth.shape[i] == 1)
    truth = truth.squeeze(squeezed)
    axes = tuple(a for i, a in enumerate(axes) if i not in squeezed)
    missing = tuple(i for i, a in enumerate(spec.axes) if a not in axes)
    if len(axes) + len(missing) == len(spec.axes):
        truth = np.expand_dims(truth, missing)
    regions = {"t": grid.t, "z": grid.z, "y": grid.y, "x": grid.x}
    factors = {"y": grid.factor[0], "x": grid.factor[1]}
    whole = {"y": grid.extent[0], "x": grid.extent[1], "z": grid.planes}
    box = []
    for axis, size, there in zip(spec.axes, spec.shape, truth.shape, strict=False):
        factor = factors.get(axis, 1)
        first = regions[axis][0] * factor if there != size and there == whole.get(axis, 0) * factor else 0
        box.append(slice(first, first + size))
    cut = truth[tuple(box)] if truth.ndim == len(spec.shape) else truth
    if cut.shape != spec.shape:
        raise JobError(
            f"the ground truth is {'x'.join(map(str, truth.shape))} px, the result {'x'.join(map(str, spec.shape))} px "
            f"({''.join(spec.axes)})",
            "the same region, or the whole source",
            "use ground truth of the same image; name its axes with --axes",
        )
    return cut


def _score_labels(truth: NDArray[Any], found: NDArray[Any]) -> dict[str, Any]:
    by_threshold = metrics.average_precision([(truth, found)])
    at_half = metrics.match(truth, found)[0]
    split, merge = metrics.variation_of_information(truth, found)
    return {
        "AP at IoU 0.5": by_threshold[0.5],
        "AP at IoU 0.75": by_threshold[0.75],
        "AP, mean of IoU 0.5 to 0.95": float(np.mean(list(by_threshold.values()))),
        "true positives": at_half.true_positives,
        "false positives": at_half.false_positives,
        "false negatives": at_half.false_negatives,
        "Dice": metrics.dice(truth, found),
        "IoU": metrics.iou(truth, found),
        "VI split (bits)": split,
        "VI merge (bits)": merge,
    }


def _score_image(truth: NDArray[Any], found: NDArray[Any], data_range: float | None) -> dict[str, Any]:
    span = data_range or float(truth.max()) - float(truth.min())
    if not span > 0:
        raise JobError("the ground truth is constant", "an image with a range of values", "set --data-range")
    planes = list(zip(truth.reshape(-1, *truth.shape[-2:]), found.reshape(-1, *found.shape[-2:]), strict=True))
    numbers: dict[str, Any] = {"PSNR (dB)": metrics.psnr(truth, found, span)}
    if min(truth.shape[-2:]) >= 11:
        numbers["SSIM, mean of planes"] = float(np.mean([metrics.ssim(a, b, span) for a, b in planes]))
    return {**numbers, "Pearson": metrics.pearson(truth, found), "data range": span}


def _format(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4f}"
