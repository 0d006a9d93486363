"""Sources of layers, opened and measured once while a job is edited."""

from __future__ import annotations

from napari_s1omni.frontends.napari_layers.layer_source import LayerSource, locate_source
from napari_s1omni.frontends.napari_layers.layer_view import LayerView
from napari_s1omni.jobs.prepare import MeasuredSource, measure_source
from napari_s1omni.planning.job import Job

_KEPT = 8
"""Number of sources whose measurements are kept."""


class SourceCache:
    """The current source and the measurements of recent ones; not thread-safe."""

    def __init__(self) -> None:
        self._found: LayerSource | None = None
        self._measured: dict[str, MeasuredSource] = {}

    def locate(self, view: LayerView, axes: str | None) -> LayerSource:
        """Return the source of a layer; opens files.

        Parameters
        ----------
        view : LayerView
        axes : str, optional
            As in :func:`~napari_s1omni.frontends.napari_layers.layer_source.locate_source`.
        """
        known = self._found
        if known is None or not known.shows(view) or known.requested_axes != axes:
            known = locate_source(view, axes)
        # A layer that was only moved keeps its source.
        self._found = known.with_view(view)
        return self._found

    def measure(self, job: Job, source: LayerSource) -> MeasuredSource:
        """Return the measurements of the source of a job; may read it."""
        known = self._measured.get(_key(job, source))
        if known is None:
            known = measure_source(job.source, source.array)
            self.keep(job, source, known)
        return known

    def keep(self, job: Job, source: LayerSource, measured: MeasuredSource) -> None:
        """Add a source that was measured elsewhere."""
        self._found = source
        self._measured = {**dict(list(self._measured.items())[1 - _KEPT :]), _key(job, source): measured}


def _key(job: Job, source: LayerSource) -> str:
    return f"{job.source.model_dump_json()}{id(source.array)}"
