"""Output: the store, journal, thoughts and lock of one run, opened together and left in a true state."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import math
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from napari_s1omni.core.tiling import Block
from napari_s1omni.errors import StoreError
from napari_s1omni.execution.pipeline.block import BlockResult
from napari_s1omni.execution.pipeline.block_geometry import block_shape, target_index
from napari_s1omni.execution.pipeline.block_writer import BlockWriter
from napari_s1omni.execution.run.block_table import BlockTable
from napari_s1omni.execution.run.events import OnEvent, RunFinished, StageStarted
from napari_s1omni.execution.stitching.stitching_pass import is_stitched, stitch
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.files.disk import Disk, OnStep, no_step
from napari_s1omni.storage.files.fsync_store import WORK, FsyncStore
from napari_s1omni.storage.logs.journal import BlockRecord, Journal
from napari_s1omni.storage.logs.thoughts import ThoughtStore
from napari_s1omni.storage.result.label_scratch import DiskScratch
from napari_s1omni.storage.result.preflight import OutputRequest, preflight
from napari_s1omni.storage.result.quality_maps import QualityMaps
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.result.verify import find_damaged_blocks

_PACKAGES = ("numpy", "scipy", "scikit-image", "zarr", "torch", "transformers", "diffusers")
"""Whose versions a result remembers, where they are installed."""


class RunOutput:
    """Where a run writes, and what it knows of earlier runs. Made by :meth:`begin`."""

    def __init__(self, plan: Plan, store: ResultStore, journal: Journal, thoughts: ThoughtStore) -> None:
        self.plan = plan
        self.store = store
        self.thoughts = thoughts
        self.ledger = BlockTable.replay(plan, store.work / "journal")
        """What is known of every block."""
        self._journal = journal
        self._scratch = DiskScratch(store) if is_stitched(plan) else None
        self._quality = QualityMaps(plan, store)
        self._writer = BlockWriter(plan, store, self._scratch, journal, thoughts, self._quality)
        self._check = False

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
        """Check, lock and open an output, creating it where nothing is there yet.

        `forecast` counts bytes: of a `whole` run, so that of one begun here only the rest must fit, or of what is
        to be written now.

        Raises
        ------
        StoreError, DiskFull
            See :func:`napari_s1omni.storage.result.preflight.preflight`.
        """
        disk = Disk(durable=durable)
        into = plan.job.into is not None
        request = OutputRequest(
            plan.fingerprint(),
            forecast,
            functools.partial(bytes_left, plan, path, forecast) if whole else None,
            source=plan.source.source,
            into=into,
        )
        with preflight(path, request, disk=disk) as ground:
            if (ground.path / "zarr.json").exists():
                store = ResultStore.open(path, "r+", disk=disk, on_step=on_step)
            else:
                store = ResultStore.create(
                    path,
                    target=plan.target,
                    block=block_shape(plan),
                    attributes=_attributes(plan),
                    name=_name(plan, path),
                    into=into,
                    disk=disk,
                    on_step=on_step,
                )
            with (
                Journal(store.work / "journal", worker, disk=disk, on_step=on_step) as journal,
                ThoughtStore(store.work / "thoughts", worker, disk=disk) as thoughts,
            ):
                yield cls(plan, store, journal, thoughts)

    def todo(self, *, verify: bool = False) -> list[int]:
        """Return the blocks that are still to be run, by number; with `verify`, damaged ones too."""
        self._check = verify
        if verify:
            kept = self._scratch or self.store
            for index in list(find_damaged_blocks(kept.digest, self.ledger.values(), self._quality.digest)):
                old = self.ledger[index]
                self.enter(old.replace(state="stale", attempt=old.attempt + 1))
        return self.ledger.todo()

    def commit(self, result: BlockResult) -> BlockRecord:
        """Write a block: its px, what it was thought from, and last its line in the journal."""
        number = self.ledger.number(target_index(self.plan, result.block.index))
        record = self._writer.commit(result, self.ledger.attempt(number))
        self.ledger.enter(record)
        return record

    def give_up(self, block: Block, record: BlockRecord) -> None:
        """Write the record of a block of which nothing can be drawn: all of it is a hole."""
        self.enter(record.replace(quality=self._writer.give_up(block)))

    def enter(self, record: BlockRecord) -> None:
        """Write a line of the journal that stands for no px."""
        self._journal.append(record)
        self._journal.commit()
        self.ledger.enter(record)

    def finish(self, on_event: OnEvent, check: Callable[[], None]) -> None:
        """Do what comes after the blocks, then mark the result as complete."""
        check()
        self._journal.commit()
        digests = self.ledger.digests()
        summary: dict[str, Any] = {"holes": self.ledger.tiles("failed"), "objects": None}
        if outside := self.ledger.tiles("outside"):
            summary["outside"] = outside
        summary["seams"] = self._quality.summary(tuple(target_index(self.plan, self.plan.grid.shape)))
        if self._scratch is not None:
            on_event(StageStarted("joining labels"))
            report = stitch(self.plan, self.store, self.ledger, check=self._check, on_block=lambda step: check())
            digests = dict(report.digests)
            summary |= {"objects": report.objects, "joins": report.joins, "uncertain": report.uncertain}
        check()
        on_event(StageStarted("writing the pyramid"))
        self.store.complete_pyramid(None if self._check else digests)
        # No worker writes any more; those that were killed may have left half-written files.
        FsyncStore(self.store.path).sweep()
        self.store.finish(summary=summary)
        on_event(RunFinished(summary["holes"], summary["objects"]))


def bytes_left(plan: Plan, path: Path, forecast: int) -> int:
    """Forecast what a begun run has still to write, by the blocks that its journal says are left.

    Parameters
    ----------
    plan : Plan
    path : Path
        The output, begun with this plan.
    forecast : int
        Bytes that a whole run writes.
    """
    left = len(BlockTable.replay(plan, path / WORK / "journal").todo()) / len(plan.grid)
    # Labels are written twice: by the blocks, and once more when they are joined.
    if is_stitched(plan) and not is_complete(path):
        left = (left + 1) / 2
    return math.ceil(forecast * left)


def is_complete(path: Path) -> bool:
    """Whether a finished result is there."""
    try:
        return ResultStore.open(path).attributes.get("state") == "complete"
    except StoreError:
        return False


def _attributes(plan: Plan) -> dict[str, Any]:
    """Provenance that travels with the pixels."""
    engine = plan.engine
    generated = engine.generates and plan.target.kind == "image"
    return {
        "job": plan.job.model_dump(mode="json"),
        "plan": plan.to_json(),
        "digest": plan.digest,
        "engine": {"name": engine.name, "revision": engine.revision, "license": engine.weights_license},
        "source": plan.source.source,
        "generated": generated,
        **({"generated_by": f"{engine.name} {engine.revision}"} if generated else {}),
        "software": dict(_software()),
    }


def _software() -> Iterator[tuple[str, str]]:
    yield "napari_s1omni", importlib.metadata.version("napari_s1omni")
    yield "Python", platform.python_version()
    for name in _PACKAGES:
        # Which of the neural ones are there depends on the installation.
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            yield name, importlib.metadata.version(name)


def _name(plan: Plan, path: Path) -> str:
    words = {"segmentation": "labels", "super_resolution": "super-resolved", "modality_translation": "translated"}
    return f"{path.stem} ({words[plan.job.operation.type]} by {plan.engine.name})"
