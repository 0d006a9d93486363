"""``s1omni evaluate``: compare a result with ground truth."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from napari_s1omni.core.paths import full_path
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import JobError, PlanError, S1OmniError
from napari_s1omni.evaluation import metrics
from napari_s1omni.evaluation.truth import as_labels
from napari_s1omni.frontends.cli.arguments import ResultPlace
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import HOLES, Json
from napari_s1omni.results.result import Result
from napari_s1omni.storage.readers.registry import read_raw
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
    the region of the run; labels at full resolution also fit a run on a coarser level.
    """
    result = Result.open(output)
    if not result.complete:
        raise PlanError(f"{output} is unfinished", "a finished result", f"finish it: s1omni resume {output}")
    pixels, letters = _read_truth(truth, axes, result)
    expected = _crop_truth(result, pixels, letters)
    found = result.checked_level()[...]
    if result.spec.kind == "labels" and "t" in result.spec.axes:
        axis = result.spec.axes.index("t")
        expected, found = _numbered_over_time(expected, axis), _numbered_over_time(found, axis)
    objects = expected[expected != 0]
    if result.spec.kind == "labels" and objects.size and objects.min() == objects.max() and found.max() > 1:
        typer.echo(
            "note: the ground truth has one object only; AP compares numbered objects, so give each its own number",
            err=True,
        )
    numbers = (
        _score_labels(expected, found) if result.spec.kind == "labels" else _score_image(expected, found, data_range)
    )
    if json:
        print_json(numbers)
    else:
        print_rows(f"{output} against {truth}", {name: _format(value) for name, value in numbers.items()})
    if result.summary.get("holes"):
        raise typer.Exit(HOLES)


def _read_truth(truth: str, axes: str | None, result: Result) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the pixels of the ground truth and their axes; for a mask, labels with 0 as ground."""
    source = open_source(truth, axes=axes or _without_singletons(truth, result))
    pixels, letters, rgb = source.read(), source.spec.axes, source.spec.rgb
    notes: list[str] = []
    if result.spec.kind == "labels":
        if rgb:
            pixels = np.moveaxis(pixels, letters.index("c"), 0)
            letters = tuple(a for a in letters if a != "c")
        pixels, notes = as_labels(pixels, "the ground truth", rgb=rgb)
    for note in (*(f"the ground truth: {said}" for said in source.notes), *notes):
        typer.echo(f"note: {note}", err=True)
    return pixels, letters


def _without_singletons(truth: str, result: Result) -> str | None:
    """Return axes for an array without any, whose axes of 1 px are in places where none would be guessed."""
    try:
        raw = read_raw(truth, level=0)
    except S1OmniError:
        # Opening it says what is wrong.
        return None
    own = [a for a, n in zip(result.spec.axes, result.spec.shape, strict=True) if n > 1 or a in "yx"]
    kept = [d for d, n in enumerate(raw.pixels.shape) if n > 1]
    if raw.axes or len(kept) != len(own) or len(raw.pixels.shape) > 5 or len(kept) == len(raw.pixels.shape):
        return None
    unused = iter(a for a in "tczyx" if a not in own)
    named = dict(zip(kept, own, strict=True))
    return "".join(named.get(d) or next(unused) for d in range(len(raw.pixels.shape)))


def _crop_truth(result: Result, truth: NDArray[Any], axes: tuple[str, ...]) -> NDArray[Any]:
    """Return the ground truth in the axes of the result, cropped to its region."""
    spec, grid = result.spec, result.plan.grid
    squeezed = tuple(i for i, a in enumerate(axes) if a not in spec.axes and truth.shape[i] == 1)
    truth = truth.squeeze(squeezed)
    axes = tuple(a for i, a in enumerate(axes) if i not in squeezed)
    missing = tuple(i for i, a in enumerate(spec.axes) if a not in axes)
    if len(axes) + len(missing) == len(spec.axes):
        truth = np.expand_dims(truth, missing)
    level = result.frame if spec.kind == "labels" and result.plan.source.frame else None
    if level is not None and truth.shape == tuple(level.size(a) for a in spec.axes):
        # Truth at full resolution for a run on a coarser level: each pixel takes the label at its centre.
        truth = truth[np.ix_(*(level.full_indices(a, 0, n) for a, n in zip(spec.axes, spec.shape, strict=True)))]
    regions = {"t": grid.t, "z": grid.z, "y": grid.y, "x": grid.x}
    factors = {"y": grid.factor[0], "x": grid.factor[1]}
    box = []
    for axis, there in zip(spec.axes, truth.shape, strict=False):
        factor = factors.get(axis, 1)
        # Truth of any other size lies somewhere, but nothing says where.
        of_whole = axis in regions and there == result.plan.source.size(axis) * factor
        box.append(slice(regions[axis][0] * factor, regions[axis][1] * factor) if of_whole else slice(None))
    cut = truth[tuple(box)] if truth.ndim == len(spec.shape) else truth
    if cut.shape != spec.shape:
        raise JobError(
            f"the ground truth is {'x'.join(map(str, truth.shape))} px, the result {'x'.join(map(str, spec.shape))} px "
            f"({''.join(spec.axes)}){_difference(truth.shape, spec)}",
            "the same region, or the whole source",
            "use ground truth of the same image, cut or padded to its size; name its axes with --axes",
        )
    return cut


def _numbered_over_time(labels: NDArray[Any], axis: int) -> NDArray[Any]:
    """Number objects so that no id stands in two time points: objects are compared in each of them."""
    numbered = np.zeros(labels.shape, np.int64)
    last = 0
    for t in range(labels.shape[axis]):
        place = (slice(None),) * axis + (t,)
        ids, where = np.unique(labels[place], return_inverse=True)
        new = np.arange(len(ids)) + last + (0 if ids.size and ids[0] == 0 else 1)
        numbered[place] = np.where(ids == 0, 0, new)[where].reshape(labels[place].shape)
        last += int(np.count_nonzero(ids))
    return numbered


def _difference(shape: tuple[int, ...], spec: LayerSpec) -> str:
    """Say by how many pixels two images of nearly one size differ."""
    if len(shape) != len(spec.shape):
        return ""
    parts = [f"{n - m:+d} px along {a}" for a, n, m in zip(spec.axes, shape, spec.shape, strict=True) if n != m]
    return f": {', '.join(parts)}"


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
