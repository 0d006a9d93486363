"""Writes the labels of every block with their final ids."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import ShardIndex
from napari_s1omni.errors import StoreDamaged
from napari_s1omni.execution.stitching.block_labels import LocalLabels, stack_of
from napari_s1omni.joining.stitching import Numbering
from napari_s1omni.storage.logs.pyramid_log import PyramidLog
from napari_s1omni.storage.sinks.sink import Sink


@dataclass(frozen=True, slots=True)
class FinalLabels:
    """What was written."""

    digests: Mapping[ShardIndex, str]
    """Digest of each block of the result; empty where nothing was written."""
    written: int
    """Blocks that were written; an earlier, interrupted pass had written the others."""
    sizes: NDArray[np.int64]
    """Voxels of each object of ``numbering.merged_ids()``."""


class FinalLabelWriter:
    """Gives blocks their final ids.

    Parameters
    ----------
    labels : LocalLabels
    sink : Sink
        Where the final labels go.
    log : PyramidLog, optional
        Remembers which blocks were written; None writes all.
    check : callable, optional
        Returns the digest of a block as it is stored now; blocks that changed since an earlier pass are written again.
    """

    def __init__(
        self,
        labels: LocalLabels,
        sink: Sink,
        log: PyramidLog | None = None,
        check: Callable[[ShardIndex], str] | None = None,
    ) -> None:
        self._labels = labels
        self._sink = sink
        self._log = log
        self._check = check

    def write(self, numbering: Numbering, on_block: Callable[[str], None]) -> FinalLabels:
        """Write every block that is not written yet.

        Parameters
        ----------
        numbering : Numbering
            Final ids.
        on_block : callable
            Called with ``write`` after each block; may raise to stop.
        """
        labels = self._labels
        merged = numbering.merged_ids()
        sizes = np.zeros(len(merged), np.int64)
        digests: dict[ShardIndex, str] = {}
        written = 0
        for number in range(len(labels.counts)):
            record = labels.record(number)
            if record is None:
                continue
            index = labels.index(number)
            digests[index] = ""
            if labels.counts[number] or self._stored_inputs(index):
                tables = self._tables(numbering, number)
                digests[index], is_new = self._write_block(index, tables, record.digest)
                written += is_new
                if len(merged):
                    self._add_sizes(sizes, merged, index, tables)
            on_block("write")
        return FinalLabels(digests, written, sizes)

    def _tables(self, numbering: Numbering, number: int) -> list[NDArray[np.int64]]:
        """Return the table of a block, or one for each of its planes where objects are cut along z."""
        if not len(numbering.cuts):
            return [numbering.lookup(number)]
        return [numbering.lookup(number, plane) for plane in self._labels.planes(number)]

    def _add_sizes(
        self, sizes: NDArray[np.int64], merged: NDArray[np.int64], index: ShardIndex, tables: list[NDArray[np.int64]]
    ) -> None:
        """Add the voxels of a block to those of the joined objects."""
        scratch = self._labels.scratch
        if len(tables) == 1:
            areas = [scratch.areas(index)]
        else:
            areas = [np.bincount(p.ravel(), minlength=len(tables[0]))[1:] for p in stack_of(scratch.core(index))]
        for table, area in zip(tables, areas, strict=True):
            at = np.minimum(np.searchsorted(merged, table[1:]), len(merged) - 1)
            is_merged = merged[at] == table[1:]
            np.add.at(sizes, at[is_merged], area[is_merged])

    def _write_block(self, index: ShardIndex, tables: list[NDArray[np.int64]], local_digest: str) -> tuple[str, bool]:
        """Write a block unless it was written from the same labels and tables; return its digest and whether it was."""
        inputs = hashlib.sha256(local_digest.encode() + b"".join(map(np.ndarray.tobytes, tables))).hexdigest()[:32]
        stored = self._stored_inputs(index)
        if stored.startswith(inputs):
            digest = stored.removeprefix(f"{inputs} ")
            if self._is_intact(index, digest):
                return digest, False
        core = self._labels.scratch.core(index)
        named = [table.astype(self._labels.plan.target.np_dtype) for table in tables]
        planes = [core] if len(named) == 1 else stack_of(core)
        final = np.stack([table[plane] for table, plane in zip(named, planes, strict=True)]).reshape(core.shape)
        digest = self._sink.write_block(self._origin(index), final)
        if self._log:
            self._log.put(0, self._origin(index), f"{inputs} {digest}")
        return digest, True

    def _stored_inputs(self, index: ShardIndex) -> str:
        """Return from what an earlier pass wrote a block, and its digest; empty if it wrote none."""
        return (self._log.get(0, self._origin(index)) if self._log is not None else None) or ""

    def _is_intact(self, index: ShardIndex, expected: str) -> bool:
        if self._check is None:
            return True
        try:
            return self._check(index) == expected
        except StoreDamaged:
            return False

    def _origin(self, index: ShardIndex) -> tuple[int, ...]:
        return tuple(i * b for i, b in zip(index, self._sink.block, strict=True))
