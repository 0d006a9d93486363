"""spill: pixels of this process written once to a store, so that another process can work on them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

from napari_s1omni.core.tiling import Span
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.source import Source

_EDGE = 1024
"""Edge in px of the pieces that are read and written."""


def spill(
    source: Source,
    path: Path | str,
    box: Mapping[str, Span] | None = None,
    on_piece: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write a layer, or a box of it, as an OME-Zarr image; no more than one piece is held.

    Parameters
    ----------
    source : Source
        Usually one that lives in memory.
    path : Path or str
        A folder that holds no store yet.
    box : mapping of axis to span, optional
        In px of the source; an axis left out is taken whole.
    on_piece : callable
        Told how many pieces of how many are written; may raise to stop.

    Returns
    -------
    Path
        The folder, which ``open_source`` opens with the axes, scale and units of the layer.

    Raises
    ------
    SourceError
        If the box is empty or lies outside of the layer.
    """
    spec = source.spec
    wanted = box or {}
    spans = [wanted.get(a, (0, n)) for a, n in zip(spec.axes, spec.shape, strict=True)]
    if any(not 0 <= start < stop <= n for (start, stop), n in zip(spans, spec.shape, strict=True)):
        raise SourceError(f"box {dict(wanted)} of a layer of shape {spec.shape}", "a box inside of the layer")
    shape = tuple(stop - start for start, stop in spans)
    block = tuple(
        min(n, _EDGE) if a in "yx" else n if a == "c" and spec.rgb else 1 for a, n in zip(spec.axes, shape, strict=True)
    )
    target = spec.replace(
        shape=shape,
        translate=tuple(t + s * first for t, s, (first, _) in zip(spec.translate, spec.scale, spans, strict=True)),
        source=None,
    )
    store = ResultStore.create(path, target=target, block=block, attributes={}, name="layer", disk=Disk(durable=False))
    corners = list(itertools.product(*(range(0, n, b) for n, b in zip(shape, block, strict=True))))
    for done, corner in enumerate(corners):
        on_piece(done, len(corners))
        stops = (min(c + b, n) for c, b, n in zip(corner, block, shape, strict=True))
        part = tuple(slice(first + c, first + stop) for (first, _), c, stop in zip(spans, corner, stops, strict=True))
        store.write_block(corner, source.read(part))
    store.complete_pyramid()
    store.finish()
    on_piece(len(corners), len(corners))
    return store.path
