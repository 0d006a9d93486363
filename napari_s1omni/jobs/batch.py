"""A batch: one job for many images, with one loaded engine and one table."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from napari_s1omni.core.paths import local_path
from napari_s1omni.errors import ClusterError, DiskFull, JobError, RunInterrupted
from napari_s1omni.execution.run.events import OnEvent, ignore_event
from napari_s1omni.execution.run.run_output import is_complete
from napari_s1omni.jobs import prepare
from napari_s1omni.jobs.batch_entries import batch_jobs, further_columns, setting_columns, settle_names
from napari_s1omni.jobs.engine_cache import EngineCache
from napari_s1omni.jobs.run import run
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.results.batch.batch_rows import BatchRow, read_batch
from napari_s1omni.results.batch.batch_table import BatchTable, batch_at_work, open_batch
from napari_s1omni.results.batch.warnings import image_warnings, kind_of, mark_unusual
from napari_s1omni.results.result import Result
from napari_s1omni.storage.collections import Collection, CollectionEntry
from napari_s1omni.storage.image_group.plate_group import add_field


def run_batch(
    template: Job,
    entries: Iterable[CollectionEntry],
    folder: str | Path | None,
    *,
    dry_run: bool = False,
    wait: bool = True,
    on_row: Callable[[BatchRow], None] = lambda row: None,
    on_note: Callable[[str], None] = lambda note: None,
    on_result: Callable[[BatchRow, Result], None] = lambda row, result: None,
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
        image, as ``template.into`` says.
    dry_run : bool
        Write nothing: open and measure every image, resolve its plan, check its output (permissions, locks, space for
        all images together), and report which would fail.
    wait : bool
        Wait for another batch in the same folder; else it is an error.
    on_row : callable
        Called with each row when its image is done.
    on_note : callable
        Called with sentences about the whole batch.
    on_result : callable
        Called with each row that has a result, and with that result.
    on_event : callable
        Called with the events of each run.
    **running
        Other options of :func:`napari_s1omni.jobs.run.run`.

    Returns
    -------
    list of BatchRow
        In the order of the images; also in ``batch.csv`` in the folder of the table (:func:`table_folder`), which
        is replaced as a whole for each image.

    Raises
    ------
    JobError
        If a column of a list is nearly called like a field of a job.
    StoreLocked
        If another batch runs in the folder, and it is not awaited.
    StoreError
        If the table cannot be written, before any image is begun.
    RunInterrupted, DiskFull, ClusterError
        These stop the batch; finished images are kept and in the table.
    """
    folder = None if folder is None else local_path(folder)
    entries = entries if isinstance(entries, Collection) else Collection(entries)
    setting_columns(template, entries)  # refuses wrong ones
    place = table_folder(template, entries, folder)
    with contextlib.ExitStack() as stack:
        table = None
        if place is not None and dry_run:
            if who := batch_at_work(place):
                on_note(f"a batch runs in {place} now: {who}")
        elif place is not None:
            awaited = functools.partial(_say_waiting, on_note, place) if wait else None
            durable = running.get("durable", True)
            table = stack.enter_context(open_batch(place, len(entries), durable=durable, on_wait=awaited))
        known = table.rows if table is not None else read_batch(place) if place is not None else []
        named, notes = settle_names(entries, known)
        for note in notes:
            on_note(note)
        if table is not None:
            table.expect(entry.name for entry in named)
        engines = stack.enter_context(EngineCache())
        work: _Work = (
            _DryRun(bool(running.get("overwrite")))
            if dry_run
            else functools.partial(_run, engines=engines.get, on_event=on_event, **running)
        )
        rows: list[BatchRow] = []
        kinds: dict[str, str] = {}
        for entry, job in batch_jobs(template, named, folder):
            row, result = _row(entry, further_columns(entry), job, work, dry_run)
            if table is not None:
                row = _recorded(row, table)
            if result is not None:
                if entry.place and folder is not None:
                    plate, *field = entry.place.split("/")
                    add_field(folder / plate, *field)
                kinds[row.name] = kind_of(result)
                on_result(row, result)
            rows.append(row)
            on_row(row)
        if not dry_run:
            rows = mark_unusual(rows, kinds)
            if table is not None:
                table.add(*(row for row in rows if row.name in kinds))
    return rows


