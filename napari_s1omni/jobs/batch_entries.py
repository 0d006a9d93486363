"""What each image of a batch is called, and what its row changes."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from napari_s1omni.errors import JobError
from napari_s1omni.jobs.fields import job_fields, plain_job, set_field, similar_field
from napari_s1omni.operations import OPERATIONS, OperationType
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.results.batch.batch_rows import COLUMNS, BatchRow
from napari_s1omni.storage.collections import Collection, CollectionEntry
from napari_s1omni.storage.listing.names import unused_name


def setting_columns(template: Job, entries: Iterable[CollectionEntry]) -> frozenset[str]:
    """Return the columns of a list that are fields of the job; the others are only copied into the tables.

    Raises
    ------
    JobError
        If a column is nearly called like a field: it may have been meant.
    """
    entries = entries if isinstance(entries, Collection) else Collection(entries)
    used = (name for entry in entries for name in entry.changes)
    columns = dict.fromkeys([*entries.columns, *used])
    fields = job_fields(None if "operation.type" in columns else template.operation.type)
    wrong = {name: near for name in columns if name not in fields and (near := similar_field(name, fields))}
    if wrong:
        named = "; ".join(
            f"the column '{name}' is no field of this job" + (f", but '{near}' is" if near in fields else "")
            for name, near in wrong.items()
        )
        raise JobError(
            named,
            "a column is called like a field, such as operation.prompt, or like none",
            "rename it; a fact about the images that goes into the table needs another name",
            columns=wrong,
        )
    return frozenset(name for name in columns if name in fields)


def further_columns(entry: CollectionEntry) -> dict[str, str]:
    """Return the columns of a list, or well and field of a plate, as they are called in the table of the batch."""
    return {_apart(name): text for name, text in entry.changes.items()}


def _apart(column: str) -> str:
    """Return the name of a column in the table of the batch, which has columns of its own."""
    return f"image_{column}" if column in COLUMNS else column


def settle_names(
    entries: Sequence[CollectionEntry], rows: Iterable[BatchRow]
) -> tuple[list[CollectionEntry], list[str]]:
    """Give each image the name that it has in the table of an earlier batch in the same folder, and new ones others.

    So a result is found again whatever else was added to the folder or the list.

    Returns
    -------
    (list of CollectionEntry, list of str)
        The entries in their order, and notes.
    """
    earlier: dict[str, list[BatchRow]] = {}
    for row in rows:
        earlier.setdefault(row.source, []).append(row)
    often = Counter(entry.uri for entry in entries)
    seen: Counter[str] = Counter()
    kept: dict[int, str] = {}
    for number, entry in enumerate(entries):
        before = _earlier_row(entry, earlier.get(entry.uri, []), seen[entry.uri], often[entry.uri])
        seen[entry.uri] += 1
        if before is not None and not entry.named:
            kept[number] = before.name
    # Names in the table belong to their images, whether these are in this batch or not.
    owners = {row.name.casefold(): row.source for found in earlier.values() for row in found}
    taken = {entry.name.casefold() for entry in entries if entry.named} | {name.casefold() for name in kept.values()}
    settled, notes = [], []
    for number, entry in enumerate(entries):
        if entry.named:
            settled.append(entry)
            continue
        name = kept.get(number)
        if name is None:
            foreign = {known for known, source in owners.items() if source != entry.uri}
            name = unused_name(entry.name, taken | foreign)
            taken.add(name.casefold())
            if name != entry.name:
                owner = owners.get(entry.name.casefold())
                of = f" of {owner}" if owner and owner != entry.uri else ""
                notes.append(f"'{entry.name}' is the result{of} already; that of {entry.uri} is called '{name}'")
        settled.append(dataclasses.replace(entry, name=name))
    return settled, notes


def _earlier_row(entry: CollectionEntry, rows: list[BatchRow], number: int, often: int) -> BatchRow | None:
    """Return the row of an image that is listed `often`, here for the time `number`."""
    if len(rows) == often and (often == 1 or not any(row.more for row in rows)):
        return rows[number]
    mine = further_columns(entry)
    # An image that is listed more than once is told by what its row changes.
    return next((row for row in rows if {name: text for name, text in row.more.items() if text} == mine), None)


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
        Results go to ``folder/NAME.zarr``, fields of a screening file into a plate; None leaves them to
        ``template.into``.

    Yields
    ------
    (CollectionEntry, Job or JobError)
        The error, if the row of an image holds something that a job does not know, or writes where an earlier row
        does.
    """
    writers: dict[str, str] = {}
    for entry in entries:
        job = _job(template, entry, folder)
        if isinstance(job, Job):
            job = _alone(job, entry, writers)
        yield entry, job


def _job(template: Job, entry: CollectionEntry, folder: Path | None) -> Job | JobError:
    kind = entry.changes.get("operation.type", template.operation.type)
    fields = job_fields(_operation(kind))
    data = plain_job(template) if kind != template.operation.type else template.model_dump(mode="json")
    data["source"] |= {"uri": entry.uri}
    if folder is not None:
        data |= {"output": str(folder / (entry.place or f"{entry.name}.zarr")), "into": None}
    try:
        for name, text in entry.changes.items():
            if name in fields:
                set_field(data, name, text, fields[name])
        return Job.read(data, entry.uri)
    except JobError as error:
        return error


def _operation(kind: str) -> OperationType | None:
    return kind if kind in OPERATIONS else None


def _alone(job: Job, entry: CollectionEntry, writers: dict[str, str]) -> Job | JobError:
    """Refuse a job that writes where that of another image does."""
    try:
        place = str(output_path(job))
    except JobError:
        # Said when the job is run.
        return job
    earlier = writers.setdefault(place.casefold(), entry.name)
    if earlier == entry.name:
        return job
    return JobError(f"'{earlier}' and '{entry.name}' both write {place}", "each image has its own output", "change one")
