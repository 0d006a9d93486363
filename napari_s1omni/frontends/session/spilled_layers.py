"""Layers that live in memory, written to disk as far as other processes read them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_s1omni.core.units import format_bytes
from napari_s1omni.frontends.session.run_history import known_sources
from napari_s1omni.jobs.prepare import MeasuredSource, Prepared
from napari_s1omni.planning.job import SourceRef
from napari_s1omni.planning.source_boxes import source_boxes
from napari_s1omni.settings import cache_folder
from napari_s1omni.storage.arrays.layer_copy import LayerCopy, OnBytes, remove_old, remove_unneeded


class SpilledLayers:
    """The copies that one session made; those that no result needs are removed with it."""

    def __init__(self) -> None:
        self._written: dict[int, tuple[Any, SourceRef, LayerCopy]] = {}
        self._lock = threading.Lock()

    def reference(
        self,
        array: Any,
        ref: SourceRef,
        measured: MeasuredSource,
        prepared: Prepared,
        result: Path | str | None = None,
        on_bytes: OnBytes = lambda done, total: None,
    ) -> Mapping[str, Any]:
        """Return a reference that any process can open, writing what a plan reads of the layer.

        Parameters
        ----------
        array : array-like, or a list of levels
        ref : SourceRef
            Its axes, scale and units.
        measured : MeasuredSource
            The layer.
        prepared : Prepared
            What will be run on it.
        result : path, optional
            The output of the run, for as long as which the copy is kept.
        on_bytes : callable
            Called with the bytes copied and the bytes to copy; what it raises ends the copying.

        Raises
        ------
        SourceError, DiskFull
        """
        with self._lock:
            copy = self._copy(array, ref, measured)
            try:
                copy.add(source_boxes(prepared.plan), on_bytes)
            except BaseException:
                self._remove_unneeded()
                raise
            copy.keep(measured.known, measured.described)
            if result is not None:
                copy.use_for(result)
            spec = measured.source.spec
            axes = {"axes": "".join(spec.axes).replace("c", "s")} if spec.rgb else {}
            return {"uri": str(copy.path), **axes}

    def close(self) -> None:
        """Remove the copies that no result needs."""
        with self._lock:
            self._remove_unneeded()

    def _copy(self, array: Any, ref: SourceRef, measured: MeasuredSource) -> LayerCopy:
        known = self._written.get(id(array))
        if known is not None and known[0] is array and known[1] == ref:
            return known[2]
        folder = cache_folder() / "layers"
        folder.mkdir(exist_ok=True)
        remove_unneeded(folder)
        remove_old(folder, known_sources)
        made = LayerCopy(measured.source, folder / f"{uuid.uuid4().hex}.zarr", measured.measures())
        self._written[id(array)] = (array, ref, made)
        return made

    def _remove_unneeded(self) -> None:
        for key, (_, _, copy) in list(self._written.items()):
            if not copy.is_needed:
                copy.remove()
                del self._written[key]


def copying_text(done: int, total: int) -> str:
    """Say how far the copying is: ``copying the image to disk: 1.2 of 4.1 GB``."""
    return f"copying the image to disk: {format_bytes(done)} of {format_bytes(total)}"
