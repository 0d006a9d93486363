"""Store, journal, thoughts and lock of one run, opened and closed together."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import math
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from napari_s1omni.core.tiling import Block, BlockIndex
from napari_s1omni.errors import StoreError
from napari_s1omni.execution.pipeline.block import BlockResult
from napari_s1omni.execution.pipeline.block_writer import BlockWriter
from napari_s1omni.execution.pipeline.region_mask import RegionMask
from napari_s1omni.execution.run.block_table import BlockTable
from napari_s1omni.execution.run.events import OnEvent, RunFinished, StageStarted
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.execution.shared_tiles.kept_tiles import KeptTiles
from napari_s1omni.execution.stitching.block_labels import is_stitched
from napari_s1omni.execution.stitching.stitching_pass import stitch
from napari_s1omni.joining.stitching import KEEP_ALL, StackRule
from napari_s1omni.operations import OPERATIONS, Segmentation
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.tile_sharing import TileSharing
from napari_s1omni.settings import scratch_bytes
from napari_s1omni.storage.files.disk import Disk, OnStep, disk_errors, no_step
from napari_s1omni.storage.files.fsync_store import WORK, FsyncStore
from napari_s1omni.storage.files.tile_scratch import TileScratch
from napari_s1omni.storage.image_group.label_place import label_place
from napari_s1omni.storage.logs.journal import BlockRecord, Journal
from napari_s1omni.storage.logs.thought_log import ThoughtLog
from napari_s1omni.storage.result.label_scratch import DiskScratch
from napari_s1omni.storage.result.preflight import OutputRequest, preflight
from napari_s1omni.storage.result.quality_maps import QualityMaps
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.result.verify import find_damaged_blocks

JOB_FILE = "job.yaml"
"""The job of a run, in ``.s1omni``; with it the run can be repeated."""
_PACKAGES = ("numpy", "scipy", "scikit-image", "zarr", "torch", "transformers", "diffusers")
"""Packages whose versions are stored in a result, if they are installed."""


class RunOutput:
    """Where a run writes, and the state of its blocks from earlier runs. Made by :meth:`begin`."""

    def __init__(
        self, plan: Plan, store: ResultStore, journal: Journal, thoughts: ThoughtLog, forecast: int = 0
    ) -> None:
        self.plan = plan
        self.store = store
        self.thoughts = thoughts
        self.blocks = BlockTable.replay(plan, store.work / "journal")
        """The state of every block."""
        self._journal = journal
        self._scratch = DiskScratch(store) if is_stitched(plan) else None
        self._quality = QualityMaps(plan, store)
        self._writer = BlockWriter(plan, store, self._scratch, journal, thoughts, self._quality)
        self._verify = False
        self._forecast = forecast
        self.kept: KeptTiles | None = None
        """The tiles that unfinished blocks share, once :meth:`keep_tiles` was called."""

    @classmethod
    @contextlib.contextmanager
    def begin(
        cls,
        plan: Plan,
        path: Path,
        *,
        forecast: int,
        whole: bool = True,
        durable: bool = True,
        worker: str = "serial",
        on_step: OnStep = no_step,
    ) -> Iterator[Self]:
        """Check, lock and open an output; create it if nothing is there yet.

        `forecast` is the number of bytes that a `whole` run writes, only the rest of it must fit if the run is
        resumed; or else the number of bytes to be written now.

        Raises
        ------
        StoreError, DiskFull
            See :func:`napari_s1omni.storage.result.preflight.preflight`.
        """
        disk = Disk(durable=durable)
        into = label_place(plan) if plan.job.into is not None else None
        request = OutputRequest(
            plan.fingerprint(),
            forecast,
            functools.partial(bytes_left, plan, path, forecast) if whole else None,
            source=plan.source.source,
            into=into is not None,
        )
        with preflight(path, request, disk=disk) as ground:
            if ResultStore.exists(ground.path):
                store = ResultStore.open(path, "r+", disk=disk, on_step=on_step)
            else:
                store = ResultStore.create(
                    path,
                    target=plan.target,
                    block=plan.block_shape,
                    attributes=_attributes(plan),
                    name=_name(plan, path),
                    colors=_colors(plan),
                    into=into,
                    disk=disk,
                    on_step=on_step,
                )
                write_job(plan, path)
            with (
                Journal(store.work / "journal", worker, disk=disk, on_step=on_step) as journal,
                ThoughtLog(store.work / "thoughts", worker, disk=disk) as thoughts,
            ):
                yield cls(plan, store, journal, thoughts, forecast)

    def todo(self, *, verify: bool = False) -> list[int]:
        """Return the blocks that are still to be run, by number; with `verify`, damaged ones too."""
        self._verify = verify
        if verify:
            stored = self._scratch or self.store
            for index in list(find_damaged_blocks(stored.digest, self.blocks.values(), self._quality.digest)):
                old = self.blocks[index]
                self.append(old.replace(state="stale", attempt=old.attempt + 1))
        return self.blocks.unfinished()

    def keep_tiles(self) -> KeptTiles:
        """Return what keeps the tiles that unfinished blocks share; from now on, finished blocks release theirs."""
        left = len(self.blocks.unfinished()) / max(1, len(self.plan.grid))
        self.kept = KeptTiles(
            self.plan,
            TileSharing(self.plan.grid, RegionMask.of(self.plan).excludes),
            TileScratch(self.store.path),
            room=scratch_bytes(),
            spare=math.ceil(self._forecast * left),
            unfinished=lambda number: not self.blocks.is_finished(number),
        )
        self.kept.sweep()
        return self.kept

    def commit(self, result: BlockResult) -> BlockRecord:
        """Write a finished block, see :class:`BlockWriter`."""
        number = self.plan.grid.ravel(result.block.index)
        record = self._writer.commit(result, self.blocks.next_attempt(number))
        self.add(record)
        return record

    def add(self, record: BlockRecord) -> None:
        """Take note of a record in the journal, and release the tiles that were kept for its block alone."""
        self.blocks.add(record)
        if self.kept is not None:
            self.kept.release(self.plan.grid.block(self.plan.block_index(record.block)))

    def quarantine(self, block: Block, record: BlockRecord) -> None:
        """Append the record of a block that failed as a whole, and mark all of it as a hole."""
        self.append(record.replace(quality=self._writer.mark_missing(block)))

    def append(self, record: BlockRecord) -> None:
        """Append a record for which no pixels are written."""
        self._journal.append(record)
        self._journal.commit()
        self.add(record)

    def finish(self, on_event: OnEvent, check: Callable[[], None]) -> None:
        """Run the stages after the blocks, then mark the result as complete.

        Parameters
        ----------
        on_event : callable
        check : callable
            Called between steps; may wait, or raise to stop the run.
        """
        check()
        self._journal.commit()
        # All blocks are done: no tile is needed any more.
        TileScratch(self.store.path).clear()
        digests = self.blocks.digests()
        summary: dict[str, Any] = {"holes": self.blocks.tiles("failed"), "objects": None}
        if outside := self.blocks.tiles("outside"):
            summary["outside"] = outside
        summary["seams"] = self._quality.summary(self.plan.shard_index(BlockIndex(*self.plan.grid.shape)))
        if self._scratch is not None:
            on_event(StageStarted(RunState.JOINING))
            stacks = self._kept_stacks()
            report = stitch(
                self.plan,
                self.store,
                self.blocks,
                stacks=stacks,
                check=self._verify,
                on_block=lambda step: check(),
            )
            digests = dict(report.digests)
            summary |= {"objects": report.objects, "joins": report.joins, "uncertain": report.uncertain}
            if self._is_linked() and stacks is None:
                summary |= {"split": report.split, "thin": report.thin, "min_planes": report.least}
        check()
        on_event(StageStarted(RunState.PYRAMID))
        self.store.complete_pyramid(None if self._verify else digests)
        # No worker writes any more; killed ones may have left half-written files.
        FsyncStore(self.store.path).sweep()
        self.store.finish(summary=summary)
        on_event(RunFinished(summary["holes"], summary["objects"], summary.get("thin", 0)))

    def _is_linked(self) -> bool:
        operation = self.plan.job.operation
        return isinstance(operation, Segmentation) and operation.links(self.plan.target)

    def _kept_stacks(self) -> StackRule | None:
        """Keep the objects of a stack that an earlier version finished, which neither split nor dropped any."""
        before = self.store.attributes.get("summary")
        return KEEP_ALL if before and self._is_linked() and "min_planes" not in before else None


def bytes_left(plan: Plan, path: Path, forecast: int) -> int:
    """Forecast what a resumed run still has to write, from the blocks that are left in its journal.

    Parameters
    ----------
    plan : Plan
    path : Path
        The output, started with this plan.
    forecast : int
        Bytes that a whole run writes.
    """
    left = len(BlockTable.replay(plan, path / WORK / "journal").unfinished()) / len(plan.grid)
    # Labels are written twice: by the blocks, and again when they are joined.
    if is_stitched(plan) and not is_complete(path):
        left = (left + 1) / 2
    return math.ceil(forecast * left)


def is_complete(path: Path) -> bool:
    """Whether the folder holds a finished result."""
    try:
        return ResultStore.open(path).attributes.get("state") == "complete"
    except StoreError:
        return False


def write_job(plan: Plan, path: Path) -> None:
    """Write the job beside its result."""
    job = plan.job if plan.job.into else plan.job.replace(output=str(path.absolute()))
    with disk_errors("writing", path / WORK):
        (path / WORK / JOB_FILE).write_text(job.dump(), encoding="utf-8")


def _attributes(plan: Plan) -> dict[str, Any]:
    """Return the provenance that is stored with the pixels."""
    engine = plan.engine
    generated = plan.generated
    return {
        "job": plan.job.model_dump(mode="json"),
        "plan": plan.to_json(),
        "digest": plan.digest,
        "engine": {"name": engine.name, "revision": engine.revision, "license": engine.weights_license},
        "source": plan.source.source,
        "generated": generated,
        **({"generated_by": f"{engine.name} {engine.revision}"} if generated else {}),
        **({"acquisition": acquired} if (acquired := plan.acquisition.to_json()) else {}),
        "software": dict(_software()),
    }


def _colors(plan: Plan) -> tuple[str, ...]:
    """Return the colours of the channels of a result whose channels are those of the source."""
    channels = [c for group in plan.groups for c in group]
    known = plan.acquisition.channels
    if plan.job.operation.type != "super_resolution" or len(known) <= max(channels):
        return ()
    return tuple(known[c].color for c in channels)


def _software() -> Iterator[tuple[str, str]]:
    yield "napari_s1omni", importlib.metadata.version("napari_s1omni")
    yield "Python", platform.python_version()
    for name in _PACKAGES:
        # torch, transformers and diffusers are optional.
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            yield name, importlib.metadata.version(name)


def _name(plan: Plan, path: Path) -> str:
    return f"{path.stem} ({OPERATIONS[plan.job.operation.type].result} by {plan.engine.name})"
