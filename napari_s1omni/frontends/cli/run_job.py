"""Running a job with progress on the terminal, as all commands do."""

from __future__ import annotations

from pathlib import Path

import typer

from napari_s1omni.core.units import count_of
from napari_s1omni.errors import ClusterError, DiskFull, JobError, RunInterrupted, StoreExists
from napari_s1omni.execution.run.run_output import is_complete
from napari_s1omni.frontends.cli.formatting import print_plan, print_result
from napari_s1omni.frontends.cli.progress_line import ProgressLine
from napari_s1omni.frontends.cli.run_batch import run_images
from napari_s1omni.frontends.cli.run_options import HOLES, RunOptions
from napari_s1omni.jobs.prepare import dry_run
from napari_s1omni.jobs.run import run
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.results.batch.batch_objects import is_newer, measure_image
from napari_s1omni.results.export import FORMATS, export_result
from napari_s1omni.results.object_tables import object_tables
from napari_s1omni.results.result import Result
from napari_s1omni.results.tables import write_tables
from napari_s1omni.storage.collections import is_collection
from napari_s1omni.storage.image_group.tables_group import TABLE_FILE, TABLES, table_folder


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
    if options.export in ("geojson", "zip", "dicom-seg") and job.operation.type != "segmentation":
        what = "a DICOM SEG needs" if options.export == "dicom-seg" else "outlines need"
        raise JobError(f"--export {options.export} for {job.operation.type}", f"{what} a mask", "export tif")
    if is_collection(job.source.uri):
        run_images(job, options)
        return
    if options.dry_run:
        prepared = dry_run(job, overwrite=options.overwrite)
        print_plan(prepared.plan, prepared.cost, as_json=options.json)
        return
    path = output_path(job)
    further = _further_files(job, path, options)
    try:
        with ProgressLine(quiet=options.quiet) as progress:
            result = run(job, **options.execution, on_event=progress)
    except (RunInterrupted, DiskFull, ClusterError) as error:
        if not path.exists():
            raise
        remedy = f"Resume with: s1omni resume {job.output or path}"
        raise type(error)(error.given, error.allowed, remedy, **error.facts) from error
    print_result(result, as_json=options.json)
    if result.complete:
        for file in further:
            typer.echo(_write_further(result, file), err=options.json)
    if result.summary.get("holes"):
        raise typer.Exit(HOLES)


def _further_files(job: Job, path: Path, options: RunOptions) -> list[Path]:
    """Return the table and the exported file: beside the result, or among the tables of an image that takes labels.

    Raises
    ------
    StoreExists
        If one of them is there and no run has written it: it may be the image itself.
    """
    endings = [*(["csv"] if options.measure else []), *([FORMATS[options.export]] if options.export else [])]
    files = [path.with_name(f"{path.name.removesuffix('.zarr')}.{ending}") for ending in endings]
    if job.into:
        names = [TABLE_FILE if file.suffix == ".csv" else file.name for file in files]
        files = [path.parent.parent / TABLES / job.into / name for name in names]
    for file in files:
        if file.exists() and file.name != TABLE_FILE and not (is_complete(path) and is_newer(file, Result.open(path))):
            raise StoreExists(f"{file} already exists", remedy="move it away, or choose another output")
    return files


def _write_further(result: Result, file: Path) -> str:
    if file.name == TABLE_FILE:
        return f"objects in {measure_image('', result, file.parent)}"
    if result.plan.job.into:
        table_folder(result.path.parent.parent, result.plan.job.into)
    if is_newer(file, result):
        return f"{file} is up to date"
    if file.suffix == ".csv":
        return f"{count_of(write_tables(object_tables(result), file), 'object')} in {file}"
    return f"{file} ({export_result(result, file)})"
