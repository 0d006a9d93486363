"""Writes the labels of every block with their final ids."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import ShardIndex
from napari_s1omni.errors import StoreDamaged
from napari_s1omni.execution.stitching.block_labels import LocalLabels
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
                table = numbering.lookup(number)
                digests[index], is_new = self._write_block(index, table, record.digest)
                written += is_new
                at = np.searchsorted(merged, table[1:])
                at[at == len(merged)] = 0
                is_merged = merged[at] == table[1:] if len(merged) else np.zeros(len(at), bool)
                np.add.at(sizes, at[is_merged], labels.scratch.areas(index)[is_merged])
            on_block("write")
        return FinalLabels(digests, written, sizes)

    def _write_block(self, index: ShardIndex, table: NDArray[np.int64], local_digest: str) -> tuple[str, bool]:
        """Write a block unless it was written from the same labels and table; return its digest and whether it was."""
        inputs = hashlib.sha256(local_digest.encode() + table.tobytes()).hexdigest()[:32]
        stored = self._stored_inputs(index)
        if stored.startswith(inputs):
            digest = stored.removeprefix(f"{inputs} ")
            if self._is_intact(index, digest):
                return digest, False
        final = table.astype(self._labels.plan.target.np_dtype)[self._labels.scratch.core(index)]
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
