"""What lies where a job would write, so that a surface can ask before anything is written."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from napari_s1omni.errors import PlanMismatch, StoreDamaged, StoreError, StoreLocked
from napari_s1omni.execution.run.run_output import is_complete
from napari_s1omni.execution.run.status import describe_failure
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.zarr_folder import read_attributes
from napari_s1omni.storage.result import preflight
from napari_s1omni.storage.result.metadata import KEY
from napari_s1omni.storage.result.snapshots import has_replaced


class Held(Enum):
    """What an output folder holds."""

    NOTHING = "nothing"
    """The run begins here."""
    UNFINISHED = "unfinished"
    """The same job, which the run continues."""
    FINISHED = "finished"
    """The result of the same job; there is nothing to do."""
    OTHER = "other"
    """The result of another job, which can be replaced."""
    BUSY = "busy"
    """A run that is at work, or waits."""
    REFUSED = "refused"
    """Something that no run may touch."""


_KEPT = " The result that it replaced is kept."


@dataclass(frozen=True, slots=True)
class OutputCheck:
    """What an output folder holds, and what that means for a job."""

    held: Held
    path: Path
    """The output folder."""
    words: str = ""
    """What it holds, as a sentence; empty for a new folder."""
    details: str = ""
    """What differs between that result and the job, or why the folder is refused."""
    replaced: bool = False
    """Whether the result of another job, which this one replaced, is kept."""

    @property
    def may_run(self) -> bool:
        """Whether a run may start without replacing anything."""
        return self.held in (Held.NOTHING, Held.UNFINISHED)

    def require(self, replace: bool = False) -> None:
        """Raise :class:`StoreError` unless a run may start; `replace` allows to replace the result of another job."""
        if not (self.may_run or (replace and self.held is Held.OTHER)):
            raise StoreError(self.words, self.details, "choose another name under 'Save to', or open that result")


def check_output(plan: Plan, job: Job) -> OutputCheck:
    """Look at the output of a job; reads the disk and writes nothing.

    Parameters
    ----------
    plan : Plan
    job : Job
        With its output.
    """
    path = output_path(job)
    request = preflight.OutputRequest(plan.fingerprint(), 0, source=plan.source.source, into=job.into is not None)
    try:
        begun = preflight.dry_run(path, request)
    except (PlanMismatch, StoreDamaged) as error:
        return OutputCheck(Held.OTHER, path, f"{path.name} holds {_describe(path)}.", error.given)
    except StoreLocked as error:
        return OutputCheck(Held.BUSY, path, f"A run is writing {path.name}.", error.given)
    except StoreError as error:
        return OutputCheck(Held.REFUSED, path, describe_failure(error).words)
    if not begun:
        return OutputCheck(Held.NOTHING, path)
    if is_complete(path):
        words = f"{path.name} holds the result of this job already."
        replaced = has_replaced(path)
        return OutputCheck(Held.FINISHED, path, words + _KEPT * replaced, _describe(path), replaced)
    return OutputCheck(Held.UNFINISHED, path, f"Run continues this job, which was begun in {path.name}.")


def next_free(path: Path, taken: Collection[Path] = ()) -> Path:
    """Return the first of ``coins-2.zarr``, ``coins-3.zarr``, ... that neither exists nor is among `taken`."""
    stem, _, number = path.stem.rpartition("-")
    stem, first = (stem, int(number) + 1) if stem and number.isdecimal() else (path.stem, 2)
    names = (path.with_name(f"{stem}-{n}{path.suffix}") for n in itertools.count(first))
    return next(name for name in names if name not in taken and not name.exists())


def _describe(path: Path) -> str:
    """Say what a result is: ``a result of 24 objects, 'segment the coins'``."""
    try:
        own = dict(read_attributes(path).get(KEY) or {})
    except (OSError, ValueError):
        own = {}
    objects = (own.get("summary") or {}).get("objects")
    prompt = ((own.get("job") or {}).get("operation") or {}).get("prompt")
    what = "another result" if own.get("state") == "complete" else "an unfinished result of another job"
    found = "" if objects is None else f" with {objects:,} object{'s' * (objects != 1)}"
    return what + found + (f" ('{prompt}')" if prompt else "")
