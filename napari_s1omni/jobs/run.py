"""The Python door: three verbs and a job. Every other surface goes through ``prepare`` and ``run``."""

from __future__ import annotations

import atexit
import dataclasses
import functools
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.tiling import Span, Tiling
from napari_s1omni.engine.protocol import Engine
from napari_s1omni.engine.registry import create_engine, describe
from napari_s1omni.errors import JobError, PlanError
from napari_s1omni.execution.executors.cluster import Fleet
from napari_s1omni.execution.executors.dask_executor import run_dask
from napari_s1omni.execution.executors.serial import run_serial
from napari_s1omni.execution.run.events import OnEvent, ignore
from napari_s1omni.execution.run.redo import begin_redo, failed_tiles, held, parse_tiles, uncertain_tiles
from napari_s1omni.execution.run.run_output import bytes_left
from napari_s1omni.execution.run.status import announce_failure
from napari_s1omni.planning.cost import Cost, validate
from napari_s1omni.planning.job import Job, Shape, SourceRef, output_path
from napari_s1omni.planning.plan import Plan, resolve
from napari_s1omni.results.result import Result
from napari_s1omni.storage.normalization_estimate import estimate_normalization
from napari_s1omni.storage.regions import open_region
from napari_s1omni.storage.result import preflight
from napari_s1omni.storage.result import snapshots as generations
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.source import Source, open_source
from napari_s1omni.system.memory import available_memory

IN_MEMORY = "memory:"
"""How the URI of a source begins that only this process has."""

