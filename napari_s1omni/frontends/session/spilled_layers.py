"""Layers that live in memory, written to disk once so that other processes can read them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from typing import Any

from napari_s1omni.planning.job import SourceRef
from napari_s1omni.settings import cache_folder
from napari_s1omni.storage.source import open_source
from napari_s1omni.storage.spill import spill


class SpilledLayers:
    """The layers written to the cache folder so far; they stay there, since their runs may be resumed."""

    def __init__(self) -> None:
        self._written: dict[int, tuple[Any, SourceRef, Mapping[str, Any]]] = {}
        self._lock = threading.Lock()

    def reference(self, array: Any, ref: SourceRef) -> Mapping[str, Any]:
        """Return a reference that any process can open, writing the layer if necessary.

        Parameters
        ----------
        array : array-like, or a list of levels
        ref : SourceRef
            Its axes, scale and units.

        Raises
        ------
        SourceError, DiskFull
        """
        with self._lock:
            known = self._written.get(id(array))
            if known is None or known[0] is not array or known[1] != ref:
                folder = cache_folder() / "layers"
                folder.mkdir(exist_ok=True)
                source = open_source(array, axes=ref.axes, scale=ref.scale, units=ref.units)
                path = spill(source, folder / f"{uuid.uuid4().hex}.zarr")
                axes = "".join(source.spec.axes).replace("c", "s") if source.spec.rgb else None
                found = {"uri": str(path), **({"axes": axes} if axes else {})}
                known = (array, ref, found)
                self._written[id(array)] = known
            return known[2]
