"""Batch: one job for many images, with one warm engine and one table in the end."""

from __future__ import annotations

import csv
import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from napari_s1omni import api
from napari_s1omni.engine.protocol import Engine
from napari_s1omni.engine.registry import create_engine
from napari_s1omni.errors import DiskFull, JobError, RunInterrupted, S1OmniError, StoreError
from napari_s1omni.execution.events import OnEvent, ignore
from napari_s1omni.job import Job
from napari_s1omni.results import Result
from napari_s1omni.storage.listing import Entry

TABLE = "batch.csv"
"""File in the output folder with one row per image."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """What became of one image."""

    name: str
    source: str
    output: str
    state: Literal["done", "already done", "holes", "failed", "would run", "would fail"]
    seconds: float = 0.0
    tiles: int | None = None
    """Tiles of the plan."""
    objects: int | None = None
    """Objects found, for labels."""
    holes: int | None = None
    """Tiles that failed."""
    error: str = ""
    """Kind and sentence of what went wrong."""

    @property
    def good(self) -> bool:
        """Whether there is a whole result, or would be."""
        return self.state in {"done", "already done", "would run"}


class WarmEngine:
    """Engines by name, each loaded once and kept for all images of a batch.

    Use it as a context manager; engines are closed in the end.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Engine] = {}

    def get(self, name: str) -> Engine:
        """Return a loaded engine whose ``close`` does nothing, since others still need it."""
        if name not in self._kept:
            self._kept[name] = create_engine(name)
        return _Shared(self._kept[name])

    def __enter__(self) -> WarmEngine:
        return self

    def __exit__(self, *exc: object) -> None:
        for engine in self._kept.values():
            engine.close()


class _Shared:
    """An engine that stays open when one of its users is done."""

    def __init__(self, engine: Engine) -> None:
        self.description = engine.description
        self.think = engine.think
        self.generate = engine.generate

    def close(self) -> None:
        """Leave it open."""


def jobs(template: Job, entries: Iterable[Entry], folder: Path) -> Iterator[tuple[Entry, Job | JobError]]:
    """Make the job of every image.

    Parameters
    ----------
    template : Job
        What to do; its source and output are replaced.
    entries : iterable of Entry
        From :func:`napari_s1omni.storage.listing.list_sources`.
    folder : Path
        Results go to ``folder/NAME.zarr``.

    Yields
    ------
    (Entry, Job or JobError)
        The error, where the row of an image says something that a job does not know.
    """
    for entry in entries:
        data = template.model_dump(mode="json")
        data["source"] |= {"uri": entry.uri}
        data |= {"output": str(folder / f"{entry.name}.zarr"), "into": None}
        try:
            for key, value in entry.changes.items():
                _set(data, key, value)
            yield entry, Job.read(data, entry.uri)
        except JobError as error:
            yield entry, error


def run_batch(
    template: Job,
    entries: Iterable[Entry],
    folder: str | Path,
    *,
    dry_run: bool = False,
    on_row: Callable[[BatchRow], None] = lambda row: None,
    on_event: OnEvent = ignore,
    **running: Any,
) -> list[BatchRow]:
    """Run a job on many images; one that fails does not stop the others.

    Parameters
    ----------
    template : Job
        What to do.
    entries : iterable of Entry
        The images.
    folder : str or Path
        Where results go. What is there already is kept; an unfinished one goes on.
    dry_run : bool
        Write nothing: open and measure every image and resolve its plan, and say what would fail.
    on_row : callable
        Told of each image when it is done.
    on_event : callable
        Watches the run of each image.
    **running
        Options of :func:`napari_s1omni.api.run`.

    Returns
    -------
    list of BatchRow
        In the order of the images; also written to ``folder/batch.csv``.

    Raises
    ------
    RunInterrupted, DiskFull
        These stop the batch; what was finished is kept and in the table.
    """
    folder = Path(folder)
    rows: list[BatchRow] = []
    with WarmEngine() as engines:
        try:
            for entry, job in jobs(template, entries, folder):
                row = _row(entry, job, dry_run, lambda j: api.run(j, engines=engines.get, on_event=on_event, **running))
                rows.append(row)
                on_row(row)
        finally:
            if rows and not dry_run:
                write_rows(rows, folder / TABLE)
    return rows


def write_rows(rows: list[BatchRow], path: Path) -> None:
    """Write the table of a batch as CSV.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([field.name for field in dataclasses.fields(BatchRow)])
            writer.writerows(["" if v is None else v for v in dataclasses.astuple(row)] for row in rows)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}", remedy="choose another folder") from error


def _row(entry: Entry, job: Job | JobError, dry_run: bool, run: Callable[[Job], Result]) -> BatchRow:
    start = time.perf_counter()
    output = "" if isinstance(job, JobError) else str(job.output)
    row = BatchRow(entry.name, entry.uri, output, "would run" if dry_run else "done")
    try:
        if isinstance(job, JobError):
            raise job
        if dry_run:
            return dataclasses.replace(row, tiles=api.prepare(job).cost.tiles)
        known = _is_complete(Path(output))
        result = run(job)
        holes = result.summary.get("holes", 0)
        return dataclasses.replace(
            row,
            state="holes" if holes else "already done" if known else "done",
            seconds=round(time.perf_counter() - start, 3),
            tiles=sum(sum(record.tiles.values()) for record in result.records),
            objects=result.summary.get("objects"),
            holes=holes,
        )
    except (RunInterrupted, DiskFull):
        raise
    except S1OmniError as error:
        state: Literal["would fail", "failed"] = "would fail" if dry_run else "failed"
        seconds = round(time.perf_counter() - start, 3)
        return dataclasses.replace(row, state=state, seconds=seconds, error=f"{type(error).__name__}: {error}")


def _is_complete(path: Path) -> bool:
    try:
        return Result.open(path).complete
    except S1OmniError:
        return False


def _set(data: dict[str, Any], key: str, text: str) -> None:
    """Set a dotted key of a job to what a cell of a table says, read as YAML."""
    *parents, last = key.split(".")
    for parent in parents:
        if not isinstance(data.get(parent), Mapping):
            data[parent] = {}
        data = data[parent]
    try:
        data[last] = json.loads(json.dumps(yaml.safe_load(text)))
    except (yaml.YAMLError, TypeError):
        data[last] = text