def table_folder(template: Job, entries: Sequence[CollectionEntry], folder: Path | None) -> Path | None:
    """Return the folder of the table: that of the results, or for labels in images one beside these.

    For labels in the fields of a plate it is ``PLATE/tables/NAME``, for those in other images ``FOLDER/NAME``. None
    if the images have no folder in common.
    """
    if folder is not None or template.into is None:
        return folder
    if not isinstance(entries, Collection) or entries.home is None:
        return None
    home = Path(entries.home)
    return (home / "tables" if entries.plate else home) / template.into


def _say_waiting(on_note: Callable[[str], None], place: Path, who: str) -> None:
    on_note(f"waiting for the end of another batch in {place}: {who}. Ctrl-C stops waiting")


def _recorded(row: BatchRow, table: BatchTable) -> BatchRow:
    """Write a row; one that is refused leaves the row of an earlier complete result as it is."""
    earlier = table.get(row.name)
    if earlier is not None and row.state == "already done":
        row = dataclasses.replace(row, seconds=earlier.seconds)
    if row.state != "failed" or earlier is None or not (earlier.ok and is_complete(Path(earlier.output))):
        table.add(row)
    return row


_Work = Callable[[Job], tuple[dict[str, Any], Result | None]]
"""Works on a job; returns what it changes in its row, and the result."""


def _row(
    entry: CollectionEntry, facts: dict[str, str], job: Job | JobError, work: _Work, dry_run: bool
) -> tuple[BatchRow, Result | None]:
    """Work on one job and return its row; only errors that end the whole batch are raised."""
    start = time.perf_counter()
    row = BatchRow(entry.name, entry.uri, "", "failed", more=facts)
    result = None
    try:
        if isinstance(job, JobError):
            raise job
        row = dataclasses.replace(row, output=str(output_path(job)))
        found, result = work(job)
        row = dataclasses.replace(row, **found)
    except Exception as error:  # whatever is wrong with one image, the others are run
        if isinstance(error, RunInterrupted | DiskFull | ClusterError) and not dry_run:
            raise
        row = dataclasses.replace(row, error=f"{type(error).__name__}: {error}")
    if dry_run:
        return dataclasses.replace(row, state="would fail") if row.error else row, None
    return dataclasses.replace(row, seconds=round(time.perf_counter() - start, 3)), result


def _run(job: Job, **running: Any) -> tuple[dict[str, Any], Result]:
    path = output_path(job)
    known = Result.open(path).plan.digest if is_complete(path) else None
    result = run(job, **running)
    holes = result.summary.get("holes", 0)
    found = {
        "state": "holes" if holes else "already done" if known == result.plan.digest else "done",
        "tiles": sum(sum(record.tiles.values()) for record in result.records),
        "objects": result.summary.get("objects"),
        "holes": holes,
        "warnings": "; ".join(image_warnings(result)),
    }
    return found, result


class _DryRun:
    """Predicts the row of each image; it reserves the disk space of the images before it."""

    def __init__(self, overwrite: bool) -> None:
        self._overwrite = overwrite
        self._reserved = 0

    def __call__(self, job: Job) -> tuple[dict[str, Any], None]:
        prepared = prepare.dry_run(job, reserved=self._reserved, overwrite=self._overwrite)
        if not prepared.to_write and is_complete(output_path(job)):
            return {"state": "already done", "tiles": prepared.cost.tiles_computed}, None
        self._reserved += prepared.to_write
        return {
            "state": "would run",
            "tiles": prepared.cost.tiles_computed,
            "seconds": prepared.cost.seconds,
            "to_write": prepared.to_write,
        }, None
