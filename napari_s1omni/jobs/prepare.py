"""Preparing a job: open and measure its source, choose the engine, resolve the plan, check the output."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.paths import full_path
from napari_s1omni.core.requests.reading import find_kind
from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.engine.familiarity.bank import ImageSample
from napari_s1omni.engine.familiarity.features import describe_tiles
from napari_s1omni.engine.registry import describe
from napari_s1omni.execution.pipeline.region_mask import count_tiles
from napari_s1omni.execution.run.begun_plan import as_begun
from napari_s1omni.execution.run.run_output import bytes_left
from napari_s1omni.execution.run.tile_times import with_learned_time
from napari_s1omni.jobs.brightness import contrary_brightness
from napari_s1omni.jobs.consensus import (
    as_asked,
    looks_in_hematoxylin,
    may_even_ground,
    measure_consensus,
    says_polarity,
)
from napari_s1omni.jobs.sample_places import cut_tiles, read_places
from napari_s1omni.jobs.volume_quality import volume_quality
from napari_s1omni.operations.familiarity import familiarity_notes
from napari_s1omni.operations.operation import Operation
from napari_s1omni.operations.understanding import Doubt
from napari_s1omni.planning.consensus import Consensus
from napari_s1omni.planning.cost import Cost, check_memory
from napari_s1omni.planning.job import Job, Shape, SourceRef, output_path
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.resolve import RegionBounds, resolve
from napari_s1omni.settings import THREADS
from napari_s1omni.storage.arrays.layer_copy import LayerMeasures, read_measures
from napari_s1omni.storage.image_group.label_place import label_place
from napari_s1omni.storage.label_check import looks_like_labels
from napari_s1omni.storage.normalization_estimate import estimate_normalization
from napari_s1omni.storage.regions.region import open_region
from napari_s1omni.storage.result import preflight
from napari_s1omni.storage.result.output_fingerprint import differing_keys, stored_fingerprint
from napari_s1omni.storage.source import Source, open_reference
from napari_s1omni.system.memory import available_memory


@dataclass(frozen=True, slots=True)
class MeasuredSource:
    """An open source with its normalization and fingerprint, kept while a job is edited."""

    source: Source
    normalization: Normalization
    digest: str
    """Fingerprint of its content."""
    flat: bool | None = None
    """Whether it looks like labels, where that was measured before; None measures it when it matters."""
    known: dict[tuple[int, ...], Consensus] = field(default_factory=dict)
    """What its objects have in common, by the channels that an engine sees, as far as it was measured."""
    described: dict[tuple[int, ...], NDArray[np.float32]] = field(default_factory=dict)
    """Features of some tiles, by the channels that an engine sees, as far as they were measured."""
    copied: bool = False
    """Whether it is a copy that lacks the parts that nobody reads: what is not known of the layer stays so."""

    def again(self, ref: SourceRef) -> Self | None:
        """Open the source again; None if its content is another one now."""
        source = open_reference(ref)
        if self.copied or source.fingerprint() != self.digest:
            return None
        return dataclasses.replace(self, source=source)

    def measures(self) -> LayerMeasures:
        """Return what a copy of a part keeps of the whole; may read some of it."""
        flat = looks_like_labels(self.source) if self.flat is None else self.flat
        return LayerMeasures(self.normalization, self.digest, flat)

    def consensus(self, operation: Operation, engine: EngineDescription) -> Consensus | None:
        """Return what of the layer's objects concerns a request and an engine; may read some of the layer."""
        spec = self.source.spec
        stained = spec.rgb and looks_in_hematoxylin(operation, engine)
        if not (says_polarity(operation, engine) or stained or may_even_ground(operation, engine, spec)):
            return None
        (channels,) = operation.channel_groups(spec)
        if channels not in self.known and not self.copied:
            self.known[channels] = measure_consensus(*read_places(self.source, operation, self.normalization, channels))
        found = self.known.get(channels)
        return None if found is None else as_asked(found, operation, engine, spec)

    def features(self, operation: Operation) -> NDArray[np.float32] | None:
        """Return features of some tiles of the layer, by which engines tell whether they know such images.

        May read some of it; None if it is a copy that lacks them.
        """
        channels = operation.channel_groups(self.source.spec)[0]
        if channels not in self.described and not self.copied:
            places, _ = read_places(self.source, operation, self.normalization, channels)
            self.described[channels] = describe_tiles(cut_tiles(places))
        return self.described.get(channels)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with its open source; nothing is written and no model is loaded yet."""

    plan: Plan
    source: Source
    cost: Cost
    to_write: int = 0
    """Bytes that a run has still to write; only set by :func:`dry_run`."""
    understood: str = ""
    """What the engine understands of the prompt, such as ``nuclei, dark, about 12 px``; empty if it reads any words."""
    doubts: tuple[Doubt, ...] = ()
    """The notes of the plan that a user should read before the run: what is not understood, or was guessed."""

    def with_notes(self, notes: Iterable[str], doubts: Iterable[Doubt] = ()) -> Self:
        """Return a copy whose plan also has these notes, each once, before its own; some of them are doubts."""
        together = tuple(dict.fromkeys((*notes, *self.plan.notes)))
        plan = dataclasses.replace(self.plan, notes=together)
        return dataclasses.replace(self, plan=plan, doubts=tuple(dict.fromkeys((*self.doubts, *doubts))))

    def with_learned_time(self) -> Self:
        """Return a copy whose forecast follows what runs have taken until now; reads a small file."""
        return dataclasses.replace(self, cost=with_learned_time(self.cost, self.plan))


def measure_source(ref: SourceRef, array: Any = None) -> MeasuredSource:
    """Open and measure a source.

    Parameters
    ----------
    ref : SourceRef
    array : array-like, optional
        The pixels, for a source in memory.

    Raises
    ------
    SourceError
        If the source cannot be read or is not an image.
    """
    source = open_reference(ref, array)
    known = read_measures(source.spec.source)
    if known is not None:
        # A copy of a layer in memory lacks the parts that nobody reads.
        seen = dict(known.consensus), dict(known.described)
        return MeasuredSource(source, known.normalization, known.digest, known.flat, *seen, copied=True)
    return MeasuredSource(source, estimate_normalization(source), source.fingerprint())


def prepare(job: Job, array: Any = None, *, memory: int | None = None, seen: MeasuredSource | None = None) -> Prepared:
    """Open and measure the source of a job, choose the engine and resolve the plan.

    Writes nothing and loads no model.

    Parameters
    ----------
    job : Job
    array : array-like, optional
        The pixels, for a source in memory instead of at ``job.source.uri``.
    memory : int, optional
        Bytes that a worker may use; by default the free memory of this machine.
    seen : MeasuredSource, optional
        An earlier result of :func:`measure_source` for this source.

    Returns
    -------
    Prepared
        With the attributes ``plan``, ``source`` and ``cost``.

    Raises
    ------
    SourceError, PlanError, EngineError
        As a run would raise them.

    Examples
    --------
    >>> import napari_s1omni
    >>> job = napari_s1omni.Job(
    ...     source={"uri": "synthetic://nuclei?shape=600,800"}, operation={"type": "segmentation"}, engine="reference"
    ... )
    >>> napari_s1omni.prepare(job).plan.target.dtype
    'uint32'
    """
    if job.output is not None or job.into is not None:
        output_path(job)
    known = seen or measure_source(job.source, array)
    source = known.source
    notes = source.notes if job.operation.type == "segmentation" else (*source.notes, *_check_intensities(job, known))
    sample = ImageSample(find_kind(job.operation.prompt), functools.partial(known.features, job.operation))
    description = describe(job.engine, job.operation.type, getattr(job.operation, "target", None), sample)
    job, region, region_notes = _open_region(job, source)
    free = available_memory() if memory is None else memory
    consensus = known.consensus(job.operation, description)
    plan = resolve(job, source.spec, known.normalization, description, known.digest, region, free, consensus)
    plan = _with_threads_of_output(plan)
    read = plan.job.operation.understanding(plan.source, plan.engine)
    contrary = contrary_brightness(source, plan.normalization, plan.groups[0], read.polarity)
    volume = volume_quality(plan)
    likeness, unlike = familiarity_notes(plan.engine, job.operation.type, sample)
    said = (*likeness, *(doubt.sentence for doubt in (*unlike, *contrary, *volume)))
    own = dict.fromkeys((*plan.notes, *said))
    plan = dataclasses.replace(
        plan, notes=(*notes, *region_notes, *_label_notes(plan), *own), acquisition=source.acquisition
    )
    if job.output is not None or job.into is not None:
        plan = as_begun(plan, output_path(job))
    cost = check_memory(plan, free, count_tiles(plan))
    guessed = (Doubt(f"Axes are read as '{source.stored_axes}'.", source.axes_guess),) if source.axes_guess else ()
    doubts = (*read.doubts, *unlike, *contrary, *guessed, *volume)
    return Prepared(plan, source, with_learned_time(cost, plan), understood=read.understood, doubts=doubts)


def dry_run(job: Job, *, reserved: int = 0, overwrite: bool = False) -> Prepared:
    """Prepare a job and check its output as a run would; write nothing and load no model.

    Parameters
    ----------
    job : Job
    reserved : int
        Bytes of the same disk that other jobs will have written before.
    overwrite : bool
        Whether the run would replace another result.

    Raises
    ------
    S1OmniError
        Any error that a run would raise before its first tile.
    """
    prepared = prepare(job)
    if job.output is None and job.into is None:
        return prepared
    plan, path = prepared.plan, output_path(job)
    whole = prepared.cost.disk_bytes
    begun = preflight.dry_run(path, output_request(prepared, path, reserved), overwrite=overwrite)
    return dataclasses.replace(prepared, to_write=bytes_left(plan, path, whole) if begun else whole)


def replace_other(prepared: Prepared) -> bool:
    """Put the result of another job in the output of this one aside, see :func:`preflight.replace_other`."""
    path = output_path(prepared.plan.job)
    return preflight.replace_other(path, output_request(prepared, path))


def output_request(prepared: Prepared, path: Path, reserved: int = 0) -> preflight.OutputRequest:
    """Return what a run wants to write.

    Parameters
    ----------
    prepared : Prepared
    path : Path
        Its output.
    reserved : int
        Bytes of the same disk that other jobs will have written before.
    """
    plan, whole = prepared.plan, prepared.cost.disk_bytes

    def left() -> int:
        needed = bytes_left(plan, path, whole)
        return needed + reserved if needed else 0

    return preflight.OutputRequest(
        plan.fingerprint(), whole + reserved, left, source=plan.source.source, into=plan.job.into is not None
    )


def _with_threads_of_output(plan: Plan) -> Plan:
    """Compute with as many threads as the run that was begun in the output, where nothing else differs.

    Their number is part of a result; what a cluster sets for its processes must not keep it from being continued.
    """
    job = plan.job
    if THREADS.read() or not plan.engine.threads or (job.output is None and job.into is None):
        return plan
    begun = stored_fingerprint(output_path(job))
    if begun is None or differing_keys(begun, json.loads(json.dumps(plan.fingerprint()))) != ("engine.threads",):
        return plan
    engine = dataclasses.replace(plan.engine, threads=int(begun["engine.threads"]))
    note = f"computes with {engine.threads} threads, as the result was begun"
    return dataclasses.replace(plan, engine=engine, notes=(*plan.notes, note))


def _label_notes(plan: Plan) -> tuple[str, ...]:
    """Say what is done to labels of a coarse level so that they fit their image."""
    level = label_place(plan).level if plan.job.into else 0
    if not level:
        return ()
    return (f"level {level} is segmented; its labels are enlarged, pixel by pixel, to the finer levels of the image",)


def _check_intensities(job: Job, measured: MeasuredSource) -> tuple[str, ...]:
    """Refuse labels and masks where intensities are needed; return a note if it only looks as if there were some."""
    source = measured.source
    alike = source.spec.kind == "image" and measured.measures().flat
    # Cameras count to 16 bits; integers of 32 and 64 bits in flat areas are ids. Floats only get a note.
    dtype = source.spec.np_dtype
    job.operation.check_intensities(source.spec, source.is_mask or (alike and dtype.kind != "f" and dtype.itemsize > 2))
    if not alike:
        return ()
    return ("The pixels form flat areas of equal numbers, like labels or a mask, but are treated as intensities.",)


def _open_region(job: Job, source: Source) -> tuple[Job, RegionBounds | None, tuple[str, ...]]:
    """Open a region given by a file: the job with the file's full path, its bounds, and notes."""
    if not isinstance(job.region, Shape):
        return job, None, ()
    # A region that was stored with a result may be relative, and a worker may have another working folder.
    shape = job.region.replace(uri=full_path(job.region.uri))
    region = open_region(shape, source.spec)
    return job.replace(region=shape), RegionBounds(region.bounds, region.fingerprint()), region.notes
