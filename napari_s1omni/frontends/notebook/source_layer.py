"""Finding: the image of a job, described as a layer that nobody shows."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_s1omni.frontends.napari_layers.layer_source import LayerSource
from napari_s1omni.frontends.napari_layers.layer_view import LayerView
from napari_s1omni.planning.job import Job
from napari_s1omni.storage.source import Source, open_reference


def find_source(job: Job, array: Any) -> tuple[LayerSource, Source]:
    """Open the source of a job, and describe it as a layer that nobody shows.

    Raises
    ------
    SourceError
    """
    ref = job.source
    source = open_reference(ref, array)
    spec, n = source.spec, len(source.spec.axes)
    view = LayerView(
        name=name_of(job),
        path=spec.source,
        data=array,
        shape=spec.shape,
        rgb=spec.rgb,
        axes="".join(spec.axes),
        scale=spec.scale,
        translate=spec.translate,
        rotate=np.eye(n),
        shear=np.zeros(n * (n - 1) // 2),
        affine=np.eye(n + 1),
        units=tuple(unit or "pixel" for unit in spec.units),
        axis_labels=tuple(spec.axes),
    )
    return LayerSource(view, ref, array, "".join(spec.axes), spec, requested_axes=ref.axes), source


def name_of(job: Job) -> str:
    """Return what people call the image of a job."""
    uri = job.source.uri
    if uri.startswith("memory:"):
        return uri.removeprefix("memory:")
    return uri.partition("?")[0].rstrip("/").rpartition("/")[2].partition(".")[0] or "image"
