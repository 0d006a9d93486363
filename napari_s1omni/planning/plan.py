"""Plan: all that a run will do, to the last number. Complete, frozen, reproducible."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.acquisition import Acquisition
from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tile_fit import TileFit
from napari_s1omni.core.tiling import BlockIndex, ShardIndex, TileGrid
from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.reference.stains import keep_stain
from napari_s1omni.planning.consensus import Consensus
from napari_s1omni.planning.even_ground import EvenGround
from napari_s1omni.planning.job import Job


@dataclass(frozen=True, slots=True)
class Plan:
    """A job resolved for one image and one engine."""

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
    """Fingerprint of a region given by a file; empty for a box."""
    consensus: Consensus | None = None
    """What was measured on the layer for the engine; None if nothing was, as in plans of earlier versions."""
    fit: TileFit | None = None
    """How the layer is resampled to the size that the engine was trained at; None if tiles keep their scale."""
    notes: tuple[str, ...] = ()
    """Every choice and adjustment that :func:`~napari_s1omni.planning.resolve.resolve` made, as sentences."""
    acquisition: Acquisition = field(default_factory=Acquisition, compare=False)
    """What the file of the source says about microscope and time. A result keeps it beside the plan."""

    @property
    def generated(self) -> bool:
        """Whether a generative model makes the result's pixels, which are then marked as such."""
        return self.engine.generates and self.target.kind == "image"

    @property
    def drawn_shape(self) -> tuple[int, int]:
        """Rows and columns that the engine draws for a tile, in drawn px."""
        (fy, fx), edge = self.grid.factor, self.grid.tile_size
        return (edge * fy, edge * fx) if self.fit is None else self.fit.drawn

    @property
    def tiles_in_words(self) -> str:
        """Size and overlap of the tiles, and the size at which they are drawn where it is another, for people."""
        size = f"{self.grid.tile_size} px, overlap {self.grid.overlap} px"
        height, width = self.drawn_shape
        drawn = f"drawn at {height} x {width} px"
        if self.fit is not None:
            return f"the whole plane in one, {drawn}"
        return size if self.grid.factor == (1, 1) else f"{size}, {drawn}"

    @property
    def told(self) -> str:
        """What was measured on the layer and changes what the engine gets with every tile, for people; may be empty."""
        return "" if self.consensus is None else self.consensus.sentence

    @property
    def counterstain(self) -> str | None:
        """Stain that is taken out of what the engine sees; None if none is."""
        return None if self.consensus is None else self.consensus.counterstain

    @property
    def even_ground(self) -> EvenGround | None:
        """How uneven ground is taken out of what the engine sees; None if it is not."""
        return None if self.consensus is None else self.consensus.even_ground

    def to_model(self, pixels: NDArray[Any], group: int) -> NDArray[np.float32]:
        """Convert pixels (C, h, w) of a channel group to what the engine sees, float32 (3, h, w) in model range.

        Ground is evened later, since it depends on a margin, see :attr:`even_ground`.
        """
        image = self.job.operation.to_model(pixels, self.normalization, self.groups[group])
        return image if self.counterstain is None else keep_stain(image, "hematoxylin", self.counterstain)

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
            **({} if self.consensus is None else {"consensus": self.consensus.to_json()}),
            **({} if self.fit is None else {"fit": self.fit.to_json()}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a plan back from a result's metadata."""
        return cls(
            job=Job.read(data["job"], "job in the plan", stored=True),
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
            consensus=Consensus.from_json(data["consensus"]) if "consensus" in data else None,
            fit=TileFit.from_json(data["fit"]) if "fit" in data else None,
            notes=tuple(data["notes"]),
        )

    def fingerprint(self) -> dict[str, Any]:
        """Return all that affects pixels, by dotted key; a resumed run must agree in every one."""
        data = self.to_json()
        job = data.pop("job")
        del data["notes"]
        # The polarity stands in the instruction.
        data.pop("consensus", None)
        if self.counterstain is not None:
            data["counterstain"] = self.counterstain
        if self.even_ground is not None:
            data["even_ground"] = dataclasses.asdict(self.even_ground)
        data["engine"] = data["engine"]["identity"]
        for side in ("source", "target"):
            data[side].pop("source")
            data[side].pop("frame", None)
        # A region given by a file counts by its content, not by the path of the file.
        region = None if data["region_digest"] else job["region"]
        return _flatten({**data, "operation": job["operation"], "region": region})

    @property
    def digest(self) -> str:
        """SHA-256 of the fingerprint."""
        canonical = json.dumps(self.fingerprint(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def _flatten(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping):
            flat.update(_flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat
