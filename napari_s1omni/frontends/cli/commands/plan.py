"""``s1omni plan``: print the plan of a job without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_s1omni.core.paths import full_path, is_url, name_in
from napari_s1omni.errors import JobError
from napari_s1omni.frontends.cli.formatting import print_plan
from napari_s1omni.frontends.cli.options import job_options, read_options, require_options, with_options
from napari_s1omni.frontends.cli.run_options import Json
from napari_s1omni.jobs.options import make_job
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.operations import OPERATIONS, OperationType
from napari_s1omni.planning.job import Job
from napari_s1omni.storage.files.remote import local_copy

_DOCUMENTS = {".yaml", ".yml", ".json"}


def plan(
    job_or_image: Annotated[str, typer.Argument(metavar="JOB.yaml|SOURCE", help="A job file, or an image.")],
    operation: Annotated[
        OperationType | None,
        typer.Option("--operation", help="Operation, if an image is given.", show_default="segmentation"),
    ] = None,
    output: Annotated[str | None, typer.Option("--output", "-o", help="Folder of the result.")] = None,
    yaml: Annotated[bool, typer.Option("--yaml", help="Print a job file for 's1omni run'.")] = False,
    json: Json = False,
    **options: Any,
) -> None:
    """Print the plan of a job: tiles, blocks, bytes, memory, time, and every choice made.

    Writes nothing and loads no model. The options below apply to an image; a
    job file holds its own.
    """
    given, new = read_options(options), False
    where = full_path(job_or_image)
    if Path(name_in(where)).suffix.lower() in _DOCUMENTS and (is_url(where) or Path(where).is_file()):
        beside = [*given, *(["operation"] if operation else []), *(["output"] if output else [])]
        if beside:
            raise JobError(
                f"{', '.join('--' + name.replace('_', '-') for name in beside)} beside the job file {job_or_image}",
                remedy="write these options into the file",
            )
        job = Job.load(local_copy(where))
    else:
        if operation is None:
            typer.echo("note: without --operation, this is the plan of a segmentation", err=True)
        chosen = operation or "segmentation"
        require_options(chosen, given)
        job, _ = make_job(chosen, job_or_image, output, given)
        new = True
    if yaml:
        # A job file is printed as it is; whoever begins a new one wants to see the words.
        typer.echo(job.dump(prompt=new), nl=False)
        return
    prepared = prepare(job)
    print_plan(prepared.plan, prepared.cost, as_json=json)


with_options(plan, job_options(*OPERATIONS))
