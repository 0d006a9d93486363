"""``s1omni plan``: what a job would do, said before anything is done."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_s1omni.errors import JobError
from napari_s1omni.frontends.cli.commands.run import Json
from napari_s1omni.frontends.cli.formatting import print_plan
from napari_s1omni.frontends.cli.options import job_options, read_options, require_options, with_options
from napari_s1omni.jobs.options import make_job
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.operations import OPERATIONS, OperationType
from napari_s1omni.planning.job import Job

_DOCUMENTS = {".yaml", ".yml", ".json"}


def plan(
    what: Annotated[str, typer.Argument(metavar="JOB.yaml|SOURCE", help="A job file, or an image.")],
    operation: Annotated[
        OperationType,
        typer.Option("--operation", help="What to do with an image."),
    ] = "segmentation",
    output: Annotated[str | None, typer.Option("--output", "-o", help="Folder of the result.")] = None,
    yaml: Annotated[bool, typer.Option("--yaml", help="Print the job as a file for 's1omni run'.")] = False,
    json: Json = False,
    **options: Any,
) -> None:
    """Say what a job would do: blocks, tiles, bytes, memory, time, and every choice made.

    Writes nothing and loads no model. The options below describe the job for
    an image; a job file has its own.
    """
    given = read_options(options)
    if Path(what).suffix.lower() in _DOCUMENTS and Path(what).is_file():
        if given:
            raise JobError(
                f"{', '.join('--' + name.replace('_', '-') for name in given)} beside the job file {what}",
                remedy="write them into the file",
            )
        job = Job.load(what)
    else:
        require_options(operation, given)
        job, _ = make_job(operation, what, output, given)
    if yaml:
        typer.echo(job.dump(), nl=False)
        return
    prepared = prepare(job)
    print_plan(prepared.plan, prepared.cost, as_json=json)


with_options(plan, job_options(*OPERATIONS))
