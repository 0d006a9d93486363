"""Layers: between what napari shows and what a job works on. Reads attributes of layers, never their pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import METRES, unit_name
from napari_s1omni.errors import PlanError, S1OmniError
from napari_s1omni.frontends.napari_layers.layer_transforms import grown, read_place, shear_matrix, shear_of
from napari_s1omni.frontends.napari_layers.reader import JOBS
from napari_s1omni.frontends.views.live_pyramid import DisplayAxes, LivePyramid
from napari_s1omni.operations import OPERATIONS
from napari_s1omni.planning.job import SourceRef
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.source import Source, open_source

GENERATED = "generated"
"""Word that marks px which a model drew."""
_NAMES = {"time": "t", "channel": "c", "plane": "z", "depth": "z", "row": "y", "column": "x"}


@dataclass(frozen=True, slots=True)
class LayerView:
    """What can be read off a layer without waiting: safe to hand to another thread."""

    name: str
    path: str | None
    """Where napari or an array says that the px are stored."""
    data: Any
    """The array, or the levels of a pyramid."""
    shape: tuple[int, ...]
    """Of the finest level, with the colour samples of a picture last."""
    rgb: bool
    axes: str
    """Letters that its axis labels say, with ``s`` for colour samples; empty where they say nothing."""
    scale: tuple[float, ...]
    translate: tuple[float, ...]
    rotate: NDArray[Any]
    shear: NDArray[Any]
    affine: NDArray[Any]
    """Homogeneous matrix that napari applies after the other four."""
    units: tuple[str, ...]
    axis_labels: tuple[str, ...]
    channel: int | None = None
    """Which of the layers from the same place it is, in the order in which they were added; None if the only one."""

    @property
    def ndim(self) -> int:
        """Dimensions without colour samples."""
        return len(self.scale)


@dataclass(frozen=True, slots=True)
class Located:
    """The source that a layer shows."""

    view: LayerView
    ref: SourceRef
    """What a job says of it."""
    array: Any
    """The px, where no other process can reach them; else None."""
    axes: str
    """Letter of each dimension of the layer, without colour samples."""
    spec: LayerSpec
    channel: int | None = None
    """The channel of the source that the layer shows, where it shows one of several."""
    asked: str | None = None
    """Axes that were asked for instead of what layer or file say."""

    def shows(self, view: LayerView) -> bool:
        """Whether a layer, perhaps moved since, shows the same source in the same way."""
        mine, other = (v.data if isinstance(v.data, list) else [v.data] for v in (self.view, view))
        return (
            len(mine) == len(other)
            and all(a is b for a, b in zip(mine, other, strict=True))
            and all(
                getattr(self.view, name) == getattr(view, name)
                for name in ("name", "path", "shape", "rgb", "axes", "scale", "units", "channel")
            )
        )

    def seen_as(self, view: LayerView) -> Located:
        """Return the same source under a layer that was moved."""
        return dataclasses.replace(self, view=view)


def read_layer(layer: Any, others: Iterable[Any] = ()) -> LayerView:
    """Read off a layer what a job needs to know.

    Parameters
    ----------
    layer : napari.layers.Layer
    others : iterable of layers
        All layers of the viewer; those from the same place are its channels.

    Raises
    ------
    PlanError
        If it is no image.
    """
    kind = type(layer).__name__
    if kind != "Image":
        raise PlanError(
            f"layer '{layer.name}' holds {'labels' if kind == 'Labels' else kind.lower()}",
            "operations read an image layer",
            "choose an image layer",
            layer=layer.name,
        )
    levels = list(layer.data) if layer.multiscale else [layer.data]
    path = _path(layer, levels[0])
    same = [o for o in others if type(o).__name__ == "Image" and o.source.path and _path(o, None) == path]
    labels = tuple(layer.axis_labels)
    letters = "".join(_letter(label) for label in labels)
    said = len(set(letters)) == len(letters) and {"y", "x"} <= set(letters) <= set("tczyx")
    return LayerView(
        name=layer.name,
        path=path,
        data=levels if layer.multiscale else levels[0],
        shape=tuple(int(n) for n in levels[0].shape),
        rgb=bool(layer.rgb),
        axes=letters + "s" * bool(layer.rgb) if said else "",
        scale=tuple(map(float, layer.scale)),
        translate=tuple(map(float, layer.translate)),
        rotate=np.array(layer.rotate),
        shear=np.array(layer.shear),
        affine=np.array(layer.affine.affine_matrix),
        units=tuple(str(u) for u in layer.units),
        axis_labels=labels,
        channel=same.index(layer) if path and len(same) > 1 and layer in same else None,
    )


def locate(view: LayerView, axes: str | None = None) -> Located:
    """Find out from where another process can read a layer; opens files, so not for the GUI thread.

    Parameters
    ----------
    view : LayerView
    axes : str, optional
        Letters of the stored dimensions, where what layer or file say is wrong.

    Raises
    ------
    SourceError
        If the layer is of a shape or type that cannot be read.
    """
    if view.path:
        try:
            source = open_source(view.path, axes=axes)
        except S1OmniError:
            source = None
        if source is not None and (fits := _fits(view, source)):
            letters, channel = fits
            return Located(view, _reference(view, source.spec, letters), None, letters, source.spec, channel, axes)
    letters = axes or view.axes or _guess(view)
    unit = view.units[-1] if view.units[-1] != "pixel" else None
    scale = _scale(view, letters)
    whole = open_source(view.data, axes=letters, scale=scale, units=unit)
    ref = SourceRef(uri=f"memory:{view.name or 'layer'}", axes=letters, scale=scale, units=unit)
    return Located(view, ref, view.data, letters.replace("s", ""), whole.spec, asked=axes)


def show_of(located: Located, target: LayerSpec) -> DisplayAxes:
    """Lay out a result so that its dimensions stand where the layer's own stand."""
    sizes = dict(zip(located.axes, located.view.shape, strict=False))
    axes, fixed = located.axes, [0 if a in target.axes else sizes[a] for a in located.axes]
    if target.rgb:
        axes, fixed = axes.replace("c", "") + "c", [n for a, n in zip(axes, fixed, strict=True) if a != "c"] + [0]
    elif "c" in target.axes and "c" not in axes and target.size("c") > 1:
        axes, fixed = "c" + axes, [0, *fixed]
    return DisplayAxes(axes, tuple(fixed))


