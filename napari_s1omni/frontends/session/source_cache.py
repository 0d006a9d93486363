"""Sources: the images of layers, found once and measured once, however often a job on them is edited."""

from __future__ import annotations

from napari_s1omni.frontends.napari_layers.layers import LayerView, Located, locate
from napari_s1omni.jobs.prepare import MeasuredSource, measure_source
from napari_s1omni.planning.job import Job

_KEPT = 8
"""Sources whose measurements are kept."""


class SourceCache:
    """What was found out about sources; for one thread at a time."""

    def __init__(self) -> None:
        self._found: Located | None = None
        self._seen: dict[str, MeasuredSource] = {}

    def locate(self, view: LayerView, axes: str | None) -> Located:
        """Find out where the px of a layer are; opens files.

        Parameters
        ----------
        view : LayerView
        axes : str, optional
            As in :func:`~napari_s1omni.frontends.napari_layers.layers.locate`.
        """
        known = self._found
        if known is None or not known.shows(view) or known.asked != axes:
            known = locate(view, axes)
        # A layer that was only moved is found already.
        self._found = known.seen_as(view)
        return self._found

    def see(self, job: Job, located: Located) -> MeasuredSource:
        """Measure the source of a job; reads it."""
        known = self._seen.get(_key(job, located))
        if known is None:
            known = measure_source(job.source, located.array)
            self.keep(job, located, known)
        return known

    def keep(self, job: Job, located: Located, seen: MeasuredSource) -> None:
        """Take over what others found out."""
        self._found = located
        self._seen = {**dict(list(self._seen.items())[1 - _KEPT :]), _key(job, located): seen}


def _key(job: Job, located: Located) -> str:
    return f"{job.source.model_dump_json()}{id(located.array)}"
