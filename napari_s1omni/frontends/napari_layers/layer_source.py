"""The source of a layer: the file, store or array that a job reads to work on it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_s1omni.core.sizes.lengths import METRES
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import unit_name
from napari_s1omni.errors import S1OmniError
from napari_s1omni.frontends.napari_layers.layer_axes import UNKNOWN, guess_axes
from napari_s1omni.frontends.napari_layers.layer_geometry import is_box
from napari_s1omni.frontends.napari_layers.layer_view import LayerView
from napari_s1omni.operations.understanding import Doubt
from napari_s1omni.planning.job import SourceRef
from napari_s1omni.storage.arrays.array_file import has_own_format, references_in, shows_pixels
from napari_s1omni.storage.arrays.array_origin import locate_pixels, stored_note
from napari_s1omni.storage.axis_names import read_axes
from napari_s1omni.storage.source import Source, open_reference, open_source


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
    notes: tuple[str, ...] = ()
    """What was guessed, adjusted or left out, one sentence each."""
    axes_guess: str = ""
    """The one of them that says which axes were guessed from the shape alone; empty if none were."""

    @property
    def axes_doubts(self) -> tuple[Doubt, ...]:
        """What was guessed of the axes, as a question."""
        if not self.axes_guess:
            return ()
        stack = "z" in self.spec and "t" not in self.spec
        brief = f"Is this a stack of {self.spec.size('z')} planes?" if stack else f"Are the axes '{self.axes}'?"
        return (Doubt(brief, self.axes_guess),)

    def shows(self, view: LayerView) -> bool:
        """Whether a layer, perhaps moved since, shows this source in the same way."""
        mine, other = (v.data if isinstance(v.data, list) else [v.data] for v in (self.view, view))
        return (
            len(mine) == len(other)
            and all(a is b for a, b in zip(mine, other, strict=True))
            and all(
                getattr(self.view, name) == getattr(view, name)
                for name in ("name", "path", "shape", "rgb", "axes", "named", "units", "channel")
            )
            and np.array_equal(self.view.linear, view.linear)
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
    PlanError
        If its axis labels do not fit its dimensions.
    """
    notes = _box_notes(view)
    if view.path:
        found = _in_file(view, axes)
        if found is None and has_own_format(view.path):
            notes.append(
                f"layer '{view.name}' came from {view.path}, but its pixels or axes are not those of an image in that "
                "file; its own pixels are read"
            )
        if found is not None:
            source, letters, channel = found
            if axes is not None or _agrees(view, letters):
                ref = _reference(view, source, letters)
                if ref.scale is not None:
                    corrected = open_reference(ref)
                    notes.append(_correction_note(view, source.spec, corrected.spec))
                    source = corrected
                return LayerSource(view, ref, None, letters, source.spec, channel, axes, (*notes, *source.notes))
            notes.append(
                f"layer '{view.name}' names its axes otherwise than its file, which has '{letters}'; its own pixels "
                "are read, with its own axes"
            )
    letters, guess = read_axes(axes, view.shape).letters if axes else view.axes, ""
    if not letters:
        shape = view.shape[:-1] if view.rgb else view.shape
        letters, guesses = guess_axes(view.name, shape, view.named or ("",) * len(shape), view.pixel_units)
        letters, notes, guess = letters + "s" * view.rgb, [*notes, *guesses], " ".join(guesses)
    scale, units = layer_sizes(view, letters)
    described = SourceRef(uri=f"memory:{view.name or 'layer'}", axes=letters, scale=scale, units=units)
    ref, array, whole = locate_pixels(described, view.data)
    if array is None:
        notes.append(stored_note(whole))
    shown = letters.replace("s", "")
    return LayerSource(view, ref, array, shown, whole.spec, None, axes, (*notes, *whole.notes), guess)


def _box_notes(view: LayerView) -> list[str]:
    """Return a note if the pixels of a layer are no boxes, since one number per axis cannot describe them."""
    if is_box(view.linear):
        return []
    shown = " x ".join(f"{size:g}" for size in view.pixel_sizes)
    return [
        f"layer '{view.name}' is sheared, or stretched after a rotation: its pixels have no right angles; the lengths "
        f"of their edges in the world, {shown}, are their sizes"
    ]


def _correction_note(view: LayerView, file: LayerSpec, layer: LayerSpec) -> str:
    return (
        f"layer '{view.name}' shows pixels of {_size_text(layer)}, while its file says {_size_text(file)}; the size of "
        "the layer is used"
    )