def place(located: Located, plan: Plan, show: DisplayAxes) -> dict[str, Any]:
    """Put the result of a plan where its source layer stands, with its units and axis labels.

    Px ``r`` of the result has its centre at px ``r * f + o`` of the source, so
    the layer's transform is kept with ``scale * f`` and moved by ``o``.
    """
    view, source, target = located.view, plan.source, plan.target
    axes = [a for a in show.axes if not (target.rgb and a == "c")]
    at = [located.axes.index(a) if a in located.axes else None for a in axes]
    factor, offset = np.ones(view.ndim), np.zeros(view.ndim)
    for i, a in enumerate(located.axes):
        if a in target.axes and a in source.axes:
            # A job may work on a coarser level than the layer shows.
            level = round(located.spec.size(a) / source.size(a))
            factor[i] = level * target.scale_of(a) / source.scale_of(a)
            start = target.translate[target.axes.index(a)] - source.translate[source.axes.index(a)]
            offset[i] = level * start / source.scale_of(a) + (level - 1) / 2
    scale = np.array(view.scale)
    linear = view.rotate @ shear_matrix(view.shear, view.ndim)
    translate = np.array(view.translate) + linear @ (scale * offset)
    scale = scale * factor
    kept = [i for i in at if i is not None]
    new = len(at) - len(kept)
    chosen = np.ix_(kept, kept)
    affine = view.affine[np.ix_([*kept, view.ndim], [*kept, view.ndim])]
    return {
        "scale": (*(1.0,) * new, *scale[kept]),
        "translate": (*(0.0,) * new, *translate[kept]),
        "rotate": grown(view.rotate[chosen], new),
        "shear": shear_of(grown(shear_matrix(view.shear, view.ndim)[chosen], new)),
        "affine": grown(affine, new),
        "units": (*("pixel",) * new, *(view.units[i] for i in kept)),
        "axis_labels": tuple(axes) if new else tuple(view.axis_labels[i] for i in kept),
    }


def to_source(located: Located, world: Sequence[float]) -> dict[str, float]:
    """Turn a point of the layer's own data coordinates into px of the source, by axis."""
    return dict(zip(located.axes, world, strict=False))


