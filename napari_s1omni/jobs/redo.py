"""Redoing some tiles of a result, and keeping or undoing that."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from napari_s1omni.core.paths import local_path
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.errors import JobError, PlanError
from napari_s1omni.execution.redo.redo import all_failed_tiles, begin_redo, lock_result, parse_tiles, uncertain_tiles
from napari_s1omni.execution.run.run_output import write_job
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.run.status import RunStatus, write_status
from napari_s1omni.jobs.options import RUN_OPTIONS, RunOptions
from napari_s1omni.jobs.prepare import MeasuredSource, measure_source, prepare
from napari_s1omni.jobs.run import run
from napari_s1omni.planning.job import check_prompt
from napari_s1omni.planning.plan import Plan
from napari_s1omni.results.result import Result
from napari_s1omni.storage.result import snapshots
from napari_s1omni.storage.result.store import ResultStore


def redo(
    path: str | Path,
    tiles: str | None = None,
    array: Any = None,
    *,
    failed: bool = False,
    uncertain: bool = False,
    sampling: Mapping[str, Any] | None = None,
    prompt: str | None = None,
    **running: Unpack[RunOptions],
) -> Result:
    """Think and generate some tiles of a result again.

    The previous result is kept until :func:`accept` or :func:`drop`.

    Parameters
    ----------
    path : str or Path
        Folder of a result.
    tiles : str, optional
        ``row/column``, ``plane/row/column`` or ``time/plane/row/column`` in the tile lattice, several with commas.
    array : array-like, optional
        The source's pixels, for a source in memory; or the source as it was measured for a preview.
    failed : bool
        Take the tiles that failed.
    uncertain : bool
        Take the tiles at uncertain joins of labels.
    sampling : mapping, optional
        Sampling fields to change, such as ``{"seed": 1}``; not ``think`` and ``region_tiles``.
    prompt : str, optional
        Another prompt for these tiles.
    **running
        Options of :func:`napari_s1omni.run`.

    Returns
    -------
    Result

    Raises
    ------
    JobError
        If no tile is named, a sampling field cannot be changed, or an option is unknown.
    PlanError
        If source or engine changed since the run.
    StoreError
        If the last redo was neither accepted nor dropped.

    Examples
    --------
    >>> import napari_s1omni
    >>> result = napari_s1omni.segment("synthetic://nuclei?shape=200,300", engine="reference")
    >>> napari_s1omni.redo(result.path, "0/0", sampling={"seed": 1}).complete
    True
    >>> napari_s1omni.accept(result.path)
    """
    allowed = sorted(set(RUN_OPTIONS) - {"overwrite"})
    if unknown := sorted(set(running) - set(allowed)):
        raise JobError(
            f"unknown option '{unknown[0]}' of redo",
            f"options of the run are {', '.join(allowed)}",
            "give sampling fields as sampling={'seed': 1}",
        )
    check_prompt(prompt)
    path = _local(path)
    store = ResultStore.open(path)
    plan = Plan.from_json(store.attributes["plan"])
    changes = dict(sampling or {})
    if {"think", "region_tiles"} & changes.keys():
        raise JobError("redo cannot change think or region_tiles", "every other sampling field can be changed")
    wanted = parse_tiles(plan, tiles) if tiles else set()
    wanted |= all_failed_tiles(plan, store) if failed else set()
    wanted |= uncertain_tiles(plan, store) if uncertain else set()
    changed = Sampling.read({**plan.sampling.model_dump(), **changes}, "sampling")
    job = plan.job if plan.job.into else plan.job.replace(output=str(path))
    seen = known = measure_source(job.source) if array is None else None
    if isinstance(array, MeasuredSource):
        seen, known = array, array.again(job.source)
    # Before anything is marked, so that a refused redo leaves the result as it was.
    if prepare(job, None if seen else array, seen=known).plan.digest != plan.digest:
        raise PlanError(
            "the source or the engine changed since the run, or this version reads the request differently",
            remedy="run the job into another output",
        )
    begin_redo(plan, path, wanted, changed, prompt)
    # What was measured is not measured again.
    return run(job, seen or array, **running)


def accept(path: str | Path) -> None:
    """Keep the last redo of a result, and delete what it replaced.

    Parameters
    ----------
    path : str or Path
        Folder of a result.

    Raises
    ------
    StoreError
        If there is no redo to accept, or the result is in use.

    Examples
    --------
    ``napari_s1omni.accept("nuclei.zarr")`` after :func:`napari_s1omni.redo`.
    """
    path = _local(path)
    with lock_result(stored_plan(path), path):
        snapshots.delete_snapshot(path)


def drop(path: str | Path) -> None:
    """Undo the last redo of a result.

    Parameters
    ----------
    path : str or Path
        Folder of a result.

    Raises
    ------
    StoreError
        If there is no redo to undo, or the result is in use.

    Examples
    --------
    ``napari_s1omni.drop("nuclei.zarr")`` after :func:`napari_s1omni.redo`.
    """
    path = _local(path)
    replaced = snapshots.has_replaced(path)
    with lock_result(stored_plan(path), path):
        snapshots.restore_snapshot(path)
        if replaced:
            # Job file and status are those of the run that replaced it.
            store = ResultStore.open(path)
            write_job(Plan.from_json(store.attributes["plan"]), path)
            state = RunState.COMPLETE if store.attributes["state"] == "complete" else RunState.CANCELLED
            write_status(path, RunStatus(state, updated=time.time()))


def settle(path: str | Path) -> None:
    """Make room for a redo: keep the last one; what an earlier job made and this one replaced stays too.

    Parameters
    ----------
    path : str or Path
        Folder of a result with an earlier version.

    Raises
    ------
    StoreError
        If there is none, or the result is in use.
    """
    path = _local(path)
    with lock_result(stored_plan(path), path):
        if snapshots.has_replaced(path):
            snapshots.keep_replaced(path)
        else:
            snapshots.delete_snapshot(path)


def _local(path: str | Path) -> Path:
    return local_path(path, "result", "change it on the machine where it lies")


def stored_plan(path: str | Path) -> Plan:
    """Return the plan of a result."""
    return Plan.from_json(ResultStore.open(path).attributes["plan"])
