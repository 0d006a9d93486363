"""Spilling: pixels that only one process has are written where all can read them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from napari_s1omni.planning.cost import SPILL_EDGE
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.source import Source, open_source

NAME = "source"
"""The array under ``.s1omni/``."""


def spill(source: Source, box: Sequence[slice], store: ResultStore) -> Path:
    """Write one box of a layer beside a result, at its own place in an array of the layer's size.

    Pieces outside of the box are not written and take no space, so that
    coordinates stay those of the layer.

    Parameters
    ----------
    source : Source
        Of this process.
    box : sequence of slice
        What a run reads, in px of the layer, one per axis.
    store : ResultStore
        The result of that run.

    Returns
    -------
    Path
        For :func:`open_spilled`.

    Raises
    ------
    DiskFull
        If there is no space for it.
    """
    spec = source.spec
    piece = tuple(min(SPILL_EDGE, n) if a in "yx" else 1 for a, n in zip(spec.axes, spec.shape, strict=True))
    folder = store.work / NAME
    shutil.rmtree(folder, ignore_errors=True)
    array = store.scratch(NAME, spec.dtype, spec.shape, piece)
    for origin in _origins(box, piece):
        part = tuple(slice(o, min(o + n, s)) for o, n, s in zip(origin, piece, spec.shape, strict=True))
        array.write(origin, source.read(part))
    return folder


def open_spilled(folder: Path, axes: tuple[str, ...]) -> Source:
    """Open what :func:`spill` wrote, for reading."""
    return open_source(folder, axes="".join(axes))


def _origins(box: Sequence[slice], piece: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    yield from itertools.product(*(range(b.start // n * n, b.stop, n) for b, n in zip(box, piece, strict=True)))
