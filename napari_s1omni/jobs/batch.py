"""Batch: one job for many images, with one warm engine and one table in the end."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from napari_s1omni.engine.protocol import Engine
from napari_s1omni.engine.registry import create_engine
from napari_s1omni.errors import ClusterError, DiskFull, JobError, RunInterrupted, StoreError
from napari_s1omni.execution.run.events import OnEvent, ignore
from napari_s1omni.execution.run.run_output import is_complete
from napari_s1omni.jobs import run as api
from napari_s1omni.planning.job import Job
from napari_s1omni.storage.collections import CollectionEntry

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


def jobs(
    template: Job, entries: Iterable[CollectionEntry], folder: Path
) -> Iterator[tuple[CollectionEntry, Job | JobError]]:
    """Make the job of every image.

    Parameters
    ----------
    template : Job
        What to do; its source and output are replaced.
    entries : iterable of Entry
        From :func:`napari_s1omni.storage.collections.list_sources`.
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
    entries: Iterable[CollectionEntry],
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
        Write nothing: open and measure every image, resolve its plan and check its output (rights, locks, space
        for all images together), and say what would fail.
    on_row : callable
        Told of each image when it is done.
    on_event : callable
        Watches the run of each image.
    **running
        Options of :func:`napari_s1omni.jobs.run.run`.

    Returns
    -------
    list of BatchRow
        In the order of the images; also written to ``folder/batch.csv``, row by row.

    Raises
    ------
    StoreError
        If the table cannot be written, before any image is begun.
    RunInterrupted, DiskFull, ClusterError
        These stop the batch; what was finished is kept and in the table.
    """
    folder = Path(folder)
    rows: list[BatchRow] = []
    rehearsal = _Rehearsal()
    with WarmEngine() as engines, contextlib.nullcontext() if dry_run else _Table(folder / TABLE) as table:
        for entry, job in jobs(template, entries, folder):
            if table is None:
                row = _row(entry, job, rehearsal, dry_run)
            else:
                row = _row(entry, job, lambda j: _run(j, engines=engines.get, on_event=on_event, **running), dry_run)
                table.add(row)
            rows.append(row)
            on_row(row)
    return rows


class _Table:
    """The table of a batch, true at every moment: a row is added when its image is done."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _written(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", newline="", encoding="utf-8")
        self._line([field.name for field in dataclasses.fields(BatchRow)])

    def add(self, row: BatchRow) -> None:
        self._line(["" if value is None else value for value in dataclasses.astuple(row)])

    def _line(self, cells: list[Any]) -> None:
        with _written(self._path):
            csv.writer(self._file).writerow(cells)
            self._file.flush()

    def __enter__(self) -> _Table:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()


@contextlib.contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}", remedy="choose another folder") from error


def _row(entry: CollectionEntry, job: Job | JobError, do: Callable[[Job], dict[str, Any]], dry_run: bool) -> BatchRow:
    """Do something with a job, and say what came of it; only what ends the whole batch is raised."""
    start = time.perf_counter()
    row = BatchRow(entry.name, entry.uri, "" if isinstance(job, JobError) else str(job.output), "failed")
    try:
        if isinstance(job, JobError):
            raise job
        row = dataclasses.replace(row, **do(job))
    except (RunInterrupted, DiskFull, ClusterError) as error:
        if not dry_run:
            raise
        row = dataclasses.replace(row, error=_sentence(error))
    except Exception as error:  # one image, however odd, does not cost the night of the others
        row = dataclasses.replace(row, error=_sentence(error))
    if dry_run:
        return dataclasses.replace(row, state="would fail") if row.error else row
    return dataclasses.replace(row, seconds=round(time.perf_counter() - start, 3))


def _run(job: Job, **running: Any) -> dict[str, Any]:
    known = is_complete(Path(str(job.output)))
    result = api.run(job, **running)
    holes = result.summary.get("holes", 0)
    return {
        "state": "holes" if holes else "already done" if known else "done",
        "tiles": sum(sum(record.tiles.values()) for record in result.records),
        "objects": result.summary.get("objects"),
        "holes": holes,
    }


class _Rehearsal:
    """Says what would become of each image, knowing what those before it would have written."""

    def __init__(self) -> None:
        self._reserved = 0

    def __call__(self, job: Job) -> dict[str, Any]:
        prepared = api.dry_run(job, reserved=self._reserved)
        if is_complete(Path(str(job.output))):
            return {"state": "already done", "tiles": prepared.cost.tiles}
        self._reserved += prepared.to_write
        return {"state": "would run", "tiles": prepared.cost.tiles}


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


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
