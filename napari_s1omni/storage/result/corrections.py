"""Change pixels of a finished result by hand, block by block, and undo the change."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.tiling import ShardIndex
from napari_s1omni.errors import StoreError
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.files.part_file import part_file
from napari_s1omni.storage.result.store import ResultStore

FOLDER = "corrections"

Box = tuple[slice, ...]
"""One slice in pixels of the result per axis."""


@dataclass(frozen=True, slots=True)
class Correction:
    """One manual change."""

    number: int
    """Counted from 1 within its result."""
    when: float
    """Unix time."""
    box: tuple[tuple[int, int], ...]
    """Start and stop per axis, in pixels of the result."""
    changed: int
    """Number of changed pixels."""
    blocks: tuple[ShardIndex, ...]
    """Blocks that were rewritten."""
    undone: bool = False
    """Whether the previous pixels were restored."""
    highest: int = 0
    """Largest value that was written; 0 if that was not noted."""


def list_corrections(store: ResultStore) -> list[Correction]:
    """Return the corrections of a result, oldest first."""
    found = []
    for path in (store.work / FOLDER).glob("*/correction.json"):
        data = json.loads(path.read_text(encoding="utf-8"))
        box = tuple((a, b) for a, b in data.pop("box"))
        blocks = tuple(tuple(b) for b in data.pop("blocks"))
        found.append(Correction(**data, box=box, blocks=blocks))
    return sorted(found, key=lambda c: c.number)


def apply_correction(
    store: ResultStore, box: Box, before: NDArray[np.generic], after: NDArray[np.generic]
) -> Correction | None:
    """Write the pixels that differ between two versions of a box; all others keep their stored values.

    Parameters
    ----------
    store : ResultStore
        Opened for writing, while no run writes to it.
    box : tuple of slice
        In pixels of the result.
    before, after : array
        The box as it was read and as it should become, of the same shape.

    Returns
    -------
    Correction or None
        None if nothing differs.

    Raises
    ------
    StoreError
        If the result is not complete, or the arrays do not fit the box.
    """
    shape = tuple(b.stop - b.start for b in box)
    if before.shape != shape or after.shape != shape:
        raise StoreError(
            f"arrays of shapes {before.shape} and {after.shape} for a box of shape {shape}",
            "both arrays have the shape of the box",
        )
    if store.attributes.get("state") != "complete":
        raise StoreError(
            f"{store.path} is not complete", "only finished results can be corrected", "finish the run first"
        )
    differs = before != after
    if not differs.any():
        return None
    old: dict[ShardIndex, NDArray[np.generic]] = {}
    for index, part, inner in _blocks_in(store, box):
        touched = differs[inner]
        if not touched.any():
            continue
        pixels = store.read(_block_box(store, index))
        old[index] = pixels.copy()
        pixels[part][touched] = after[inner][touched].astype(pixels.dtype)
        _back_up(store, _next_number(store), index, old[index])
        store.write_block(tuple(i * b for i, b in zip(index, store.block, strict=True)), pixels)
    made = Correction(
        _next_number(store),
        time.time(),
        tuple((b.start, b.stop) for b in box),
        int(differs.sum()),
        tuple(sorted(old)),
        highest=int(after[differs].max()),
    )
    store.renew_pyramid(made.blocks)
    if store.target.kind == "labels":
        store.add_ids(int(after.max()))
    _record(store, made)
    return made


def undo_correction(store: ResultStore, correction: Correction) -> Correction:
    """Restore the pixels from before a correction, and undo later corrections of the same blocks too.

    Raises
    ------
    StoreError
        If it was already undone, or the previous pixels cannot be read.
    """
    if correction.undone:
        raise StoreError(f"correction {correction.number} of {store.path} was already undone")
    for later in reversed(list_corrections(store)):
        mine = set(later.blocks) & set(correction.blocks)
        if later.undone or later.number < correction.number or not mine:
            continue
        for index in later.blocks:
            path = _backup_file(store, later.number, index)
            with disk_errors("reading", path):
                pixels = np.load(path, allow_pickle=False)
            store.write_block(tuple(i * b for i, b in zip(index, store.block, strict=True)), pixels)
        store.renew_pyramid(later.blocks)
        _record(store, replace(later, undone=True))
    return next(c for c in list_corrections(store) if c.number == correction.number)


def _next_number(store: ResultStore) -> int:
    return max((c.number for c in list_corrections(store)), default=0) + 1


def _backup_file(store: ResultStore, number: int, index: ShardIndex) -> Path:
    return store.work / FOLDER / str(number) / f"{'-'.join(map(str, index))}.npy"


def _back_up(store: ResultStore, number: int, index: ShardIndex, pixels: NDArray[np.generic]) -> None:
    path = _backup_file(store, number, index)
    with disk_errors("writing", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, pixels, allow_pickle=False)


def _record(store: ResultStore, made: Correction) -> None:
    with part_file(store.work / FOLDER / str(made.number) / "correction.json", overwrite=True) as part:
        part.write_text(json.dumps(asdict(made)), encoding="utf-8")


def _block_box(store: ResultStore, index: ShardIndex) -> Box:
    sizes = zip(index, store.block, store.target.shape, strict=True)
    return tuple(slice(i * b, min((i + 1) * b, n)) for i, b, n in sizes)


def _blocks_in(store: ResultStore, box: Box) -> Sequence[tuple[ShardIndex, Box, Box]]:
    """Return the blocks that overlap a box: index, the overlap within the block, and the overlap within the box."""
    ranges = [range(b.start // n, -(-b.stop // n)) for b, n in zip(box, store.block, strict=True)]
    found = []
    for index in itertools.product(*ranges):
        span = _block_box(store, index)
        low = [max(s.start, b.start) for s, b in zip(span, box, strict=True)]
        high = [min(s.stop, b.stop) for s, b in zip(span, box, strict=True)]
        part = tuple(slice(a - s.start, z - s.start) for a, z, s in zip(low, high, span, strict=True))
        inner = tuple(slice(a - b.start, z - b.start) for a, z, b in zip(low, high, box, strict=True))
        found.append((index, part, inner))
    return found
