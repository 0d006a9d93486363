"""Copying what a job reads of a layer in memory, with its progress, until it is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from psygnal import Signal

from napari_s1omni.errors import RunInterrupted
from napari_s1omni.frontends.napari_layers.layer_source import LayerSource
from napari_s1omni.frontends.session.run import Deliver
from napari_s1omni.frontends.session.spilled_layers import SpilledLayers
from napari_s1omni.jobs.prepare import MeasuredSource, prepare
from napari_s1omni.planning.job import Job

_TELL = 0.5
"""Seconds between two messages."""


class LayerCopying:
    """The copies that one surface needs.

    Parameters
    ----------
    deliver : callable
        Runs a function on the surface's thread.
    measure : callable
        Measures the source of a job.
    """

    changed = Signal(int, int)
    """Bytes that are copied, and bytes to copy; both 0 at the end. Emitted on the surface's thread."""

    def __init__(self, deliver: Deliver, measure: Callable[[Job, LayerSource], MeasuredSource]) -> None:
        self._deliver, self._measure = deliver, measure
        self._spilled = SpilledLayers()
        self._stopped = threading.Event()

    def allow(self) -> None:
        """Let the next copy begin, after one was stopped."""
        self._stopped.clear()

    def stop(self) -> None:
        """Stop copying; what was copied is removed."""
        self._stopped.set()

    def close(self) -> None:
        """Stop copying, and remove the copies that no result needs."""
        self.stop()
        self._spilled.close()

    def reference(
        self, job: Job, source: LayerSource, result: Path | str | None = None, measured: MeasuredSource | None = None
    ) -> Mapping[str, Any]:
        """Copy what a job reads of a layer; return how any process opens it. Not for the surface's thread.

        Parameters
        ----------
        job : Job
        source : LayerSource
        result : path, optional
            The output of the run, for as long as which the copy is kept.
        measured : MeasuredSource, optional
            The layer; left out, it is measured.

        Raises
        ------
        S1OmniError
            If there is not enough space, or :meth:`stop` was called.
        """
        measured = measured or self._measure(job, source)
        prepared = prepare(job.replace(output=None, into=None), source.array, seen=measured)
        told, said = time.monotonic(), False

        def on_bytes(done: int, total: int) -> None:
            nonlocal told, said
            if self._stopped.is_set():
                raise RunInterrupted("copying the image to disk was cancelled", remedy="start the job again")
            if time.monotonic() - told > _TELL:
                told, said = time.monotonic(), True
                self._deliver(lambda: self.changed.emit(done, total))

        try:
            return self._spilled.reference(source.array, job.source, measured, prepared, result, on_bytes)
        finally:
            if said:
                self._deliver(lambda: self.changed.emit(0, 0))
