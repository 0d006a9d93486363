"""Plan: a job after it met the image and the engine. Complete, frozen, reproducible.

``resolve`` is the only place where a wish is interpreted. Whatever it changes
or chooses becomes a sentence in ``Plan.notes``; after it nobody reads the
job's tiling again.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tiling import BlockIndex, ShardIndex, Span, TileGrid, snap_out
from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.errors import OperationRefused, PlanError
from napari_s1omni.operations.operation import in_px
from napari_s1omni.planning.job import Box, Job, Shape

_CHEAP = 0.2
"""Seconds per tile below which recomputing tiles at block faces hardly matters."""
_FACE_SHARE = 0.15
"""Largest share of extra tiles at block faces that the plan chooses for an expensive engine."""
_BLOCK = 1024
"""Block edge aimed at, in target px, while tiles are cheap."""
_LARGEST_BLOCK = 6144
"""Block edge that is not exceeded on the plan's own account, in target px."""
_DEEP_BLOCK = 512
"""Block edge aimed at where a block has several planes, in target px."""
_LARGEST_DEEP_BLOCK = 2048
"""Block edge that is not exceeded there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, to the last number."""

    job: Job
    """What was asked for."""
    source: LayerSpec
    """The whole source layer."""
    target: LayerSpec
    """The result: region, dtype, scale and position in the world."""
    grid: TileGrid
    """Blocks and tiles."""
    groups: tuple[tuple[int, ...], ...]
    """Source channels shown to the model together, one entry per group."""
    normalization: Normalization
    """Layer intensities to model range, per source channel."""
    engine: EngineDescription
    """The concrete engine."""
    sampling: Sampling
    """The job's sampling with the engine's choice of how often to think."""
    instruction: Instruction
    """What the engine is told for every tile."""
    source_digest: str = ""
    """Fingerprint of the source's content."""
    region_digest: str = ""
    """Fingerprint of a region that is no box; empty for boxes."""
    notes: tuple[str, ...] = ()
    """Every choice and adjustment that `resolve` made, as sentences."""

    def shard_index(self, index: BlockIndex) -> ShardIndex:
        """Position of a block along the axes that the target has."""
        return tuple(i for axis, i in zip("tczyx", index, strict=True) if axis in self.target.axes)

    def block_index(self, index: ShardIndex) -> BlockIndex:
        """Inverse of :meth:`shard_index`."""
        known = dict(zip(self.target.axes, index, strict=True))
        return BlockIndex(*(known.get(axis, 0) for axis in "tczyx"))

    @property
    def block_shape(self) -> tuple[int, ...]:
        """Size of a block in target px, along the target's axes."""
        fy, fx = self.grid.factor
        sizes = {
            "t": 1,
            "c": self.target.size("c") // self.grid.groups,
            "z": self.grid.depth,
            "y": self.grid.block_size * fy,
            "x": self.grid.block_size * fx,
        }
        return tuple(sizes[axis] for axis in self.target.axes)

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON; inverse of :meth:`from_json`."""
        return {
            "job": self.job.model_dump(mode="json"),
            "source": self.source.to_json(),
            "target": self.target.to_json(),
            "grid": self.grid.to_json(),
            "groups": [list(g) for g in self.groups],
            "normalization": self.normalization.to_json(),
            "engine": self.engine.to_json(),
            "sampling": self.sampling.model_dump(mode="json"),
            "instruction": self.instruction.text,
            "source_digest": self.source_digest,
            "region_digest": self.region_digest,
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a plan back from a result's metadata."""
        return cls(
            job=Job.read(data["job"], "job in the plan"),
            source=LayerSpec.from_json(data["source"]),
            target=LayerSpec.from_json(data["target"]),
            grid=TileGrid.from_json(data["grid"]),
            groups=tuple(tuple(g) for g in data["groups"]),
            normalization=Normalization.from_json(data["normalization"]),
            engine=EngineDescription.from_json(data["engine"]),
            sampling=Sampling.read(data["sampling"], "sampling in the plan"),
            instruction=Instruction.read(data["instruction"]),
            source_digest=data["source_digest"],
            region_digest=data.get("region_digest", ""),
            notes=tuple(data["notes"]),
        )

    def fingerprint(self) -> dict[str, Any]:
        """Everything that affects pixels, flattened to dotted keys; a resumed run must agree in all."""
        data = self.to_json()
        job = data.pop("job")
        del data["notes"]
        data["engine"] = data["engine"]["identity"]
        for side in ("source", "target"):
            data[side].pop("source")
        # Of a region that is no box the content counts, not the place where its file lies.
        region = None if data["region_digest"] else job["region"]
        return _flat({**data, "operation": job["operation"], "region": region})

    @property
    def digest(self) -> str:
        """SHA-256 of the fingerprint."""
        canonical = json.dumps(self.fingerprint(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def resolve(
    job: Job,
    source: LayerSpec,
    normalization: Normalization,
    engine: EngineDescription,
    source_digest: str = "",
    bounds: Mapping[str, Span] | None = None,
    region_digest: str = "",
) -> Plan:
    """Turn a wish and the facts into a plan. Pure: reads no pixel, loads no model.

    Parameters
    ----------
    job : Job
    source : LayerSpec
        The whole layer at the job's level.
    normalization : Normalization
        Measured on the whole layer.
    engine : EngineDescription
        Of a concrete engine.
    source_digest : str
        Fingerprint of the source's content.
    bounds : mapping of axis to span, optional
        Bounding box in source px of a region that is not a box.
    region_digest : str
        Fingerprint of such a region.

    Raises
    ------
    PlanError
        If job and image do not fit together.
    OperationRefused
        If the engine does not do the operation.
    """
    operation = job.operation
    if operation.type not in engine.operations:
        raise OperationRefused(
            f"engine '{engine.name}' does not do {operation.type}",
            f"it does {', '.join(engine.operations)}",
            "choose another engine or 'auto'",
        )
    notes: list[str] = [engine.host.why] if engine.host.why else []
    groups = operation.channel_groups(source)
    if source.size("c") > 1:
        notes += [_shown(group, source) for group in groups]
    tile_size, overlap = _tile(job, source, engine, notes)
    step = tile_size - overlap
    spans = _region(job, source, bounds or {}, step, notes)
    region = _cropped(source, spans)
    target = operation.output_spec(region, engine)
    halo = operation.halo(source)
    if halo and job.tiling.halo is not None:
        halo = math.ceil(in_px(job.tiling.halo, source, "halo"))
    depth = min(job.tiling.depth or operation.depth(region), spans["z"][1] - spans["z"][0])
    halo_z = operation.halo_z(region)
    block = _block(job, engine, spans, (step, overlap, halo), depth, notes)
    if halo_z:
        notes.append(f"Objects are linked from plane to plane; a block has {depth} planes and sees {halo_z} beyond.")
    sampling = job.sampling if job.sampling.think else job.sampling.replace(think=engine.think)
    if normalization.nonfinite:
        notes.append(f"{normalization.nonfinite} px of those measured are NaN or infinite; they count as background.")
    if normalization.note:
        notes.append(normalization.note)
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
    (top, bottom), (left, right) = grid.overview
    if sampling.think == "once" and (bottom - top, right - left) != grid.extent:
        notes.append(f"The one thought looks at the layer's middle, y={top}:{bottom} x={left}:{right}.")
    return Plan(
        job=job,
        source=source,
        target=target,
        grid=grid,
        groups=groups,
        normalization=normalization,
        engine=engine,
        sampling=sampling,
        instruction=operation.instruction(source, tile_size, engine.encoding),
        source_digest=source_digest,
        region_digest=region_digest,
        notes=tuple(notes),
    )


def _shown(group: tuple[int, ...], source: LayerSpec) -> str:
    """Which channels the engine sees, and as what."""
    names = [f"{c} ({source.channel_names[c]})" if source.channel_names else str(c) for c in group]
    if len(group) == 1:
        return f"The engine sees channel {names[0]} as grey."
    return f"The engine sees channels {', '.join(names)} as {', '.join(('red', 'green', 'blue')[: len(group)])}."


def _tile(job: Job, source: LayerSpec, engine: EngineDescription, notes: list[str]) -> tuple[int, int]:
    """Tile size and overlap in source px, such that drawn sizes and steps suit the engine."""
    limits = engine.limits
    # A source px count is fine if both factors make it a multiple of what the engine draws.
    quantum = math.lcm(*(limits.multiple_of // math.gcd(limits.multiple_of, f) for f in job.operation.zoom()))
    largest = min(limits.max_size // f for f in job.operation.zoom()) // quantum * quantum
    smallest = -(-max(-(-limits.min_size // f) for f in job.operation.zoom()) // quantum) * quantum
    wish = job.tiling.tile_size or engine.tile_size
    size = min(max(-(-wish // quantum) * quantum, smallest), largest)
    if size != wish:
        notes.append(
            f"Tile size {wish} became {size} px: engine '{engine.name}' draws multiples of {limits.multiple_of} px "
            f"from {limits.min_size} to {limits.max_size} px."
        )
    asked = job.tiling.overlap if job.tiling.overlap is not None else min(engine.overlap, size // 2)
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


def _region(job: Job, source: LayerSpec, bounds: Mapping[str, Span], step: int, notes: list[str]) -> dict[str, Span]:
    """Spans of the region in source px; y and x snapped outward to whole steps."""
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
        spans[axis] = asked if axis in "tz" else snap_out(asked, step, size)
        if spans[axis] != asked:
            first, last = spans[axis]
            notes.append(f"Region {axis}={asked[0]}:{asked[1]} became {first}:{last}, whole steps of {step} px.")
    if isinstance(job.region, Shape):
        notes.append(f"Outside the {job.region.type} of {job.region.uri} nothing is computed; px there are 0.")
    return spans


def _cropped(source: LayerSpec, spans: Mapping[str, Span]) -> LayerSpec:
    """Return the source's description reduced to the region, at its place in the world."""
    shape, translate = list(source.shape), list(source.translate)
    for i, axis in enumerate(source.axes):
        if axis in spans:
            start, stop = spans[axis]
            shape[i] = stop - start
            translate[i] = source.translate[i] + start * source.scale[i]
    return source.replace(shape=tuple(shape), translate=tuple(translate))


def _block(
    job: Job,
    engine: EngineDescription,
    spans: Mapping[str, Span],
    sizes: tuple[int, int, int],
    depth: int,
    notes: list[str],
) -> int:
    """Block edge in source px: a whole number of steps. `sizes` are step, overlap and halo."""
    step, overlap, halo = sizes
    longest = max(spans[a][1] - spans[a][0] for a in "yx")
    factor = max(job.operation.zoom())
    whole = -(-longest // step)
    if job.tiling.block_size:
        n = max(1, min(whole, -(-job.tiling.block_size // step)))
        if n * step != job.tiling.block_size and n < whole:
            notes.append(f"Block size {job.tiling.block_size} became {n * step} px, {n} steps of {step} px.")
    else:
        # Blocks of many planes are smaller ones, so that they need no more memory than one plane of the largest.
        aim, limit = (_BLOCK, _LARGEST_BLOCK) if depth == 1 else (_DEEP_BLOCK, _LARGEST_DEEP_BLOCK)
        n = max(1, aim // (step * factor))
        if (engine.host.seconds_per_tile or 0) >= _CHEAP:
            # Tiles that a block needs along an axis beyond its own n, at both faces.
            extra = -(-halo // step) * 2 + (-halo % step < overlap)
            while (1 + extra / n) ** 2 > 1 + _FACE_SHARE and (n + 1) * step * factor <= limit:
                n += 1
        # Even counts keep more pyramid levels inside the block that owns them.
        n = min(n + n % 2, whole) if n > 1 else n
    return n * step


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat
