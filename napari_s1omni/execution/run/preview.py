"""Runs a small plan into memory, through the same pipeline as a real run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.protocol import Engine, Thought
from napari_s1omni.execution.pipeline.block_writer import BlockWriter
from napari_s1omni.execution.pipeline.pipeline import Pipeline
from napari_s1omni.execution.run.events import Event, TilesDone
from napari_s1omni.execution.stitching.block_labels import is_stitched
from napari_s1omni.execution.stitching.stitching_pass import StitchPass
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.logs.journal import BlockRecord
from napari_s1omni.storage.result.label_scratch import MemoryScratch
from napari_s1omni.storage.sinks.memory_sink import MemorySink
from napari_s1omni.storage.source import Source


@dataclass(frozen=True, slots=True)
class Preview:
    """The result of a preview."""

    plan: Plan
    spec: LayerSpec
    """Axes, size, scale and position in the world of `pixels`."""
    pixels: NDArray[Any]
    """The result at full resolution, in the axes of `spec`."""
    thoughts: dict[str, Thought]
    """Thoughts by key, as in a result."""
    records: tuple[BlockRecord, ...]


class MemoryThoughts(dict[str, Thought]):
    """Thoughts in memory; satisfies :class:`~napari_s1omni.execution.pipeline.thought_provider.ThoughtStore`."""

    def put(self, key: str, thought: Thought) -> None:
        """Store a thought."""
        self[key] = thought

    def commit(self) -> None:
        """Do nothing: memory needs no sync."""


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
        Its region is the preview; it should have a few tiles only.
    source : Source
    engine : Engine
        Loaded; the caller keeps it for the next preview.
    thoughts : MemoryThoughts, optional
        Thoughts of an earlier preview of the same plan, which are replayed.
    on_tiles : callable
        Called with the number of generated tiles and the seconds they took; may raise to stop.
    """
    sink = MemorySink(plan.target, plan.block_shape)
    scratch = MemoryScratch(plan.target)
    store = MemoryThoughts() if thoughts is None else thoughts
    records: list[BlockRecord] = []
    stitched = is_stitched(plan)
    writer = BlockWriter(plan, sink, scratch if stitched else None, records, store)

    def on_event(event: Event) -> None:
        if isinstance(event, TilesDone):
            on_tiles(event.count, event.seconds)

    Pipeline(plan, engine, source, store, lambda result: writer.commit(result, 0), on_event=on_event).run(plan.grid)
    if stitched:
        StitchPass(plan, sink, scratch, {record.block: record for record in records}).run()
    return Preview(plan, plan.target, sink.levels[0], dict(store), tuple(records))
