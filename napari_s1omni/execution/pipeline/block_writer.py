"""Writes a finished block: pixels to the store, labels to scratch, quality maps, and last its journal record."""

from __future__ import annotations

import time
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import Block
from napari_s1omni.execution.pipeline.block import BlockResult
from napari_s1omni.execution.pipeline.block_geometry import BlockGeometry
from napari_s1omni.execution.pipeline.region_mask import RegionMask
from napari_s1omni.execution.pipeline.thought_provider import ThoughtStore
from napari_s1omni.execution.stitching.block_labels import reduce_labels
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import BlockRecord, BlockState
from napari_s1omni.storage.result.label_scratch import LabelScratch
from napari_s1omni.storage.result.quality_maps import SURE, WHOLE_RANGE, BlockQuality, QualityMaps
from napari_s1omni.storage.sinks.sink import Sink


class RecordLog(Protocol):
    """Where block records are appended: a journal, or a list for previews."""

    def append(self, record: BlockRecord, /) -> None:
        """Append one record."""
        ...


class BlockWriter:
    """Writes finished blocks in an order that makes a kill at any point harmless.

    Parameters
    ----------
    plan : Plan
    sink : Sink
        Where pixels go.
    scratch : LabelScratch or None
        Where labels go instead until they are stitched.
    journal : RecordLog
    thoughts : ThoughtStore
        The thoughts from which blocks were generated.
    quality : QualityMaps, optional
        Where confidence, seam scores and holes go.
    """

    def __init__(
        self,
        plan: Plan,
        sink: Sink,
        scratch: LabelScratch | None,
        journal: RecordLog,
        thoughts: ThoughtStore,
        quality: QualityMaps | None = None,
    ) -> None:
        self._plan = plan
        self._sink = sink
        self._scratch = scratch
        self._journal = journal
        self._thoughts = thoughts
        self._quality = quality

    def commit(self, result: BlockResult, attempt: int) -> BlockRecord:
        """Write a block: first its pixels, then the thoughts behind it, last its record in the journal."""
        start = time.perf_counter()
        geometry = BlockGeometry(self._plan, result.block)
        record = self._record(result, geometry, attempt)
        # Nothing of an empty block was ever stored, and unwritten pixels read as 0.
        untouched = record.state == "empty" and not attempt
        if not untouched:
            record = record.replace(**self._write_pixels(result, geometry))
        elif self._scratch is not None:
            record = record.replace(labels=0)
        self._thoughts.commit()
        middle = time.perf_counter()
        if self._quality is not None and not untouched:
            holes = None if result.missing is None else geometry.map_to_target(result.missing.astype(np.uint8))
            confidence, error = self._confidence(result, geometry), self._error(result, geometry)
            maps = BlockQuality(confidence, result.seams, holes, error)
            record = record.replace(quality=self._quality.put(geometry.index, maps))
        end = time.perf_counter()
        seconds = {**result.seconds, "write": middle - start}
        seconds["quality"] = seconds.get("quality", 0.0) + end - middle
        record = record.replace(seconds={stage: round(value, 6) for stage, value in seconds.items()})
        self._journal.append(record)
        return record

    def mark_missing(self, block: Block) -> str:
        """Mark a whole block as a hole, inside the region; return the digest of its quality maps."""
        if self._quality is None:
            return ""
        geometry = BlockGeometry(self._plan, block)
        missing = np.ones(geometry.field_shape, bool)
        inside = RegionMask.of(self._plan).field(block)
        if inside is not None:
            missing &= inside
        holes = geometry.map_to_target(missing.astype(np.uint8))
        confidence = np.zeros_like(holes) if self._plan.target.kind == "labels" else None
        seams = np.zeros(geometry.lattice_shape, np.float32)
        error = np.zeros_like(holes) if self._plan.engine.expects_error else None
        return self._quality.put(geometry.index, BlockQuality(confidence, seams, holes, error))

    def _write_pixels(self, result: BlockResult, geometry: BlockGeometry) -> dict[str, Any]:
        """Write pixels or labels; return the fields of the record that describe them."""
        if result.finished is not None:
            pixels = result.finished.pixels
        else:
            pixels = np.zeros((1, *geometry.field_shape), self._plan.target.np_dtype)
        if self._scratch is not None:
            settled = reduce_labels(self._plan, result.block, pixels[0])
            digest = self._scratch.put(geometry.index, settled)
            return {"digest": digest, "labels": settled.count, "bytes": settled.core.nbytes}
        own = geometry.to_target(pixels)
        return {"digest": self._sink.write_block(geometry.origin, own), "bytes": own.nbytes}

    def _confidence(self, result: BlockResult, geometry: BlockGeometry) -> NDArray[np.uint8] | None:
        """Return the confidence of labels as uint8 in the target's axes, 0 to 255; None for images."""
        if self._plan.target.kind != "labels":
            return None
        whole = result.finished.confidence if result.finished is not None else None
        if whole is None:
            whole = np.zeros(geometry.field_shape, np.float32)
        confidence: NDArray[np.uint8] = np.rint(geometry.to_target(whole[None]) * SURE).astype(np.uint8)
        return confidence

    def _error(self, result: BlockResult, geometry: BlockGeometry) -> NDArray[np.uint8] | None:
        """Return the error to expect as uint8 in the target's axes; None if the engine does not say."""
        if not self._plan.engine.expects_error:
            return None
        whole = np.zeros(geometry.field_shape, np.float32) if result.error is None else result.error
        return geometry.map_to_target(np.rint(np.nan_to_num(whole) * WHOLE_RANGE).astype(np.uint8))

    def _record(self, result: BlockResult, geometry: BlockGeometry, attempt: int) -> BlockRecord:
        state: BlockState = "written"
        if result.failures:
            state = "quarantined"
        elif result.finished is None:
            state = "empty"
        return BlockRecord(
            block=geometry.index,
            state=state,
            thoughts=result.thoughts,
            tiles={
                "drawn": result.drawn,
                **({"kept": result.kept} if result.kept else {}),
                "empty": result.empty,
                "failed": len(result.failures),
                **({"outside": result.outside} if result.outside else {}),
            },
            shared=result.shared,
            tokens=result.tokens,
            peak_memory=result.peak_memory,
            micro_batch=result.micro_batch,
            attempt=attempt,
            failures=result.failures,
        )
