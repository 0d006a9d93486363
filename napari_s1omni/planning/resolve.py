"""Resolving a job for one source and one engine into a plan. Pure.

:func:`resolve` is the only place that reads the job's tiling. Every value that
it chooses or adjusts becomes a sentence in ``Plan.notes``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import Span, TileGrid
from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.errors import OperationRefused, PlanError
from napari_s1omni.operations.pixel_size import size_in_px
from napari_s1omni.planning.block_choice import choose_blocks
from napari_s1omni.planning.consensus import Consensus
from napari_s1omni.planning.fit_choice import choose_fit, fitted, native_share
from napari_s1omni.planning.job import Box, Job, Shape
from napari_s1omni.planning.plan import Plan

_CHEAP = 0.2
"""Seconds per tile below which recomputing tiles at block faces costs little."""
_FACE_SHARE = 0.15
"""Largest share of extra tiles at block faces, for an expensive engine."""
_BLOCK = 1024
"""Block edge for cheap tiles, in target px."""
_LARGEST_BLOCK = 6144
"""Largest block edge that is chosen automatically, in target px."""


@dataclass(frozen=True, slots=True)
class RegionBounds:
    """Bounding box and fingerprint of a region given by a file; empty for a box or the whole layer."""

    spans: Mapping[str, Span] = field(default_factory=dict)
    """Bounding box in source px, by axis."""
    digest: str = ""
    """Fingerprint of the region's content."""


def resolve(
    job: Job,
    source: LayerSpec,
    normalization: Normalization,
    engine: EngineDescription,
    source_digest: str = "",
    region: RegionBounds | None = None,
    memory: int | None = None,
    consensus: Consensus | None = None,
) -> Plan:
    """Make a plan. Reads no pixel, loads no model.

    Parameters
    ----------
    job : Job
    source : LayerSpec
        The whole layer at the job's level.
    normalization : Normalization
        Measured on the whole layer.
    engine : EngineDescription
        Of a concrete engine, never ``auto``.
    source_digest : str
        Fingerprint of the source's content.
    region : RegionBounds, optional
        Bounds of a region that is given by a file.
    memory : int, optional
        Bytes that are free for a worker; if the blocks of a volume do not fit, they are smaller than usual.
    consensus : Consensus, optional
        What of the measurements of the whole layer concerns the job and the engine.

    Raises
    ------
    PlanError
        If job and image do not fit together.
    OperationRefused
        If the engine does not do the operation.
    JobError
        If the prompt asks for nothing.
    """
    operation = job.operation
    if operation.type not in engine.operations:
        raise OperationRefused(
            f"engine '{engine.name}' does not do {operation.type}",
            f"it does {', '.join(engine.operations)}",
            "choose another engine or 'auto'",
        )
    region = region or RegionBounds()
    notes: list[str] = [engine.host.why] if engine.host.why else []
    groups = operation.channel_groups(source)
    if source.size("c") > 1:
        notes += [_channel_note(group, source) for group in groups]
    notes += dict.fromkeys((*operation.understanding(source, engine).sentences, *operation.notes(source)))
    if consensus is not None:
        notes.append(consensus.sentence)
        if consensus.counterstain:
            notes.append("To look for brown nuclei instead, write 'brown nuclei'.")
    tile_size, overlap = _tile_size(job, engine, notes)
    fit = choose_fit(job, source, engine, tile_size, notes)
    if fit is not None:
        tile_size, overlap = max(fit.layer), 0
    step = tile_size - overlap
    spans = _region_spans(job, source, region.spans, notes)
    cropped = _crop(source, spans)
    target = operation.output_spec(cropped, engine)
    halo = operation.halo(source)
    if halo and job.tiling.halo is not None:
        halo = math.ceil(size_in_px(job.tiling.halo, source, "halo"))
    depth = min(job.tiling.depth or operation.depth(cropped), spans["z"][1] - spans["z"][0])
    halo_z = operation.halo_z(cropped)
    block = _block_size(job, engine, spans, (step, overlap, halo), notes)
    sampling = job.sampling if job.sampling.think else job.sampling.replace(think=engine.think)
    if normalization.nonfinite:
        become = "they count as background" if target.kind == "labels" else "they are NaN in the result"
        notes.append(f"{normalization.nonfinite} measured pixels are NaN or infinite; {become}.")
    # What the note says of pixels that are not finite holds for labels only, and is said above.
    measured = [part for part in normalization.note.split("; ") if "NaN or infinite" not in part]
    if measured[0]:
        notes.append("; ".join(measured))
    grid = TileGrid(
        extent=(source.size("y"), source.size("x")),
        tile_size=tile_size,
        overlap=overlap,
        block_size=block,
        depth=depth,
        halo=halo,
        halo_z=halo_z,
        factor=operation.zoom(),
        planes=source.size("z"),
        t=spans["t"],
        groups=len(groups),
        z=spans["z"],
        y=spans["y"],
        x=spans["x"],
    )
    words = operation.instruction(source, tile_size, engine.encoding).replace(
        polarity=None if consensus is None else consensus.polarity
    )
    (top, bottom), (left, right) = grid.overview
    if sampling.think == "once" and (bottom - top, right - left) != grid.extent:
        notes.append(f"The single thought sees the middle of the layer, y={top}:{bottom} x={left}:{right}.")
    plan = Plan(
        job=job,
        source=source,
        target=target,
        grid=grid,
        groups=groups,
        normalization=normalization,
        engine=engine,
        sampling=sampling,
        instruction=words if fit is None else fitted(words, fit),
        source_digest=source_digest,
        region_digest=region.digest,
        consensus=consensus,
        fit=fit,
    )
    if depth > 1 and not (job.tiling.block_size and job.tiling.depth):
        plan, note = choose_blocks(
            plan, edge=block if job.tiling.block_size else None, depth=job.tiling.depth and depth, memory=memory
        )
        notes += [note] if note else []
    if halo_z:
        notes.append(
            f"Objects are linked from plane to plane; a block has {plan.grid.depth} planes and sees {halo_z} beyond."
        )
        notes += operation.stack_notes(cropped, masked=isinstance(job.region, Shape) and job.region.type == "mask")
    return dataclasses.replace(plan, notes=tuple(notes))


