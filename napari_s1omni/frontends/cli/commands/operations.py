"""``s1omni segment``, ``superres`` and ``translate``: run a job made of options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from napari_s1omni.frontends.cli.options import job_options, read_options, require_options, with_options
from napari_s1omni.frontends.cli.run_job import run_job
from napari_s1omni.frontends.cli.run_options import RunOptions
from napari_s1omni.jobs.options import make_job
from napari_s1omni.operations import OperationType

Image = Annotated[str, typer.Argument(metavar="SOURCE", help="Path or URL of an image.", show_default=False)]


def _command(operation: OperationType, doc: str) -> Callable[..., Any]:
    # The output is optional: a job that writes into its source has none.
    def command(
        source: Image,
        output: Annotated[str | None, typer.Argument(metavar="OUTPUT", help="Folder of the result.")] = None,
        **options: Any,
    ) -> None:
        run_options = RunOptions.take(options)
        given = read_options(options)
        require_options(operation, given)
        job, _ = make_job(operation, source, output, given)
        run_job(job, run_options)

    command.__doc__ = doc
    return with_options(command, [*RunOptions.parameters(), *job_options(operation)])


segment = _command(
    "segmentation",
    """Segment objects into a label image.

    Example: s1omni segment cells.tif nuclei.zarr --prompt "segment the nuclei, about 20 px"
    """,
)
superres = _command(
    "super_resolution",
    """Restore an image at 2 or 4 times the resolution; dtype and intensity scale stay the same.

    Example: s1omni superres cells.tif fine.zarr --factor 2
    """,
)
translate = _command(
    "modality_translation",
    """Translate an image to another modality.

    Example: s1omni translate slide.png stain.zarr --target hematoxylin
    """,
)
