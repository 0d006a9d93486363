"""The source of a layer: the file, store or array that a job reads to work on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import METRES, unit_name
from napari_s1omni.errors import PlanError, S1OmniError
from napari_s1omni.frontends.napari_layers.layer_view import LayerView
from napari_s1omni.planning.job import SourceRef
from napari_s1omni.storage.source import Source, open_source


@dataclass(frozen=True, slots=True)
class LayerSource:
    """The source that a layer shows."""

    view: LayerView
    ref: SourceRef
    """How a job refers to it."""
    array: Any
    """The pixels if no other process can read them, else None."""
    axes: str
    """Letter of each dimension of the layer, without colour samples."""
    spec: LayerSpec
    channel: int | None = None
    """The channel of the source that the layer shows, if it shows one of several."""
    requested_axes: str | None = None
    """Axes that the user chose instead of those of the layer or file."""

    def shows(self, view: LayerView) -> bool:
        """Whether a layer, perhaps moved since, shows this source in the same way."""
        mine, other = (v.data if isinstance(v.data, list) else [v.data] for v in (self.view, view))
        return (
            len(mine) == len(other)
            and all(a is b for a, b in zip(mine, other, strict=True))
            and all(
                getattr(self.view, name) == getattr(view, name)
                for name in ("name", "path", "shape", "rgb", "axes", "scale", "units", "channel")
            )
        )

    def with_view(self, view: LayerView) -> LayerSource:
        """Return the same source under a layer that was moved."""
        return dataclasses.replace(self, view=view)


def locate_source(view: LayerView, axes: str | None = None) -> LayerSource:
    """Find the source of a layer; opens files, so do not call it on the GUI thread.

    Parameters
    ----------
    view : LayerView
    axes : str, optional
        Letters of the stored dimensions, where the layer or the file names them wrongly.

    Raises
    ------
    SourceError
        If its shape or data type is not supported.
    """
    if view.path:
        try:
            source = open_source(view.path, axes=axes)
        except S1OmniError:
            source = None
        if source is not None and (fits := _fits(view, source)):
            letters, channel = fits
            return LayerSource(view, _reference(view, source.spec, letters), None, letters, source.spec, channel, axes)
    letters = axes or view.axes or _guess(view)
    unit = view.units[-1] if view.units[-1] != "pixel" else None
    scale = _scale(view, letters)
    whole = open_source(view.data, axes=letters, scale=scale, units=unit)
    ref = SourceRef(uri=f"memory:{view.name or 'layer'}", axes=letters, scale=scale, units=unit)
    return LayerSource(view, ref, view.data, letters.replace("s", ""), whole.spec, requested_axes=axes)


def _fits(view: LayerView, source: Source) -> tuple[str, int | None] | None:
    """Return the letters of the layer's dimensions and its channel; None if it does not show this source."""
    spec = source.spec
    shape = view.shape[:-1] if view.rgb else view.shape
    axes = [a for a in spec.axes if not (spec.rgb and a == "c")]
    if view.rgb != spec.rgb and not (view.rgb and "c" not in spec):
        return None
    sizes = tuple(spec.size(a) for a in axes)
    if shape == sizes:
        return "".join(axes), None
    if [n for n in shape if n > 1] == [n for n in sizes if n > 1] and len(shape) == view.ndim:
        # Dimensions of one pixel are no axes of the source; they get letters that it does not use.
        left, letters = [a for a in axes if spec.size(a) > 1], ""
        unused = [a for a in "tczyx" if a not in left]
        for n in shape:
            letters += left.pop(0) if n > 1 else unused.pop(0)
        return letters, None
    if "c" in axes and view.channel is not None:
        rest = [a for a in axes if a != "c"]
        if shape == tuple(spec.size(a) for a in rest):
            names = [n.casefold() for n in spec.channel_names]
            named = [i for i, n in enumerate(names) if n and n == view.name.casefold()]
            # Of several channels with this name, the layer shows the one at its own position.
            channel = named[0] if named and view.channel not in named else view.channel
            return ("".join(rest), channel) if channel < spec.size("c") else None
    return None


def _reference(view: LayerView, spec: LayerSpec, axes: str) -> SourceRef:
    """Refer to a path, with the pixel size of the layer where it differs from the file."""
    space = [a for a in "zyx" if a in axes and a in spec.axes]
    own = tuple(spec.scale_of(a) for a in space)
    sizes = _sizes(view, axes)
    shown = tuple(sizes[axes.index(a)] for a in space)
    unit = view.units[-1]
    same = METRES.get(str(spec.units[-1]), 1.0) / METRES.get(str(unit_name(unit)), 1.0)
    if unit == "pixel" or np.allclose(np.array(own) * same, shown, rtol=1e-4):
        return SourceRef(uri=str(view.path))
    return SourceRef(uri=str(view.path), scale=shown, units=unit)


def _guess(view: LayerView) -> str:
    shape = view.shape[:-1] if view.rgb else view.shape
    guesses: Mapping[int, str] = {2: "yx", 3: "zyx", 4: "czyx" if shape[0] <= 4 else "tzyx", 5: "tczyx"}
    if len(shape) not in guesses:
        raise PlanError(
            f"layer '{view.name}' has {len(shape)} dimensions",
            "2 to 5: time, channel, z, y, x",
            "choose part of it, or set its axes",
        )
    return guesses[len(shape)] + "s" * view.rgb


def _sizes(view: LayerView, axes: str) -> tuple[float, ...]:
    """Return the pixel sizes of a layer, with one unit of length for all spatial axes, as a job needs it."""
    last = METRES.get(str(unit_name(view.units[-1])))
    factors = [METRES.get(str(unit_name(unit))) for unit in view.units]
    return tuple(
        s * f / last if a in "zyx" and f and last else s for a, s, f in zip(axes, view.scale, factors, strict=False)
    )


def _scale(view: LayerView, axes: str) -> tuple[float, ...] | None:
    scale = (*_sizes(view, axes), *((1.0,) if view.rgb else ()))
    return scale if any(s != 1 for s in scale) else None
