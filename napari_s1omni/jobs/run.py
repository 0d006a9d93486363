"""Running a job to its end, in this process or in worker processes."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from napari_s1omni.core.image_references import ImageChoice, exchange_image
from napari_s1omni.engine.protocol import Engine
from napari_s1omni.engine.registry import create_engine
from napari_s1omni.errors import StoreError
from napari_s1omni.execution.executors.cluster import ClusterConfig
from napari_s1omni.execution.executors.dask_executor import run_dask
from napari_s1omni.execution.executors.serial import run_serial
from napari_s1omni.execution.run.events import OnEvent, ignore_event
from napari_s1omni.execution.run.status import announce_failure
from napari_s1omni.execution.run.tile_times import LearningRun
from napari_s1omni.jobs.prepare import MeasuredSource, prepare, replace_other
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.results.result import Result
from napari_s1omni.storage.arrays.array_origin import locate_pixels, stored_note


def run(
    job: Job,
    array: Any = None,
    image: ImageChoice | None = None,
    *,
    executor: Literal["serial", "dask"] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    verify: bool = False,
    durable: bool = True,
    overwrite: bool = False,
    engines: Callable[[str], Engine] = create_engine,
    on_event: OnEvent = ignore_event,
) -> Result:
    """Run a job to its end, or resume it if an earlier run was stopped.

    Parameters
    ----------
    job : Job
    array : array-like, optional
        The pixels, for a source in memory; or the job's source as it was measured for a preview.
    image : str or int, optional
        Another image of the file of the job: its name, or its number from 0.
    executor : str, optional
        ``serial`` runs in this process, ``dask`` in worker processes; by default ``dask`` if workers or a scheduler
        are given. The result is the same.
    workers : int, optional
        Number of worker processes; by default one per GPU, or one.
    scheduler : str, optional
        Address of a Dask scheduler, or ``slurm``; by default worker processes on this machine.
    verify : bool
        Reread blocks that an earlier run wrote, and redo damaged ones.
    durable : bool
        Fsync every write; without it a power loss may lose finished blocks.
    overwrite : bool
        Replace the result of another job in the output. It is kept until :func:`~napari_s1omni.accept` or
        :func:`~napari_s1omni.drop` is called, or until the next replacement. The same job is continued.
    engines : callable
        Loads an engine by its name, for the serial executor; replace it to reuse a loaded engine.
    on_event : callable
        Called with each event of :mod:`napari_s1omni.execution.run.events`.

    Returns
    -------
    Result

    Raises
    ------
    S1OmniError
        See :mod:`napari_s1omni.errors`; finished blocks are kept.

    Examples
    --------
    >>> import napari_s1omni
    >>> job = napari_s1omni.Job(
    ...     source={"uri": "synthetic://nuclei?shape=200,300"}, operation={"type": "segmentation"}, engine="reference"
    ... )
    >>> napari_s1omni.run(job).complete
    True
    """
    if image is not None:
        job = job.replace(source={**job.source.model_dump(), "uri": exchange_image(job.source.uri, image)})
    if job.output is None and job.into is None:
        job = job.replace(output=_temporary_folder())
    path = output_path(job)
    notes: tuple[str, ...] = ()
    with announce_failure(path), LearningRun(on_event) as tell:
        seen = None
        if isinstance(array, MeasuredSource):
            # What was measured holds as long as the content is the same.
            seen, array = array.again(job.source), None
        elif array is not None:
            ref, array, stored = locate_pixels(job.source, array)
            job = job.replace(source=ref)
            notes = (stored_note(stored),) if array is None else ()
        prepared = prepare(job, array, seen=seen).with_notes(notes)
        plan, source = prepared.plan, prepared.source
        if overwrite:
            replace_other(prepared)
        if (executor or ("dask" if workers or scheduler else "serial")) == "dask":
            cluster = ClusterConfig(workers, scheduler)
            run_dask(plan, source, path, cluster=cluster, verify=verify, durable=durable, on_event=tell)
        else:
            load = functools.partial(engines, plan.engine.name)
            run_serial(plan, source, path, verify=verify, durable=durable, engine=load, on_event=tell)
    return Result.open(path, source)


def _temporary_folder() -> str:
    """Return the path of a folder that is removed when Python ends."""
    try:
        parent = tempfile.mkdtemp(prefix="s1omni-")
    except OSError as error:
        raise StoreError(
            f"no temporary folder can be written: {error.strerror or error}",
            remedy="name an output, or set TMPDIR to a folder that you may write to",
        ) from error
    atexit.register(shutil.rmtree, parent, ignore_errors=True)
    return str(Path(parent) / "result.zarr")
