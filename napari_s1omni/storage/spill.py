"""Write pixels that live only in this process to disk, so that other processes can read them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from napari_s1omni.planning.cost import SPILL_EDGE
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.source import Source, open_source

_BOX_ARRAY = "source"
"""Name of the array of a spilled box under ``.s1omni/``."""


def spill_boxes(source: Source, boxes: Sequence[Sequence[slice]], store: ResultStore) -> Path:
    """Write some boxes of a layer beside a result, into an array of the whole layer's shape.

    Chunks outside of them are not written and take no space; coordinates stay those of the layer.

    Parameters
    ----------
    source : Source
        A layer that only this process can read.
    boxes : sequence of boxes
        The parts that a run reads, in source pixels, one slice per axis each.
    store : ResultStore
        The result of that run.

    Returns
    -------
    Path
        The array, to be opened with :func:`open_spilled_box`.

    Raises
    ------
    DiskFull
        If there is not enough space.
    """
    spec = source.spec
    chunk = tuple(min(SPILL_EDGE, n) if a in "yx" else 1 for a, n in zip(spec.axes, spec.shape, strict=True))
    folder = store.work / _BOX_ARRAY
    shutil.rmtree(folder, ignore_errors=True)
    array = store.require_array(_BOX_ARRAY, spec.dtype, spec.shape, chunk)
    for origin in dict.fromkeys(origin for box in boxes for origin in _block_origins(box, chunk)):
        array.write(origin, source.read(_block_box(origin, chunk, spec.shape)))
    return folder


def open_spilled_box(folder: Path, axes: tuple[str, ...]) -> Source:
    """Open an array written by :func:`spill_boxes` for reading."""
    return open_source(folder, axes="".join(axes))


def _block_origins(box: Sequence[slice], block: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the first pixel of each block that overlaps a box."""
    yield from itertools.product(*(range(b.start // n * n, b.stop, n) for b, n in zip(box, block, strict=True)))


def _block_box(origin: tuple[int, ...], block: tuple[int, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Return the block that starts at `origin`, cut at the end of the layer."""
    return tuple(slice(o, min(o + b, n)) for o, b, n in zip(origin, block, shape, strict=True))