_TILING = tuple(Tiling.model_fields)
_SAMPLING = (
    "think",
    "region_tiles",
    "max_new_tokens",
    "temperature",
    "top_p",
    "num_inference_steps",
    "true_cfg_scale",
    "seed",
)
_RUNNING = ("executor", "workers", "scheduler", "verify", "durable", "on_event")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan beside the opened source; nothing is written and no model is loaded yet."""

    plan: Plan
    source: Source
    cost: Cost
    to_write: int = 0
    """Bytes that a run has still to write, where its output was rehearsed."""


@dataclass(frozen=True, slots=True)
class MeasuredSource:
    """A source with what was measured on it, to be kept while a job is being written."""

    source: Source
    normalization: Normalization
    digest: str
    """Fingerprint of its content."""


def measure_source(ref: SourceRef, array: Any = None) -> MeasuredSource:
    """Open a source and measure it.

    Parameters
    ----------
    ref : SourceRef
    array : array-like, optional
        The pixels, where they live in this process.

    Raises
    ------
    SourceError
    """
    source = open_source(
        ref.uri if array is None else array, level=ref.level, axes=ref.axes, scale=ref.scale, units=ref.units
    )
    return MeasuredSource(source, estimate_normalization(source), source.fingerprint())


def prepare(job: Job, array: Any = None, *, memory: int | None = None, seen: MeasuredSource | None = None) -> Prepared:
    """Open the source, measure it, choose the engine and resolve the plan.

    Parameters
    ----------
    job : Job
    array : array-like, optional
        The pixels, where they live in this process instead of at ``job.source.uri``.
    memory : int, optional
        Bytes a worker may use; by default what is free now.
    seen : MeasuredSource, optional
        What :func:`measure_source` returned for this source before.

    Raises
    ------
    SourceError, PlanError, EngineError
    """
    known = seen or measure_source(job.source, array)
    source = known.source
    description = describe(job.engine, job.operation.type, getattr(job.operation, "target", None))
    job, bounds, region, said = _region(job, source)
    plan = resolve(job, source.spec, known.normalization, description, known.digest, bounds, region)
    plan = dataclasses.replace(plan, notes=(*source.notes, *said, *plan.notes))
    return Prepared(plan, source, validate(plan, available_memory() if memory is None else memory))


def dry_run(job: Job, *, reserved: int = 0) -> Prepared:
    """Prepare a job and check its output as a run would, writing nothing and loading no model.

    Parameters
    ----------
    job : Job
    reserved : int
        Bytes of the same disk that others will have written before.

    Returns
    -------
    Prepared

    Raises
    ------
    S1OmniError
        What a run would raise before its first tile.
    """
    prepared = prepare(job)
    if job.output is None and job.into is None:
        return prepared
    plan, path = prepared.plan, output_path(job)
    whole = prepared.cost.output_bytes // 2

    def left() -> int:
        needed = bytes_left(plan, path, whole)
        return needed + reserved if needed else 0

    begun = preflight.dry_run(
        path,
        fingerprint=plan.fingerprint(),
        forecast=whole + reserved,
        left=left,
        source=plan.source.source,
        into=job.into is not None,
    )
    return dataclasses.replace(prepared, to_write=bytes_left(plan, path, whole) if begun else whole)


def run(
    job: Job,
    array: Any = None,
    *,
    executor: Literal["serial", "dask"] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    verify: bool = False,
    durable: bool = True,
    engines: Callable[[str], Engine] = create_engine,
    on_event: OnEvent = ignore,
) -> Result:
    """Run a job to its end, or go on with it where an earlier run stopped.

    Parameters
    ----------
    job : Job
    array : array-like, optional
        The pixels, where they live in this process.
    executor : str, optional
        ``serial`` in this process; ``dask`` in worker processes. Left out, it is
        ``dask`` where workers or a scheduler are named. The result does not depend on it.
    workers : int, optional
        Worker processes; by default one per GPU, or one.
    scheduler : str, optional
        Address of a Dask scheduler, or ``slurm``; by default processes of this machine.
    verify : bool
        Reread what an earlier run wrote and redo blocks that were damaged since.
    durable : bool
        Wait until written data is on the medium; without it a power cut may cost finished blocks.
    engines : callable
        Loads an engine by its name, for the serial executor; a caller may keep it warm from run to run.
    on_event : callable
        Receives the events of :mod:`napari_s1omni.execution.run.events`.

    Returns
    -------
    Result

    Raises
    ------
    S1OmniError
        See :mod:`napari_s1omni.errors`; whatever was finished is kept.
    """
    if job.output is None and job.into is None:
        job = job.replace(output=_temporary())
    path = output_path(job)
    with announce_failure(path):
        prepared = prepare(job, array)
        plan, source = prepared.plan, prepared.source
        if (executor or ("dask" if workers or scheduler else "serial")) == "dask":
            fleet = Fleet(workers, scheduler)
            run_dask(plan, source, path, fleet=fleet, verify=verify, durable=durable, on_event=on_event)
        else:
            load = functools.partial(engines, plan.engine.name)
            run_serial(plan, source, path, verify=verify, durable=durable, engine=load, on_event=on_event)
    return Result.open(path)


def redo(
    path: str | Path,
    tiles: str | None = None,
    array: Any = None,
    *,
    failed: bool = False,
    uncertain: bool = False,
    sampling: Mapping[str, Any] | None = None,
    prompt: str | None = None,
    **running: Any,
) -> Result:
    """Think and draw some tiles of a result anew; the result before is kept until :func:`accept` or :func:`drop`.

    Parameters
    ----------
    path : str or Path
        A result.
    tiles : str, optional
        ``row/column``, ``plane/row/column`` or ``time/plane/row/column`` in the lattice, several with commas.
    array : array-like, optional
        The source's pixels, where they live in this process.
    failed : bool
        Take the tiles that failed.
    uncertain : bool
        Take the tiles that see an uncertain join of labels.
    sampling : mapping, optional
        What of the run's sampling to change, such as ``{"seed": 1}``; how often to think is not for single tiles.
    prompt : str, optional
        Another wording for these tiles.
    **running
        Of :func:`run`.

    Returns
    -------
    Result

    Raises
    ------
    JobError
        If no tile is named, or the sampling cannot be changed so.
    PlanError
        If source or engine are not those of the result any more.
    StoreError
        If the result before the last redo is still undecided.
    """
    folder = Path(path)
    store = ResultStore.open(folder)
    plan = Plan.from_json(store.attributes["plan"])
    changes = dict(sampling or {})
    if {"think", "region_tiles"} & changes.keys():
        raise JobError("another way of thinking for single tiles", "other numbers than think and region_tiles")
    wanted = parse_tiles(plan, tiles) if tiles else set()
    wanted |= failed_tiles(plan, store) if failed else set()
    wanted |= uncertain_tiles(plan, store) if uncertain else set()
    changed = Sampling.read({**plan.sampling.model_dump(), **changes}, "sampling")
    job = plan.job if plan.job.into else plan.job.replace(output=str(path))
    # Before anything is marked, so that a run that is refused leaves all as it was.
    if prepare(job, array).plan.digest != plan.digest:
        raise PlanError("the source or the engine changed since the run", remedy="run it anew into another output")
    begin_redo(plan, folder, wanted, changed, prompt)
    return run(job, array, **running)


def accept(path: str | Path) -> None:
    """Keep what was redone last, and forget what it replaced."""
    with held(Plan.from_json(ResultStore.open(path).attributes["plan"]), Path(path)):
        generations.accept(Path(path))


def drop(path: str | Path) -> None:
    """Forget what was redone last, and return to the result before."""
    with held(Plan.from_json(ResultStore.open(path).attributes["plan"]), Path(path)):
        generations.drop(Path(path))


def segment(source: Any, output: str | Path | None = None, *, prompt: str | None = None, **options: Any) -> Result:
    """Find objects; the result is a label layer.

    Parameters
    ----------
    source : str, Path or array
        Path or URL of an image, or an array.
    output : str or Path, optional
        Folder of the result; a temporary one if left out, removed when Python ends.
    prompt : str, optional
        What to find, such as ``"segment the nuclei, about 20 px"``.
    **options
        ``engine``, ``region``, ``axes``, ``scale``, ``units``, ``level``; any field of
        :class:`~napari_s1omni.operations.Segmentation`, :class:`~napari_s1omni.core.tiling.Tiling`
        and :class:`~napari_s1omni.core.sampling.Sampling`; and those of :func:`run`.
    """
    return _verb("segmentation", source, output, prompt, options)


def super_resolve(
    source: Any, output: str | Path | None = None, *, prompt: str | None = None, **options: Any
) -> Result:
    """Restore an image on a finer grid (``factor=2``); parameters as in :func:`segment`."""
    return _verb("super_resolution", source, output, prompt, options)


def translate(source: Any, output: str | Path | None = None, *, prompt: str | None = None, **options: Any) -> Result:
    """Draw an image as another modality would show it (``target="hematoxylin"``); parameters as in :func:`segment`."""
    return _verb("modality_translation", source, output, prompt, options)


def make_job(
    operation: Literal["segmentation", "super_resolution", "modality_translation"],
    source: Any,
    output: str | Path | None = None,
    prompt: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> tuple[Job, Any]:
    """Sort flat options into a job.

    Parameters
    ----------
    operation : str
    source : str, Path or array
    output : str or Path, optional
    prompt : str, optional
    options : mapping
        Flat names as in :func:`segment`; None means left out.

    Returns
    -------
    (Job, array or None)
        The array, where the source is one.

    Raises
    ------
    JobError
        If an option is unknown or wrong.
    """
    rest = {name: value for name, value in (options or {}).items() if value is not None}
    array = None if isinstance(source, str | Path) else source
    reference = {"uri": str(source) if array is None else f"{IN_MEMORY}{type(source).__name__}"}
    reference |= {name: rest.pop(name) for name in ("level", "axes", "scale", "units") if name in rest}
    document: dict[str, Any] = {"source": reference, "output": None if output is None else str(output)}
    document |= {name: rest.pop(name) for name in ("engine", "region", "into") if name in rest}
    for section, names in (("tiling", _TILING), ("sampling", _SAMPLING)):
        document[section] = {name: rest.pop(name) for name in names if name in rest}
    # What is left belongs to the operation, which refuses what it does not know.
    document["operation"] = {"type": operation, **({} if prompt is None else {"prompt": prompt}), **rest}
    return Job.read(document, "options"), array


def _region(job: Job, source: Source) -> tuple[Job, Mapping[str, Span], str, tuple[str, ...]]:
    """Open a region that is no box: the job with its full path, its bounds, its fingerprint and what is to be said."""
    if not isinstance(job.region, Shape):
        return job, {}, "", ()
    shape = job.region
    if "://" not in shape.uri:
        # A worker's working folder may be another one.
        shape = shape.replace(uri=str(Path(shape.uri).expanduser().absolute()))
    region = open_region(shape, source.spec)
    return job.replace(region=shape), region.bounds, region.fingerprint(), region.notes


def _verb(
    operation: Literal["segmentation", "super_resolution", "modality_translation"],
    source: Any,
    output: str | Path | None,
    prompt: str | None,
    options: dict[str, Any],
) -> Result:
    running = {name: options.pop(name) for name in _RUNNING if name in options}
    job, array = make_job(operation, source, output, prompt, options)
    return run(job, array, **running)


def _temporary() -> str:
    """Name of a folder that is removed when Python ends."""
    parent = tempfile.mkdtemp(prefix="s1omni-")
    atexit.register(shutil.rmtree, parent, ignore_errors=True)
    return str(Path(parent) / "result.zarr")