def metadata(plan: Plan, path: Path, levels: LivePyramid) -> dict[str, Any]:
    """Describe a result for a layer's metadata."""
    return {
        "s1omni": {
            "output": str(path),
            "levels": levels,
            "operation": plan.job.operation.type,
            "prompt": plan.job.operation.prompt,
            "engine": f"{plan.engine.name} {plan.engine.revision}",
            GENERATED: plan.generated,
            "digest": plan.digest,
        }
    }


def name_of(plan: Plan, source: str) -> str:
    """Name a result layer; images that a model drew say so."""
    what = getattr(plan.job.operation, "target", None) or OPERATIONS[plan.job.operation.type].result
    return f"{source} · {what}" + (f" [{GENERATED}]" if plan.generated else "")


def appearance(plan: Plan) -> dict[str, Any]:
    """Fixed contrast limits, so that no viewer scans a lazy array for them."""
    if plan.target.kind == "labels":
        return {}
    if plan.job.operation.type == "modality_translation":
        return {"contrast_limits": (0.0, 1.0), "rgb": plan.target.rgb}
    low, high = min(plan.normalization.low), max(plan.normalization.high)
    return {"contrast_limits": (low, max(high, low + 1e-6)), "rgb": plan.target.rgb}


def stored_place(plan: Plan, show: str, path: Path | None = None) -> dict[str, Any]:
    """Put a result where is noted beside it, else where its own plan says, for when its source layer is not open.

    Parameters
    ----------
    plan : Plan
    show : str
        Axes that are shown, in order.
    path : Path, optional
        The output folder, whose note is read; None reads nothing.
    """
    target = plan.target
    axes = [a for a in show if not (target.rgb and a == "c")]
    at = [target.axes.index(a) for a in axes]
    options = {
        "scale": tuple(target.scale[i] for i in at),
        "translate": tuple(target.translate[i] for i in at),
        "units": tuple(target.units[i] or "pixel" for i in at),
        "axis_labels": tuple(target.axes[i] for i in at),
    }
    return options if path is None else read_place(path, "".join(axes), options)


def _path(layer: Any, array: Any) -> str | None:
    # A job file names an image and is none; the array knows from where it is read.
    if layer.source.path and not str(layer.source.path).lower().endswith(JOBS):
        return str(layer.source.path)
    # A zarr array knows its own place; one in memory has none that starts so.
    place = str(getattr(array, "store_path", "") or "")
    return place if ("://" in place or place.startswith("/")) and not place.startswith("memory") else None


def _letter(label: str) -> str:
    word = label.strip().casefold()
    return _NAMES.get(word, word if len(word) == 1 else "?")


def _fits(view: LayerView, source: Source) -> tuple[str, int | None] | None:
    """Letters of the layer's dimensions if it shows this source, and the channel that it shows."""
    spec = source.spec
    shape = view.shape[:-1] if view.rgb else view.shape
    axes = [a for a in spec.axes if not (spec.rgb and a == "c")]
    if view.rgb != spec.rgb and not (view.rgb and "c" not in spec):
        return None
    sizes = tuple(spec.size(a) for a in axes)
    if shape == sizes:
        return "".join(axes), None
    if [n for n in shape if n > 1] == [n for n in sizes if n > 1] and len(shape) == view.ndim:
        # Dimensions of 1 px are no axes of the source; they keep a letter that it does not use.
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
            channel = named[0] if named else view.channel
            return ("".join(rest), channel) if channel < spec.size("c") else None
    return None


def _reference(view: LayerView, spec: LayerSpec, axes: str) -> SourceRef:
    """Refer to a path, with the layer's own px size only where it is not that of the file."""
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
            "choose part of it, or name its axes",
        )
    return guesses[len(shape)] + "s" * view.rgb


def _sizes(view: LayerView, axes: str) -> tuple[float, ...]:
    """Px sizes of a layer, those of space in the unit of its last dimension: a job has one unit of length."""
    last = METRES.get(str(unit_name(view.units[-1])))
    factors = [METRES.get(str(unit_name(unit))) for unit in view.units]
    return tuple(
        s * f / last if a in "zyx" and f and last else s for a, s, f in zip(axes, view.scale, factors, strict=False)
    )


def _scale(view: LayerView, axes: str) -> tuple[float, ...] | None:
    scale = (*_sizes(view, axes), *((1.0,) if view.rgb else ()))
    return scale if any(s != 1 for s in scale) else None
