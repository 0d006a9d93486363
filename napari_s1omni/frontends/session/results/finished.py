"""What a finished run found, in one line, and the finished results that this user made."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.paths import is_url
from napari_s1omni.core.units import format_duration
from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.redo.redo_log import RedoLog
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import RunStatus
from napari_s1omni.execution.run.watch import status
from napari_s1omni.frontends.session.run_history import HistoryEntry, history
from napari_s1omni.planning.job import Job
from napari_s1omni.results.report.pictures import overview
from napari_s1omni.results.result import Result
from napari_s1omni.storage.source import Source, open_reference

THUMBNAIL = 64
"""Longest edge of a thumbnail in pixels."""
_NAMED = re.compile(
    r"(?:segment|find|detect|outline|label|count|mark|show|extract)\s+(?:all\s+)?(?:of\s+)?(?:the\s+)?"
    r"((?:[^\W\d_]+[ -]){0,2}[^\W\d_]+s|(?:[^\W\d_]+[ -]){0,2}(?:nuclei|mitochondria|bacteria|fungi|axia|somata))\b",
    re.IGNORECASE,
)
"""A verb of a request and the plural that it asks for, with up to two words before it."""


@dataclass(frozen=True, slots=True)
class FinishedResult:
    """A finished result in the list of results."""

    entry: HistoryEntry
    job: Job | None
    """Its job, with its output; None if the folder is gone or cannot be read."""
    words: str
    """What it holds, such as ``112 nuclei in 24 s``; or why it cannot be opened."""
    ended: float
    """Unix time."""

    @property
    def path(self) -> Path:
        """Its folder."""
        return Path(self.entry.output)


def describe_finished(job: Job, found: RunStatus, *, timed: bool = True) -> str:
    """Say what a run found and how long it took: ``112 nuclei in 24 s``, and what was dropped from a stack.

    Parameters
    ----------
    job : Job
    found : RunStatus
        Of the complete run.
    timed : bool
        Whether its times are those of the whole run.
    """
    what = "finished" if found.objects is None else f"{found.objects:,} {object_name(job, found.objects)}"
    if found.thin:
        what += f" ({found.thin:,} in too few planes dropped)"
    seconds = found.updated - found.started
    return f"{what} in {format_duration(max(1, seconds))}" if timed and found.started and seconds >= 0 else what


def object_name(job: Job, count: int = 2) -> str:
    """Return what the request of a segmentation calls its objects, such as ``nuclei``; else ``objects``."""
    named = _NAMED.search(str(job.operation.prompt)) if count != 1 else None
    return named.group(1).lower() if named else f"object{'s' * (count != 1)}"


def finished_results(limit: int) -> list[FinishedResult]:
    """Return up to `limit` finished results of this user, those that were started last first; reads the disk."""
    found = (_read(entry) for entry in reversed(history()))
    return list(itertools.islice((one for one in found if one is not None), limit))


def _read(entry: HistoryEntry) -> FinishedResult | None:
    """Return an entry of the list; None for a run that has not finished."""
    path = Path(entry.output)
    try:
        now = status(path)
        if now.state is not RunState.COMPLETE:
            return None
        result = Result.open(path)
        objects = result.summary.get("objects", now.objects)
        timed = not RedoLog.read(result.work).rounds
        job = result.plan.job if result.plan.job.into else result.plan.job.replace(output=str(path))
        words = describe_finished(job, now.replace(objects=objects), timed=timed)
        return FinishedResult(entry, job, words, now.updated)
    except (S1OmniError, OSError, ValueError, KeyError):
        return FinishedResult(entry, None, "its folder is gone or cannot be read", entry.started)


def thumbnail(path: Path) -> NDArray[np.uint8] | None:
    """Draw the middle plane of a result, labels in colours over their image; None if it cannot be read.

    Returns
    -------
    uint8 (height, width, 3)
        At most :data:`THUMBNAIL` pixels high and wide.
    """
    try:
        result = Result.open(path)
        picture = overview(result, _image_of(result), filled=True)[-1]
    except (S1OmniError, OSError, ValueError):
        return None
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    return np.asarray(picture)


def _image_of(result: Result) -> Source | None:
    """Open the image of a result; None if it is gone, or behind a URL, where it would take long."""
    uri = result.plan.source.source
    if uri is None or (is_url(uri) and not uri.startswith("synthetic:")):
        return None
    try:
        return open_reference(result.plan.job.source, uri)
    except (S1OmniError, OSError):
        return None
