"""Running a job with progress on the terminal, as all commands do."""

from __future__ import annotations

import typer

from napari_s1omni.errors import ClusterError, DiskFull, JobError, RunInterrupted
from napari_s1omni.frontends.cli.formatting import print_plan, print_result
from napari_s1omni.frontends.cli.progress_line import ProgressLine
from napari_s1omni.frontends.cli.run_batch import run_images
from napari_s1omni.frontends.cli.run_options import HOLES, RunOptions
from napari_s1omni.jobs.prepare import dry_run
from napari_s1omni.jobs.run import run
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.results.export import export_result
from napari_s1omni.results.object_tables import object_tables
from napari_s1omni.results.tables import write_tables
from napari_s1omni.storage.collections import is_collection


def run_job(job: Job, options: RunOptions) -> None:
    """Run a job, print a summary, and exit with 3 if tiles are missing.

    If the source is a folder, a pattern, a plate or a CSV file, every image of it is run.

    Parameters
    ----------
    job : Job
    options : RunOptions

    Raises
    ------
    S1OmniError
    """
    if options.measure and job.operation.type != "segmentation":
        raise JobError(f"--measure for {job.operation.type}", "measuring needs a mask", "leave it out")
    if options.export in ("geojson", "zip") and job.operation.type != "segmentation":
        raise JobError(f"--export {options.export} for {job.operation.type}", "outlines need a mask", "export tif")
    if is_collection(job.source.uri):
        run_images(job, options)
        return
    if options.dry_run:
        prepared = dry_run(job)
        print_plan(prepared.plan, prepared.cost, as_json=options.json)
        return
    path = output_path(job)
    try:
        with ProgressLine(quiet=options.quiet) as progress:
            result = run(job, **options.execution, on_event=progress)
    except (RunInterrupted, DiskFull, ClusterError) as error:
        if not path.exists():
            raise
        remedy = f"Resume with: s1omni resume {job.output or path}"
        raise type(error)(error.given, error.allowed, remedy, **error.facts) from error
    print_result(result, as_json=options.json)
    if options.measure and result.complete:
        rows = write_tables(object_tables(result), path.with_suffix(".csv"))
        typer.echo(f"{rows:,} objects in {path.with_suffix('.csv')}", err=options.json)
    if options.export and result.complete:
        file = path.with_suffix(f".{options.export}")
        typer.echo(f"{file} ({export_result(result, file, overwrite=True)})", err=options.json)
    if result.summary.get("holes"):
        raise typer.Exit(HOLES)
