"""A batch: one job for many images, with one loaded engine and one table."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from napari_s1omni.core.paths import local_path
from napari_s1omni.errors import ClusterError, DiskFull, JobError, RunInterrupted
from napari_s1omni.execution.run.events import OnEvent, ignore_event
from napari_s1omni.execution.run.run_output import is_complete
from napari_s1omni.jobs import prepare
from napari_s1omni.jobs.batch_table import TABLE, BatchRow, BatchTable
from napari_s1omni.jobs.engine_cache import EngineCache
from napari_s1omni.jobs.run import run
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.results.result import Result
from napari_s1omni.storage.collections import CollectionEntry


def run_batch(
    template: Job,
    entries: Iterable[CollectionEntry],
    folder: str | Path | None,
    *,
    dry_run: bool = False,
    on_row: Callable[[BatchRow], None] = lambda row: None,
    on_event: OnEvent = ignore_event,
    **running: Any,
) -> list[BatchRow]:
    """Run a job on many images; an image that fails does not stop the others.

    Parameters
    ----------
    template : Job
        Its source and output are replaced for each image.
    entries : iterable of CollectionEntry
        The images.
    folder : str, Path or None
        Folder of the results. Existing results are kept, unfinished ones are resumed. None writes labels into each
        image, as ``template.into`` says, and no table.
    dry_run : bool
        Write nothing: open and measure every image, resolve its plan, check its output (permissions, locks, space for
        all images together), and report which would fail.
    on_row : callable
        Called with each row when its image is done.
    on_event : callable
        Called with the events of each run.
    **running
        Other options of :func:`napari_s1omni.jobs.run.run`.

    Returns
    -------
    list of BatchRow
        In the order of the images; also written to ``folder/batch.csv``, row by row.

    Raises
    ------
    StoreError
        If the table cannot be written, before any image is begun.
    RunInterrupted, DiskFull, ClusterError
        These stop the batch; finished images are kept and in the table.
    """
    folder = None if folder is None else local_path(folder)
    rows: list[BatchRow] = []
    book = contextlib.nullcontext() if dry_run or folder is None else BatchTable(folder / TABLE)
    with EngineCache() as engines, book as table:
        work: Callable[[Job], dict[str, Any]] = (
            _DryRun(bool(running.get("overwrite")))
            if dry_run
            else functools.partial(_run, engines=engines.get, on_event=on_event, **running)
        )
        for entry, job in batch_jobs(template, entries, folder):
            row = _row(entry, job, work, dry_run)
            if table is not None:
                table.add(row)
            rows.append(row)
            on_row(row)
    return rows


def batch_jobs(
    template: Job, entries: Iterable[CollectionEntry], folder: Path | None
) -> Iterator[tuple[CollectionEntry, Job | JobError]]:
    """Make the job of every image.

    Parameters
    ----------
    template : Job
        Its source and output are replaced for each image.
    entries : iterable of CollectionEntry
        From :func:`napari_s1omni.storage.collections.list_sources`.
    folder : Path or None
        Results go to ``folder/NAME.zarr``; None leaves them to ``template.into``.

    Yields
    ------
    (CollectionEntry, Job or JobError)
        The error, if the row of an image holds something that a job does not know.
    """
    for entry in entries:
        data = template.model_dump(mode="json")
        data["source"] |= {"uri": entry.uri}
        if folder is not None:
            data |= {"output": str(folder / f"{entry.name}.zarr"), "into": None}
        try:
            for key, value in entry.changes.items():
                _set_key(data, key, value)
            yield entry, Job.read(data, entry.uri)
        except JobError as error:
            yield entry, error


def _row(entry: CollectionEntry, job: Job | JobError, work: Callable[[Job], dict[str, Any]], dry_run: bool) -> BatchRow:
    """Work on one job and return its row; only errors that end the whole batch are raised."""
    start = time.perf_counter()
    row = BatchRow(entry.name, entry.uri, "", "failed")
    try:
        if isinstance(job, JobError):
            raise job
        row = dataclasses.replace(row, output=str(output_path(job)))
        row = dataclasses.replace(row, **work(job))
    except Exception as error:  # whatever is wrong with one image, the others are run
        if isinstance(error, RunInterrupted | DiskFull | ClusterError) and not dry_run:
            raise
        row = dataclasses.replace(row, error=f"{type(error).__name__}: {error}")
    if dry_run:
        return dataclasses.replace(row, state="would fail") if row.error else row
    return dataclasses.replace(row, seconds=round(time.perf_counter() - start, 3))


def _run(job: Job, **running: Any) -> dict[str, Any]:
    path = output_path(job)
    known = Result.open(path).plan.digest if is_complete(path) else None
    result = run(job, **running)
    holes = result.summary.get("holes", 0)
    return {
        "state": "holes" if holes else "already done" if known == result.plan.digest else "done",
        "tiles": sum(sum(record.tiles.values()) for record in result.records),
        "objects": result.summary.get("objects"),
        "holes": holes,
    }


class _DryRun:
    """Predicts the row of each image; it reserves the disk space of the images before it."""

    def __init__(self, overwrite: bool) -> None:
        self._overwrite = overwrite
        self._reserved = 0

    def __call__(self, job: Job) -> dict[str, Any]:
        prepared = prepare.dry_run(job, reserved=self._reserved, overwrite=self._overwrite)
        if not prepared.to_write and is_complete(output_path(job)):
            return {"state": "already done", "tiles": prepared.cost.tiles}
        self._reserved += prepared.to_write
        return {"state": "would run", "tiles": prepared.cost.tiles}


def _set_key(data: dict[str, Any], key: str, text: str) -> None:
    """Set a dotted key of a job to the value of a table cell, read as YAML."""
    *parents, last = key.split(".")
    for parent in parents:
        if not isinstance(data.get(parent), Mapping):
            data[parent] = {}
        data = data[parent]
    try:
        data[last] = json.loads(json.dumps(yaml.safe_load(text)))
    except (yaml.YAMLError, TypeError):
        data[last] = text
