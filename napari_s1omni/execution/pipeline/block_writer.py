"""Writing: a finished block goes to the store, its labels to scratch, and last a line to the journal."""

from __future__ import annotations

import time
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block
from napari_s1omni.execution.pipeline.block import BlockResult
from napari_s1omni.execution.pipeline.block_geometry import (
    cells_shape,
    core,
    field_shape,
    origin,
    target_index,
    to_target_axes,
)
from napari_s1omni.execution.pipeline.region_mask import RegionMask
from napari_s1omni.execution.stitching.stitching_pass import settle_block
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import BlockRecord, State
from napari_s1omni.storage.result.label_scratch import LabelScratch
from napari_s1omni.storage.result.quality_maps import SURE, BlockQuality, QualityMaps
from napari_s1omni.storage.sinks.sink import Sink


class BlockWriter:
    """Brings finished blocks to their place, in the order that makes a kill harmless at any point.

    Parameters
    ----------
    plan : Plan
    sink : Sink
        Where px go.
    scratch : LabelScratch or None
        Where labels go until they are stitched, instead.
    journal : Journal or a list of records
    thoughts : Thoughts
        What blocks were drawn from.
    quality : QualityMaps, optional
        Where confidence, seam scores and holes go.
    """

    def __init__(
        self,
        plan: Plan,
        sink: Sink,
        scratch: LabelScratch | None,
        journal: Lines,
        thoughts: Thoughts,
        quality: QualityMaps | None = None,
    ) -> None:
        self._plan = plan
        self._sink = sink
        self._scratch = scratch
        self._journal = journal
        self._thoughts = thoughts
        self._quality = quality

    def commit(self, result: BlockResult, attempt: int) -> BlockRecord:
        """Write a block: its px, what it was thought from, and last its line in the journal."""
        start = time.perf_counter()
        record = self._record(result, attempt)
        if record.state == "empty" and not attempt:
            # Nothing of it was ever stored, and nothing is what it holds.
            written: dict[str, Any] = {"labels": 0 if self._scratch is not None else None}
        elif self._scratch is not None:
            settled = settle_block(self._plan, result.block, self._pixels(result)[0])
            written = {"digest": self._scratch.put(target_index(self._plan, result.block.index), settled)}
            written |= {"labels": settled.count, "bytes": settled.core.nbytes}
        else:
            pixels = to_target_axes(self._plan, core(self._plan, result.block, self._pixels(result)))
            written = {"digest": self._sink.write_block(origin(self._plan, result.block), pixels)}
            written |= {"bytes": pixels.nbytes}
        self._thoughts.commit()
        middle = time.perf_counter()
        if self._quality is not None and (record.state != "empty" or attempt):
            holes = None if result.missing is None else self._holes(result.block, result.missing)
            maps = BlockQuality(self._sureness(result), result.seams, holes)
            written["quality"] = self._quality.put(target_index(self._plan, result.block.index), maps)
        end = time.perf_counter()
        seconds = {**result.seconds, "write": middle - start}
        seconds["quality"] = seconds.get("quality", 0.0) + end - middle
        record = record.replace(**written, seconds={k: round(v, 6) for k, v in seconds.items()})
        self._journal.append(record)
        return record

    def _pixels(self, result: BlockResult) -> NDArray[Any]:
        if result.finished is not None:
            return result.finished.pixels
        return np.zeros((1, *field_shape(self._plan, result.block)), self._plan.target.np_dtype)

    def give_up(self, block: Block) -> str:
        """Mark a whole block as a hole, as far as the plan draws there; return the digest of its maps."""
        if self._quality is None:
            return ""
        missing = np.ones(field_shape(self._plan, block), bool)
        inside = RegionMask.of(self._plan).field(block)
        if inside is not None:
            missing &= inside
        own = self._holes(block, missing)
        seams = np.zeros(cells_shape(self._plan, block), np.float32)
        sure = np.zeros_like(own) if self._plan.target.kind == "labels" else None
        return self._quality.put(target_index(self._plan, block.index), BlockQuality(sure, seams, own))

    def _holes(self, block: Block, missing: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Bring what is missing in a block's field box to its own px, in every channel of its group."""
        own = core(self._plan, block, missing[None].astype(np.uint8))
        return to_target_axes(self._plan, own.repeat(self._plan.target.size("c") // self._plan.grid.groups, axis=0))

    def _sureness(self, result: BlockResult) -> NDArray[np.uint8] | None:
        if self._plan.target.kind != "labels":
            return None
        sure = result.finished.confidence if result.finished is not None else None
        whole = np.zeros(field_shape(self._plan, result.block), np.float32) if sure is None else sure
        own = core(self._plan, result.block, whole[None])
        return to_target_axes(self._plan, np.rint(own * SURE).astype(np.uint8))

    def _record(self, result: BlockResult, attempt: int) -> BlockRecord:
        state: State = "written"
        if result.holes:
            state = "quarantined"
        elif result.finished is None:
            state = "empty"
        return BlockRecord(
            block=target_index(self._plan, result.block.index),
            state=state,
            thoughts=result.thoughts,
            tiles={
                "drawn": result.drawn,
                "empty": result.empty,
                "failed": len(result.holes),
                **({"outside": result.outside} if result.outside else {}),
            },
            tokens=result.tokens,
            peak_memory=result.peak_memory,
            micro_batch=result.micro_batch,
            attempt=attempt,
            error="; ".join(result.holes) or None,
        )


class Lines(Protocol):
    """Where records are written."""

    def append(self, record: BlockRecord, /) -> None:
        """Add one."""
        ...


class Thoughts(Protocol):
    """Where thoughts are stored."""

    def commit(self) -> None:
        """Wait until all of them are."""
        ...