def _channel_note(group: tuple[int, ...], source: LayerSpec) -> str:
    """Say which channels the engine sees, and in which colours."""
    names = [f"{c} ({source.channel_names[c]})" if source.channel_names else str(c) for c in group]
    if len(group) == 1:
        return f"The engine sees channel {names[0]} as grey."
    return f"The engine sees channels {', '.join(names)} as {', '.join(('red', 'green', 'blue')[: len(group)])}."


def _tile_size(job: Job, engine: EngineDescription, notes: list[str]) -> tuple[int, int]:
    """Tile size and overlap in source px, such that generated sizes and steps suit the engine."""
    limits, zoom = engine.limits, job.operation.zoom()
    # A number of source px is valid if both factors make it a multiple of the engine's.
    quantum = math.lcm(*(limits.multiple_of // math.gcd(limits.multiple_of, f) for f in zoom))
    largest = min(limits.max_size // f for f in zoom) // quantum * quantum
    smallest = -(-max(-(-limits.min_size // f) for f in zoom) // quantum) * quantum
    if smallest > largest:
        raise PlanError(
            f"a factor of {zoom[0]} x {zoom[1]} with engine '{engine.name}'",
            f"it draws multiples of {limits.multiple_of} px from {limits.min_size} to {limits.max_size} px, "
            "and a tile is square in the source",
            "use the same factor along both axes, or a smaller one",
        )
    default_size, default_overlap = native_share(engine, zoom)
    asked_size = job.tiling.tile_size or default_size
    size = min(max(-(-asked_size // quantum) * quantum, smallest), largest)
    if size != asked_size:
        notes.append(
            f"Tile size {asked_size} became {size} px: engine '{engine.name}' generates multiples of "
            f"{limits.multiple_of} px from {limits.min_size} to {limits.max_size} px."
        )
    asked = job.tiling.overlap if job.tiling.overlap is not None else min(default_overlap, size // 2)
    overlap = -(-asked // quantum) * quantum
    if 2 * overlap > size:
        raise PlanError(
            f"overlap {asked} px with tiles of {size} px",
            f"an overlap is at most half a tile, {size // 2} px",
            "use larger tiles or less overlap",
        )
    if overlap != asked:
        notes.append(f"Overlap {asked} became {overlap} px, so that tiles start on multiples of {quantum} px.")
    return size, overlap


def _region_spans(job: Job, source: LayerSpec, bounds: Mapping[str, Span], notes: list[str]) -> dict[str, Span]:
    """Spans of the region in source px, as asked for."""
    spans: dict[str, Span] = {}
    box = job.region if isinstance(job.region, Box) else None
    for axis in "tzyx":
        size = source.size(axis)
        asked = (getattr(box, axis) if box else bounds.get(axis)) or (0, size)
        if asked[1] > size:
            raise PlanError(
                f"region {axis}={asked[0]}:{asked[1]} of a source with {size} px along {axis}",
                f"a region lies within 0:{size}",
                "correct the region",
            )
        spans[axis] = asked
    if box and source.frame:
        notes.append(_level_note(spans, source))
    if isinstance(job.region, Shape):
        notes.append(f"Outside the {job.region.type} of {job.region.uri} nothing is computed; pixels there are 0.")
    return spans


def _level_note(spans: Mapping[str, Span], source: LayerSpec) -> str:
    """Say where a box lies, which counts pixels of the level."""
    frame = source.pixel_frame
    full = " ".join(
        f"{a}={frame.to_full(a, spans[a][0]):g}:{frame.to_full(a, spans[a][1]):g}" for a in "zyx" if a in source
    )
    return f"A box counts pixels of the level in use; at full resolution this one is {full}."


def _crop(source: LayerSpec, spans: Mapping[str, Span]) -> LayerSpec:
    """Return the source's description reduced to the region, at its place in the world."""
    shape, translate = list(source.shape), list(source.translate)
    for i, axis in enumerate(source.axes):
        if axis in spans:
            start, stop = spans[axis]
            shape[i] = stop - start
            translate[i] = source.translate[i] + start * source.scale[i]
    return source.replace(shape=tuple(shape), translate=tuple(translate), frame=None)


def _block_size(
    job: Job,
    engine: EngineDescription,
    spans: Mapping[str, Span],
    sizes: tuple[int, int, int],
    notes: list[str],
) -> int:
    """Block edge of an image in source px: a whole number of steps. `sizes` are step, overlap and halo."""
    step, overlap, halo = sizes
    longest = max(spans[a][1] - spans[a][0] for a in "yx")
    factor = max(job.operation.zoom())
    whole = -(-longest // step)
    if job.tiling.block_size:
        n = max(1, min(whole, -(-job.tiling.block_size // step)))
        if n * step != job.tiling.block_size and n < whole:
            notes.append(f"Block size {job.tiling.block_size} became {n * step} px, {n} steps of {step} px.")
        return n * step
    n = max(1, _BLOCK // (step * factor))
    if (engine.host.seconds_per_tile or 0) >= _CHEAP:
        # Tiles that a block needs along an axis beyond its own n, at both faces.
        extra = -(-halo // step) * 2 + (-halo % step < overlap)
        while (1 + extra / n) ** 2 > 1 + _FACE_SHARE and (n + 1) * step * factor <= _LARGEST_BLOCK:
            n += 1
    # Even counts keep more pyramid levels inside the block that owns them.
    return (min(n + n % 2, whole) if n > 1 else n) * step
