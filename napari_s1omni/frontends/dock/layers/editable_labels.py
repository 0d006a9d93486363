"""Labels of any layer as a page edits them: read a box, write what was changed in it, undo."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import JobError
from napari_s1omni.frontends.napari_layers.result_layers import RESULT_KEY
from napari_s1omni.storage.result.corrections import (
    Box,
    Correction,
    apply_correction,
    list_corrections,
    undo_correction,
)
from napari_s1omni.storage.result.snapshots import was_redone
from napari_s1omni.storage.result.store import ResultStore

_SLAB = 2**26
"""Bytes of labels that are read at once to find the largest."""
_LARGEST = 2**30
"""Largest labels in bytes that are read into memory if they cannot be written where they are."""


class EditableLabels(Protocol):
    """Labels that can be corrected; all but :meth:`prepare` may wait for a disk."""

    def prepare(self) -> None:
        """Make them writable, on the GUI thread.

        Raises
        ------
        JobError
            If they cannot be written.
        """
        ...

    def read(self, box: Box) -> NDArray[Any]:
        """Return a copy of a box, in pixels of the finest level."""
        ...

    def correct(self, box: Box, before: NDArray[Any], after: NDArray[Any]) -> Correction | None:
        """Write the pixels that differ; None if none do."""
        ...

    def undo(self, correction: Correction) -> None:
        """Restore the pixels from before a correction."""
        ...

    def corrections(self) -> list[Correction]:
        """Return the corrections, oldest first."""
        ...

    def highest(self) -> int:
        """Return the largest label, or a larger one: no object has a label beyond it."""
        ...

    def has_snapshot(self) -> bool:
        """Whether the version from before the last redo is kept."""
        ...


class ResultLabels:
    """The labels of a result, on disk.

    Parameters
    ----------
    layer : napari.layers.Labels
    """

    def __init__(self, layer: Any) -> None:
        self._pyramid = layer.metadata[RESULT_KEY]["pyramid"]
        self._path = Path(layer.metadata[RESULT_KEY]["output"])

    def prepare(self) -> None:
        if not self._pyramid.complete:
            raise JobError(
                "these labels are not final: the objects of all blocks get their numbers when the run ends",
                "labels of a finished run can be painted",
                "wait until the page 'Runs' says how many were found, or resume the run there",
            )

    def read(self, box: Box) -> NDArray[Any]:
        return np.array(self._pyramid.read(0, box))

    def correct(self, box: Box, before: NDArray[Any], after: NDArray[Any]) -> Correction | None:
        made = apply_correction(ResultStore.open(self._path, "r+"), box, before, after)
        self._pyramid.finish()
        return made

    def undo(self, correction: Correction) -> None:
        undo_correction(ResultStore.open(self._path, "r+"), correction)
        self._pyramid.finish()

    def corrections(self) -> list[Correction]:
        return list_corrections(ResultStore.open(self._path)) if ResultStore.exists(self._path) else []

    def highest(self) -> int:
        # A run numbers its objects from 1; only corrections bring other labels.
        store = ResultStore.open(self._path)
        objects = int((store.attributes.get("summary") or {}).get("objects") or 0)
        boxes = ((made.highest, tuple(slice(*ends) for ends in made.box)) for made in list_corrections(store))
        return max(objects, *(highest or _largest(store.read(box)) for highest, box in boxes), 0)

    def has_snapshot(self) -> bool:
        return was_redone(self._path)


class ArrayLabels:
    """The labels of a layer that another program made, in its own array; corrections are kept while it is open.

    Parameters
    ----------
    layer : napari.layers.Labels
    """

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._made: list[tuple[Correction, NDArray[Any], NDArray[Any]]] = []

    def prepare(self) -> None:
        levels = self._levels()
        if all(_is_writable(level) for level in levels):
            return
        size = int(np.prod(levels[0].shape)) * np.dtype(levels[0].dtype).itemsize
        if size > _LARGEST:
            raise JobError(
                f"the labels of '{self._layer.name}' are a {type(levels[0]).__name__}, which cannot be written",
                "a numpy or zarr array, or labels of up to 1 GB",
                "save the layer (File > Save), open the file, and correct that",
            )
        copies = [np.array(level) for level in levels]
        self._layer.data = copies if self._layer.multiscale else copies[0]

    def read(self, box: Box) -> NDArray[Any]:
        return np.array(self._levels()[0][box])

    def correct(self, box: Box, before: NDArray[Any], after: NDArray[Any]) -> Correction | None:
        changed = int((before != after).sum())
        if not changed:
            return None
        self._write(box, after)
        made = Correction(
            number=len(self._made) + 1,
            when=time.time(),
            box=tuple((part.start, part.stop) for part in box),
            changed=changed,
            blocks=(),
        )
        self._made.append((made, before, after))
        return made

    def undo(self, correction: Correction) -> None:
        at = correction.number - 1
        made, before, after = self._made[at]
        box = tuple(slice(*ends) for ends in made.box)
        now = self.read(box)
        # What was painted over it later stays.
        self._write(box, np.where((before != after) & (now == after), before, now))
        self._made[at] = (replace(made, undone=True), before, after)

    def corrections(self) -> list[Correction]:
        return [made for made, _, _ in self._made]

    def highest(self) -> int:
        finest = self._levels()[0]
        return max((_largest(finest[rows]) for rows in _slabs(finest)), default=0)

    def has_snapshot(self) -> bool:
        return False

    def _levels(self) -> list[Any]:
        return list(self._layer.data) if self._layer.multiscale else [self._layer.data]

    def _write(self, box: Box, pixels: NDArray[Any]) -> None:
        """Write a box of the finest level, and every pixel of coarser levels that lies in it."""
        finest, *coarser = self._levels()
        finest[box] = pixels.astype(finest.dtype)
        for level in coarser:
            steps = [max(1, round(n / m)) for n, m in zip(finest.shape, level.shape, strict=True)]
            first = [-(-part.start // step) for part, step in zip(box, steps, strict=True)]
            fine = pixels[
                tuple(slice(f * s - part.start, None, s) for f, s, part in zip(first, steps, box, strict=True))
            ]
            ends = [min(f + n, m) for f, n, m in zip(first, fine.shape, level.shape, strict=True)]
            kept = fine[tuple(slice(0, end - f) for f, end in zip(first, ends, strict=True))]
            if kept.size:
                level[tuple(slice(f, end) for f, end in zip(first, ends, strict=True))] = kept.astype(level.dtype)


def _slabs(array: Any) -> Iterator[slice]:
    """Yield slices of the first axis of an array, each of at most about :data:`_SLAB` bytes."""
    row = max(1, int(np.prod(array.shape[1:])) * np.dtype(array.dtype).itemsize)
    step = max(1, _SLAB // row)
    for start in range(0, array.shape[0], step):
        yield slice(start, start + step)


def _largest(labels: Any) -> int:
    return int(np.max(np.asarray(labels), initial=0))


def _is_writable(array: Any) -> bool:
    if isinstance(array, np.ndarray):
        return bool(array.flags.writeable)
    return type(array).__module__.partition(".")[0] == "zarr" and not array.read_only
