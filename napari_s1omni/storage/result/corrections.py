"""Corrections: pixels of a finished result changed by hand, block by block, with what was there before."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import StoreError
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.sinks.sink import BlockIndex

FOLDER = "corrections"

Box = tuple[slice, ...]
"""One slice in px of the result along each of its axes."""


@dataclass(frozen=True, slots=True)
class Correction:
    """One change by hand."""

    number: int
    """Counted from 1 within its result."""
    when: float
    """Unix time."""
    box: tuple[tuple[int, int], ...]
    """Where, in px of the result along its axes."""
    changed: int
    """How many px."""
    blocks: tuple[BlockIndex, ...]
    """Blocks that were written again."""
    undone: bool = False
    """Whether what was there before is there again."""


def corrections(store: ResultStore) -> list[Correction]:
    """Return the corrections of a result, oldest first."""
    found = []
    for path in (store.work / FOLDER).glob("*/correction.json"):
        data = json.loads(path.read_text(encoding="utf-8"))
        box = tuple((a, b) for a, b in data.pop("box"))
        blocks = tuple(tuple(b) for b in data.pop("blocks"))
        found.append(Correction(**data, box=box, blocks=blocks))
    return sorted(found, key=lambda c: c.number)


def correct(store: ResultStore, box: Box, before: NDArray[np.generic], after: NDArray[np.generic]) -> Correction | None:
    """Write what differs between two states of a box; px that were not touched stay as they are now.

    Parameters
    ----------
    store : ResultStore
        Opened for writing; no run is at work on it.
    box : tuple of slice
        In px of the result.
    before, after : array
        The box as it was read, and as it should be; of one shape.

    Returns
    -------
    Correction or None
        None where nothing was changed.

    Raises
    ------
    StoreError
        If the result is not complete, or the arrays do not fit the box.
    """
    shape = tuple(b.stop - b.start for b in box)
    if before.shape != shape or after.shape != shape:
        raise StoreError(
            f"arrays of shapes {before.shape} and {after.shape} for a box of {shape}", "arrays of its size"
        )
    if store.attributes.get("state") != "complete":
        raise StoreError(f"{store.path} is not complete", "a finished result", "wait until it is, or resume it")
    differs = before != after
    if not differs.any():
        return None
    old: dict[BlockIndex, NDArray[np.generic]] = {}
    for index, part, inner in _blocks(store, box):
        touched = differs[inner]
        if not touched.any():
            continue
        pixels = store.read(_span(store, index))
        old[index] = pixels.copy()
        pixels[part][touched] = after[inner][touched].astype(pixels.dtype)
        _keep(store, _next(store), index, old[index])
        store.write_block(tuple(i * b for i, b in zip(index, store.block, strict=True)), pixels)
    made = Correction(
        _next(store),
        time.time(),
        tuple((b.start, b.stop) for b in box),
        int(differs.sum()),
        tuple(sorted(old)),
    )
    store.renew_pyramid(made.blocks)
    _note(store, made)
    return made


def undo(store: ResultStore, correction: Correction) -> Correction:
    """Bring back what was there before a correction; corrections made after it in the same blocks are undone too.

    Raises
    ------
    StoreError
        If it is undone already, or what was there before is gone.
    """
    if correction.undone:
        raise StoreError(f"correction {correction.number} of {store.path} is undone already")
    for later in reversed(corrections(store)):
        mine = set(later.blocks) & set(correction.blocks)
        if later.undone or later.number < correction.number or not mine:
            continue
        for index in later.blocks:
            path = _file(store, later.number, index)
            with disk_errors("reading", path):
                pixels = np.load(path, allow_pickle=False)
            store.write_block(tuple(i * b for i, b in zip(index, store.block, strict=True)), pixels)
        store.renew_pyramid(later.blocks)
        _note(store, replace(later, undone=True))
    return next(c for c in corrections(store) if c.number == correction.number)


def _next(store: ResultStore) -> int:
    return max((c.number for c in corrections(store)), default=0) + 1


def _file(store: ResultStore, number: int, index: BlockIndex) -> Path:
    return store.work / FOLDER / str(number) / f"{'-'.join(map(str, index))}.npy"


def _keep(store: ResultStore, number: int, index: BlockIndex, pixels: NDArray[np.generic]) -> None:
    path = _file(store, number, index)
    with disk_errors("writing", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, pixels, allow_pickle=False)


def _note(store: ResultStore, made: Correction) -> None:
    path = store.work / FOLDER / str(made.number) / "correction.json"
    with disk_errors("writing", path):
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(made)), encoding="utf-8")
        temporary.replace(path)


def _span(store: ResultStore, index: BlockIndex) -> Box:
    sizes = zip(index, store.block, store.target.shape, strict=True)
    return tuple(slice(i * b, min((i + 1) * b, n)) for i, b, n in sizes)


def _blocks(store: ResultStore, box: Box) -> Sequence[tuple[BlockIndex, Box, Box]]:
    """Blocks under a box: index, the part within the block, and the part within the box."""
    ranges = [range(b.start // n, -(-b.stop // n)) for b, n in zip(box, store.block, strict=True)]
    found = []
    for index in itertools.product(*ranges):
        span = _span(store, index)
        low = [max(s.start, b.start) for s, b in zip(span, box, strict=True)]
        high = [min(s.stop, b.stop) for s, b in zip(span, box, strict=True)]
        part = tuple(slice(a - s.start, z - s.start) for a, z, s in zip(low, high, span, strict=True))
        inner = tuple(slice(a - b.start, z - b.start) for a, z, b in zip(low, high, box, strict=True))
        found.append((index, part, inner))
    return found
