"""``s1omni segment``, ``superres`` and ``translate``: a job from options, run at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from napari_s1omni.frontends.cli.commands.run import (
    DryRun,
    Durable,
    Executor,
    Json,
    Quiet,
    Running,
    Scheduler,
    Verify,
    Workers,
    execute,
)
from napari_s1omni.frontends.cli.options import job_options, read_options, require_options, with_options
from napari_s1omni.jobs.options import make_job
from napari_s1omni.operations import OperationType

Image = Annotated[str, typer.Argument(metavar="SOURCE", help="Path or URL of an image.", show_default=False)]
Output = Annotated[str, typer.Argument(metavar="OUTPUT", help="Folder of the result.", show_default=False)]


def _command(operation: OperationType, doc: str) -> Callable[..., Any]:
    # The output is optional in the signature: a job that writes into its own source names none.
    def command(
        image: Image,
        output: Annotated[str | None, typer.Argument(metavar="OUTPUT", help="Folder of the result.")] = None,
        dry_run: DryRun = False,
        json: Json = False,
        verify: Verify = False,
        quiet: Quiet = False,
        durable: Durable = True,
        executor: Executor = None,
        workers: Workers = None,
        scheduler: Scheduler = None,
        **options: Any,
    ) -> None:
        given = read_options(options)
        require_options(operation, given)
        job, _ = make_job(operation, image, output, given)
        running: Running = {"verify": verify, "durable": durable}
        running |= {"executor": executor, "workers": workers, "scheduler": scheduler}
        execute(job, dry_run=dry_run, json=json, quiet=quiet, running=running)

    command.__doc__ = doc
    return with_options(command, job_options(operation))


segment = _command(
    "segmentation",
    """Find objects: an image becomes labels.

    Example: s1omni segment cells.tif nuclei.zarr --prompt "segment the nuclei, about 20 px"
    """,
)
superres = _command(
    "super_resolution",
    """Restore an image on a finer grid; dtype and intensities stay those of the source.

    Example: s1omni superres cells.tif fine.zarr --factor 2
    """,
)
translate = _command(
    "modality_translation",
    """Draw an image as another modality would show it.

    Example: s1omni translate slide.png stain.zarr --target hematoxylin
    """,
)
