"""``s1omni demo``: run the three operations on real images."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from napari_s1omni.frontends.cli.arguments import file_to_write
from napari_s1omni.frontends.cli.demo.figure import DemoRun, draw
from napari_s1omni.frontends.cli.progress_line import ProgressLine
from napari_s1omni.frontends.cli.run_options import Quiet
from napari_s1omni.jobs.options import make_job
from napari_s1omni.jobs.run import run
from napari_s1omni.operations import OperationType
from napari_s1omni.results.result import Result

FIGURE = "demo.png"
"""File of the figure in the folder of the results."""


@dataclass(frozen=True, slots=True)
class Example:
    """One run of the demo."""

    name: str
    """Name of the output."""
    image: str
    """Input: an image of ``skimage.data`` whose file comes with scikit-image."""
    operation: OperationType
    options: dict[str, Any]
    """Options of the job."""


_SIZES: dict[str, Any] = {"tile_size": 128, "overlap": 32, "think": "per_tile"}
EXAMPLES = (
    Example(
        "coins",
        "coins",
        "segmentation",
        {"block_size": 192, "prompt": "segment the coins, about 45 px"},
    ),
    Example(
        "retina",
        "retina",
        "super_resolution",
        {"block_size": 288, "factor": 2, "prompt": "restore the vessels at twice the resolution"},
    ),
    Example(
        "dab",
        "ihc",
        "modality_translation",
        {"block_size": 288, "target": "DAB", "prompt": "show the brown stain alone"},
    ),
    Example(
        "hematoxylin",
        "ihc",
        "modality_translation",
        {"block_size": 288, "target": "hematoxylin", "prompt": "show the blue stain alone"},
    ),
)


def demo(
    folder: Annotated[
        Path, typer.Argument(help="Folder for images, results and the figure.", parser=file_to_write)
    ] = Path("demo-results"),
    engine: Annotated[str, typer.Option("--engine", "-e", help="Engine of all runs.")] = "auto",
    quiet: Quiet = False,
) -> None:
    """Run all three operations on real images from scikit-image, and draw a figure of the results.

    Each run has at least four blocks of several tiles and writes OME-Zarr.
    """
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    runs = {}
    for example in EXAMPLES:
        runs[example.name] = _run(example, folder, engine, quiet)
        result = runs[example.name].result
        typer.echo(f"{example.operation.replace('_', ' ')}: {result.path} ({len(result.records)} blocks)")
    figure = folder / FIGURE
    draw(**runs).save(figure)
    typer.echo(f"figure: {figure}")
    typer.echo(f"{time.perf_counter() - start:.0f} s in total. See more with: s1omni show {folder / 'coins.zarr'}")


def _run(example: Example, folder: Path, engine: str, quiet: bool) -> DemoRun:
    pixels, truth = _image(example.image)
    source, output = folder / f"{example.image}.png", folder / f"{example.name}.zarr"
    if not source.exists():
        Image.fromarray(pixels).save(source)
    job, _ = make_job(example.operation, source, output, {**_SIZES, **example.options, "engine": engine})
    with ProgressLine(quiet=quiet, notes=False) as progress:
        # An older version of this demo may have written there.
        result = run(job, overwrite=True, on_event=progress)
    return DemoRun(pixels, result, truth)


def _image(name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return the input of an example, and the ground truth if there is one."""
    from skimage import data

    if name == "coins":
        return data.coins(), None
    if name == "ihc":
        return data.immunohistochemistry()[:404], None
    # Vessels have the highest contrast in the green channel.
    truth: NDArray[np.uint8] = data.retina()[280:1088, 120:1144, 1]
    blurred = gaussian_filter(truth.astype(np.float32), 0.8)
    height, width = truth.shape[:2]
    binned = blurred.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return np.rint(binned).astype(np.uint8), truth


def reopen(folder: Path) -> dict[str, DemoRun]:
    """Open the results of an earlier demo, as arguments of :func:`draw`."""
    found = {}
    for example in EXAMPLES:
        pixels, truth = _image(example.image)
        found[example.name] = DemoRun(pixels, Result.open(folder / f"{example.name}.zarr"), truth)
    return found
