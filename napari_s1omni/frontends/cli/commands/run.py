"""``s1omni run`` and ``s1omni resume``: run a job file, or continue an output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from napari_s1omni.core.image_references import exchange_image, with_image
from napari_s1omni.errors import JobError
from napari_s1omni.frontends.cli.arguments import ChosenImage, LocalResult
from napari_s1omni.frontends.cli.formatting import print_result
from napari_s1omni.frontends.cli.options import with_options
from napari_s1omni.frontends.cli.run_job import run_job
from napari_s1omni.frontends.cli.run_options import HOLES, RunOptions
from napari_s1omni.jobs.fields import set_fields
from napari_s1omni.planning.job import Job
from napari_s1omni.results.batch.batch_rows import is_batch
from napari_s1omni.results.result import Result
from napari_s1omni.storage.files.remote import local_copy
from napari_s1omni.storage.listing.image_headers import moved_reference


def run(
    job: Annotated[
        str,
        typer.Argument(metavar="JOB.yaml", help="Path or URL of a job file, YAML or JSON.", show_default=False),
    ],
    output: Annotated[str | None, typer.Option("--output", "-o", help="Another folder for the result.")] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            help="Another image, or many: a folder, a pattern, an OME-Zarr plate or a CSV file.",
        ),
    ] = None,
    image: ChosenImage = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Another value of any field of the job, such as tiling.tile_size=256; may be repeated.",
            show_default=False,
        ),
    ] = None,
    **options: Any,
) -> None:
    """Run a job file. The same command continues an unfinished run.

    Without a terminal, progress is printed as a line every 15 s.
    """
    document = Job.load(local_copy(job))
    if output is not None:
        document = document.replace(output=output)
    if source is not None or image is not None:
        uri = exchange_image(document.source.uri, str(image)) if source is None else with_image(source, image)
        document = document.replace(source={**document.source.model_dump(), "uri": uri})
    if settings:
        _check_once(settings, {"output": output, "source": source})
        document = set_fields(document, settings)
    run_job(document, RunOptions.take(options))


def _check_once(settings: list[str], given: Mapping[str, str | None]) -> None:
    """Refuse an option that --set gives too: one of the two would be ignored."""
    named = {setting.partition("=")[0].strip().removesuffix(".uri") for setting in settings}
    for name, value in given.items():
        if value is not None and name in named:
            raise JobError(
                f"--{name} {value} and --set {name}=... say two things", f"the {name} is given once", "leave one out"
            )


def resume(
    output: LocalResult,
    source: Annotated[
        str | None, typer.Option("--source", help="New path of the image, if it was moved.", show_default=False)
    ] = None,
    image: ChosenImage = None,
    **options: Any,
) -> None:
    """Continue an unfinished run; the job is read from its output."""
    if is_batch(output):
        raise JobError(
            f"{output} is the folder of a batch",
            "resume continues one result",
            "run the command of the batch again: finished images are kept",
        )
    result = Result.open(output)
    running = RunOptions.take(options)
    if result.complete and not running.verify:
        print_result(result, as_json=running.json)
        if not running.json:
            typer.echo("Nothing is left to do; check what is stored with --verify.", err=True)
        if result.summary.get("holes"):
            raise typer.Exit(HOLES)
        return
    plan = result.plan
    job = plan.job
    uri = plan.source.source
    if source is not None:
        uri = with_image(source, image) if image or uri is None else moved_reference(uri, source)
    elif uri is not None and image is not None:
        uri = exchange_image(uri, image)
    if uri is None:
        raise JobError(
            f"the source of {output} was an array in memory, and its process has ended",
            "an image on disk",
            "save the same image and name it with --source",
        )
    changed = {"source": {**job.source.model_dump(), "uri": uri}}
    # An output inside of its source is found from there; any other may have been moved.
    document = job.replace(**changed) if job.into else job.replace(**changed, output=str(output))
    run_job(document, running)


with_options(run, RunOptions.parameters())
with_options(resume, RunOptions.parameters())
