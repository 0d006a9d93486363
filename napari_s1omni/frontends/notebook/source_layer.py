"""The source of a job, opened and described as a layer without a viewer."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_s1omni.core.image_references import name_for_folder, split_stored
from napari_s1omni.frontends.napari_layers.layer_source import LayerSource
from napari_s1omni.frontends.napari_layers.layer_view import LayerView
from napari_s1omni.planning.job import Job
from napari_s1omni.storage.arrays.array_origin import locate_pixels, stored_note
from napari_s1omni.storage.source import Source


def find_source(job: Job, array: Any) -> tuple[LayerSource, Source]:
    """Open the source of a job, and describe it as a layer.

    Parameters
    ----------
    job : Job
    array : array-like or None
        The pixels, if they are in memory.

    Raises
    ------
    SourceError
        If it cannot be opened.
    """
    ref, pixels, source = locate_pixels(job.source, array)
    stored = array is not None and pixels is None
    notes = (stored_note(source),) if stored else ()
    spec, n = source.spec, len(source.spec.axes)
    view = LayerView(
        name=source_name(job),
        path=spec.source,
        data=pixels,
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
    return LayerSource(view, ref, pixels, "".join(spec.axes), spec, requested_axes=ref.axes, notes=notes), source


def source_name(job: Job) -> str:
    """Return a short name of the image of a job: its file name without ending."""
    uri = job.source.uri
    if uri.startswith("memory:"):
        return uri.removeprefix("memory:")
    file, image = split_stored(uri)
    stem = file.partition("?")[0].rstrip("/").rpartition("/")[2].partition(".")[0] or "image"
    return stem if image is None else f"{stem}-{name_for_folder(image)}"
