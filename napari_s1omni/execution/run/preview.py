"""Preview: a small plan run into memory, through the very path of a real run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.protocol import Engine, Thought
from napari_s1omni.execution.pipeline.block_geometry import block_shape
from napari_s1omni.execution.pipeline.block_writer import BlockWriter
from napari_s1omni.execution.pipeline.pipeline import Pipeline
from napari_s1omni.execution.run.events import Event, TilesDone
from napari_s1omni.execution.stitching.stitching_pass import StitchPass, is_stitched
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.result.label_scratch import MemoryScratch
from napari_s1omni.storage.sinks.memory_sink import MemorySink
from napari_s1omni.storage.source import Source


@dataclass(frozen=True, slots=True)
class Preview:
    """What a preview made."""

    plan: Plan
    spec: LayerSpec
    """Axes, size, scale and place in the world of `pixels`."""
    pixels: NDArray[Any]
    """The result at full resolution, in the axes of `spec`."""
    thoughts: dict[str, Thought]
    """Thoughts by key, as in a result."""
    records: tuple[BlockRecord, ...]


class MemoryThoughts(dict[str, Thought]):
    """Thoughts in memory; satisfies :class:`~napari_s1omni.execution.pipeline.thought_provider.ThoughtStore`."""

    def put(self, key: str, thought: Thought) -> None:
        """Keep a thought."""
        self[key] = thought

    def commit(self) -> None:
        """Memory needs none."""


def run_preview(
    plan: Plan,
    source: Source,
    engine: Engine,
    *,
    thoughts: MemoryThoughts | None = None,
    on_tiles: Callable[[int, float], None] = lambda count, seconds: None,
) -> Preview:
    """Run a plan of a few tiles into memory.

    Parameters
    ----------
    plan : Plan
        Its region is what is shown; it should be a few tiles.
    source : Source
    engine : Engine
        Loaded, and kept by the caller for the next preview.
    thoughts : MemoryThoughts, optional
        Thoughts of an earlier preview of the same plan, to be replayed.
    on_tiles : callable
        Told how many tiles were drawn and in how many seconds; may raise to stop.
    """
    sink = MemorySink(plan.target, block_shape(plan))
    scratch = MemoryScratch(plan.target)
    kept = MemoryThoughts() if thoughts is None else thoughts
    records: list[BlockRecord] = []
    stitched = is_stitched(plan)
    writer = BlockWriter(plan, sink, scratch if stitched else None, records, kept)

    def tell(event: Event) -> None:
        if isinstance(event, TilesDone):
            on_tiles(event.count, event.seconds)

    Pipeline(plan, engine, source, kept, lambda result: writer.commit(result, 0), on_event=tell).run(plan.grid)
    if stitched:
        StitchPass(plan, sink, scratch, {record.block: record for record in records}).run()
    return Preview(plan, plan.target, sink.levels[0], dict(kept), tuple(records))