def _size_text(spec: LayerSpec) -> str:
    axes = [a for a in spec.axes if a != "c"]
    sizes = " x ".join(f"{spec.scale_of(a):g}" for a in axes)
    return f"{sizes} {', '.join(dict.fromkeys(spec.unit_of(a) or 'without unit' for a in axes))} ({', '.join(axes)})"


def _agrees(view: LayerView, letters: str) -> bool:
    """Whether the names of a layer's axes are those of its file; a dimension of 1 px may have any name."""
    return all(
        name in ("", UNKNOWN, letter) or n == 1
        for name, letter, n in zip(view.named, letters, view.shape, strict=False)
    )


def _in_file(view: LayerView, axes: str | None) -> tuple[Source, str, int | None] | None:
    """Return the image of its file that a layer shows, the letters of its dimensions, and its channel.

    In a file of several images its place tells nothing, and plugins change what they read of the formats of
    microscopes: there the pixels are compared.
    """
    own = not has_own_format(str(view.path))
    for place in references_in(str(view.path)):
        try:
            source = open_source(place, axes=axes)
            fits = _fits(view, source)
            if own or source.spec.source == getattr(_finest(view), "store_path", None):
                return None if fits is None else (source, *fits)
            for letters, channel in [*([fits] if fits is not None else []), *_channel_fits(view, source)]:
                if shows_pixels(_finest(view), letters + "s" * view.rgb, source, channel):
                    return source, letters, channel
        except (S1OmniError, OSError):
            continue
    return None


def _finest(view: LayerView) -> Any:
    return view.data[0] if isinstance(view.data, list) else view.data


def _channel_fits(view: LayerView, source: Source) -> list[tuple[str, int]]:
    """Return the letters of a layer that shows one channel of a source, with each channel that it may be."""
    rest = [a for a in source.spec.axes if a != "c"]
    if view.rgb or source.spec.rgb or len(rest) == len(source.spec.axes):
        return []
    if view.shape != tuple(source.spec.size(a) for a in rest):
        return []
    return [("".join(rest), channel) for channel in range(source.spec.size("c"))]


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


def _reference(view: LayerView, source: Source, axes: str) -> SourceRef:
    """Refer to a path, with the pixel size of the layer where it differs from the file."""
    spec, ref = source.spec, SourceRef(uri=source.spec.source or str(view.path))
    own = {a: (spec.scale_of(a), spec.unit_of(a)) for a in source.stored_axes}
    units = dict(zip(axes, map(unit_name, view.pixel_units), strict=False))
    # Layers without a unit often just lack the size that their file has.
    counted = [a for a in own if units.get(a) or (a in axes and a in "zyx" and not any(spec.units))]
    sizes = dict(zip(axes, view.pixel_sizes, strict=False))
    shown = {a: (sizes[a], units[a]) for a in counted if a != "c"}
    if all(_is_same(own[a], shown[a]) for a in shown):
        return ref
    if any(not _is_same(own[a], shown[a]) for a in shown if a not in "zyx"):
        every = {**own, **shown}
        return ref.replace(
            scale=tuple(size for size, _ in every.values()), units=tuple(unit or "pixel" for _, unit in every.values())
        )
    unit = units.get("x")
    space = {a: shown.get(a, own[a]) for a in own if a in "zyx"}
    return ref.replace(scale=tuple(size * _factor(its, unit) for size, its in space.values()), units=unit)


def _is_same(one: tuple[float, str | None], other: tuple[float, str | None]) -> bool:
    """Whether two sizes with their units are equal."""
    same_kind = one[1] == other[1] or (one[1] in METRES and other[1] in METRES)
    return same_kind and bool(np.isclose(one[0] * _factor(one[1], other[1]), other[0], rtol=1e-4, atol=0))


def _factor(unit: str | None, other: str | None) -> float:
    """Return how many of another unit a unit is; 1 unless both are lengths."""
    return METRES[unit] / METRES[other] if unit in METRES and other in METRES else 1.0


def layer_sizes(view: LayerView, axes: str) -> tuple[tuple[float, ...] | None, str | tuple[str, ...] | None]:
    """Return pixel size and unit of each dimension as a job gives them; one unit where only lengths have one."""
    scale = (*view.pixel_sizes, *((1.0,) if view.rgb else ()))
    units = (*view.pixel_units, *(("pixel",) if view.rgb else ()))
    lengths = {unit_name(u) for a, u in zip(axes, units, strict=False) if a in "zyx"}
    others = {unit_name(u) for a, u in zip(axes, units, strict=False) if a not in "zyx"}
    unit = lengths.pop() if len(lengths) == 1 and others <= {None} else units
    return (scale if any(s != 1 for s in scale) else None), unit
