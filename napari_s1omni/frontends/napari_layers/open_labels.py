"""The labels of a layer, from a run, from another program, from a file or from a hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.paths import is_url
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import JobError, StoreMissing
from napari_s1omni.frontends.napari_layers.layer_axes import guess_axes
from napari_s1omni.frontends.napari_layers.layer_source import layer_sizes
from napari_s1omni.frontends.napari_layers.layer_view import read_layer
from napari_s1omni.frontends.napari_layers.result_layers import RESULT_KEY
from napari_s1omni.results.measured_layers import MeasuredLayers
from napari_s1omni.results.region_properties import measure_objects
from napari_s1omni.results.result import Result
from napari_s1omni.results.tables import Columns, join_tables
from napari_s1omni.storage.source import Source, open_source

_BLOCK = {"z": 16, "y": 1024, "x": 1024}
"""Pixels of labels that are measured at once."""


@dataclass(frozen=True, slots=True)
class OpenLabels:
    """Labels that can be measured."""

    spec: LayerSpec
    """Axes, size, scale and units."""
    axes: str
    """Letter of each dimension of the layer."""
    measure: Callable[[], Columns]
    """Measures every object; may take long."""
    notes: tuple[str, ...] = ()
    """What was guessed, and what is measured beside shapes."""


def is_measurable(layer: Any) -> bool:
    """Whether a layer holds labels of a run or of another program, rather than a crop or a preview of them."""
    # Results have classes of their own with the name of napari's.
    return type(layer).__name__ == "Labels" and "output" in layer.metadata.get(RESULT_KEY, {"output": ""})


def open_labels(layer: Any, others: Iterable[Any] = ()) -> OpenLabels:
    """Return the labels of a layer, without reading its pixels.

    Parameters
    ----------
    layer : napari.layers.Labels
    others : iterable of layers
        The layers of the viewer; the last image of the same shape gives the intensities.

    Raises
    ------
    PlanError
        If its axis labels do not fit its dimensions.
    SourceError
        If its shape or data type is not supported.
    """
    made = layer.metadata.get(RESULT_KEY, {})
    if "output" in made:
        pyramid, place = made["pyramid"], made["output"]
        return OpenLabels(pyramid.target, pyramid.display.axes, lambda: _measure_result(place))
    view = read_layer(layer, kind="Labels")
    axes, guesses = guess_axes(view.name, view.shape, view.named, view.pixel_units)
    scale, units = layer_sizes(view, axes)
    source = open_source(view.data, axes=axes, scale=scale, units=units, labels=True)
    places = dict(zip(axes, view.translate, strict=True))
    spec = source.spec.replace(kind="labels", translate=tuple(places[a] for a in source.spec.axes))
    under = _image_under(layer, others)
    image = None
    if under is not None:
        image = open_source(read_layer(under).data, axes=axes, scale=scale, units=units)
        guesses = [*guesses, f"intensities are those of '{under.name}'"]
    return OpenLabels(spec, axes, lambda: _measure(source, spec, image), tuple(guesses))


def _image_under(layer: Any, others: Iterable[Any]) -> Any:
    """Return the last image of the shape of the labels, which has no colours and shows one time point."""
    shape = _shape(layer)
    fitting = [x for x in others if type(x).__name__ == "Image" and not x.rgb and _shape(x) == shape]
    return fitting[-1] if fitting else None


def _shape(layer: Any) -> tuple[int, ...]:
    return tuple((layer.data[0] if layer.multiscale else layer.data).shape)


def _measure_result(place: str) -> Columns:
    try:
        return Result.open(place).table()
    except StoreMissing as error:
        if is_url(place):
            raise
        raise JobError(
            f"the run of {Path(place).name} has not begun, or its folder is gone",
            "objects are measured once there are some",
            "wait for the runs before it on the page 'Runs', or run it again",
        ) from error


class _Frame:
    """One time point of labels, along the other axes."""

    def __init__(self, source: Source, t: int) -> None:
        self._source, self._t = source, t

    def __getitem__(self, box: tuple[slice, ...]) -> NDArray[Any]:
        if "t" not in self._source.spec:
            return self._source.read(box)
        pixels: NDArray[Any] = self._source.read((slice(self._t, self._t + 1), *box))[0]
        return pixels


def _measure(source: Source, spec: LayerSpec, image: Source | None) -> Columns:
    """Measure the objects of each time point; a number in two of them is two objects."""
    frames, still = spec.size("t"), spec.without("t") if "t" in spec else spec
    block = tuple(min(still.size(a), _BLOCK.get(a, 1)) for a in still.axes)
    tables = []
    for t in range(frames):
        channels = range(1) if image is not None and frames == 1 else ()
        columns = measure_objects(MeasuredLayers(_Frame(source, t), still, block, image, None, tuple(channels)))
        tables.append({**columns, "t": np.full(len(columns["label"]), t)} if frames > 1 else columns)
    return join_tables(tables)
