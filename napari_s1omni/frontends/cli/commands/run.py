"""``s1omni run`` and ``resume``, and the running of a job that all commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypedDict

import typer

from napari_s1omni.errors import ClusterError, DiskFull, JobError, RunInterrupted
from napari_s1omni.frontends.cli.commands.batch import execute_batch
from napari_s1omni.frontends.cli.formatting import print_plan, print_result
from napari_s1omni.frontends.cli.progress_line import ProgressLine
from napari_s1omni.jobs import prepare
from napari_s1omni.jobs.run import run as run_job
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.results.result import Result
from napari_s1omni.storage.collections import is_collection

HOLES = 3
"""Exit code of a run that came to its end but lacks tiles."""

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and write nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print for programs.")]
Verify = Annotated[bool, typer.Option("--verify", help="Reread what is there and redo what was damaged since.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Durable = Annotated[
    bool,
    typer.Option(
        "--durable/--no-durable",
        help="Wait until data is on the medium; without it a power cut may cost finished blocks.",
    ),
]
Executor = Annotated[
    Literal["serial", "dask"] | None,
    typer.Option(
        "--executor",
        help="In this process, or in worker processes.",
        show_default="serial, or dask with --workers or --scheduler",
    ),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Worker processes.", show_default="one per GPU, or one")
]
Scheduler = Annotated[
    str | None,
    typer.Option("--scheduler", help="Address of a Dask scheduler, or 'slurm'.", show_default="processes here"),
]


class Running(TypedDict, total=False):
    """Options of :func:`napari_s1omni.jobs.run.run` that a command line has."""

    verify: bool
    durable: bool
    executor: Literal["serial", "dask"] | None
    workers: int | None
    scheduler: str | None


def run(
    job: Annotated[Path, typer.Argument(metavar="JOB.yaml", help="A job file, YAML or JSON.", show_default=False)],
    output: Annotated[str | None, typer.Option("--output", "-o", help="Another folder for the result.")] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            help="Run it on this image instead, or on many: a folder, a pattern, an OME-Zarr plate or a CSV file.",
        ),
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
    verify: Verify = False,
    quiet: Quiet = False,
    durable: Durable = True,
    executor: Executor = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Run a job file; the same command goes on with what is unfinished.

    Needs no terminal: without one, progress is a line now and then.
    """
    document = Job.load(job)
    if output is not None:
        document = document.replace(output=output)
    if source is not None:
        document = document.replace(source={**document.source.model_dump(), "uri": source})
    running: Running = {"verify": verify, "durable": durable}
    running |= {"executor": executor, "workers": workers, "scheduler": scheduler}
    execute(document, dry_run=dry_run, json=json, quiet=quiet, running=running)


def resume(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder of an unfinished result.")],
    source: Annotated[
        str | None, typer.Option("--source", help="Where the image is now, if it was moved.", show_default=False)
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
    verify: Verify = False,
    quiet: Quiet = False,
    durable: Durable = True,
    executor: Executor = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Go on with an unfinished output; the job is read from its metadata."""
    plan = Result.open(output).plan
    job = plan.job
    uri = source or plan.source.source
    if uri is None:
        raise JobError(
            f"the source of {output} lived in the memory of a process that has ended",
            "an image on disk",
            "save the same image and name it with --source",
        )
    changed = {"source": {**job.source.model_dump(), "uri": uri}}
    # An output inside its source is found from there; any other may have been moved since.
    document = job.replace(**changed) if job.into else job.replace(**changed, output=str(output))
    running: Running = {"verify": verify, "durable": durable}
    running |= {"executor": executor, "workers": workers, "scheduler": scheduler}
    execute(document, dry_run=dry_run, json=json, quiet=quiet, running=running)


def execute(job: Job, *, dry_run: bool, json: bool, quiet: bool, running: Running) -> None:
    """Run a job with progress, say what came of it, and end with 3 where tiles are missing.

    A source that is a folder, a pattern, a plate or a CSV file is run image by image.

    Parameters
    ----------
    job : Job
    dry_run, json, quiet : bool
        The options of these names.
    running : dict
        Options of :func:`napari_s1omni.jobs.run.run`.

    Raises
    ------
    S1OmniError
    """
    if is_collection(job.source.uri):
        execute_batch(job, dry_run=dry_run, json=json, quiet=quiet, running={**running})
        return
    if dry_run:
        prepared = prepare.dry_run(job)
        print_plan(prepared.plan, prepared.cost, as_json=json)
        return
    path = output_path(job)
    try:
        with ProgressLine(quiet=quiet) as progress:
            result = run_job(job, **running, on_event=progress)
    except (RunInterrupted, DiskFull, ClusterError) as error:
        if not path.exists():
            raise
        raise type(error)(error.given, error.allowed, f"Resume with: s1omni resume {path}", **error.facts) from error
    print_result(result, as_json=json)
    if result.summary.get("holes"):
        raise typer.Exit(HOLES)
