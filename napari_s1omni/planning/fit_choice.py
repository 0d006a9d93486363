"""Choosing how a layer is shown to a model that was trained at one size."""

from __future__ import annotations

import math

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tile_fit import TileFit
from napari_s1omni.engine.description import EngineDescription, NativeSize
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.errors import PlanError
from napari_s1omni.planning.job import Job

_LARGEST = 8192
"""Longest edge of a layer, in px, that is shown to an engine as a whole."""


def native_share(engine: EngineDescription, zoom: tuple[int, int]) -> tuple[int, int]:
    """Return the default tile size and overlap in source px: those that are drawn at an engine's native size."""
    if engine.native is None:
        return engine.tile_size, engine.overlap
    return max(1, engine.native.edge // max(zoom)), engine.overlap // max(zoom)


def choose_fit(
    job: Job, source: LayerSpec, engine: EngineDescription, tile_size: int, notes: list[str]
) -> TileFit | None:
    """Return how the layer is resampled to the size that the engine was trained at; None if its tiles keep their scale.

    Parameters
    ----------
    job : Job
    source : LayerSpec
    engine : EngineDescription
    tile_size : int
        Edge of a tile in source px, if it is not resampled.
    notes : list of str
        What was chosen is added as a sentence.

    Raises
    ------
    PlanError
        If the layer is too large to be stretched, or the engine cannot draw the size that it was trained at.
    """
    asked, native = job.tiling.fit, engine.native
    layer = (source.size("y"), source.size("x"))
    if asked == "tiles":
        return None
    if native is None or engine.margin:
        if asked != "auto":
            notes.append(f"Engine '{engine.name}' draws any size alike, so that fit={asked} changes nothing.")
        return None
    if asked == "stretch":
        return _stretched(layer, native, engine, job.operation.zoom(), notes)
    small = max(layer) <= tile_size
    if asked == "auto" and not (small and native.smaller == "resized" and job.tiling.tile_size is None):
        return None
    if not small:
        notes.append(
            f"The layer of {layer[0]} x {layer[1]} px is larger than a tile of {tile_size} px, so it is drawn in tiles "
            "at its own scale and not resized."
        )
        return None
    return _resized(layer, native, engine, job.operation.zoom(), notes)


def fitted(words: Instruction, fit: TileFit) -> Instruction:
    """Return an instruction about the image that the engine sees: sizes count its pixels."""
    scale = fit.size_scale
    return words.replace(tile=fit.seen, scale=scale, pixel=None if words.pixel is None else words.pixel / scale)


def _stretched(
    layer: tuple[int, int], native: NativeSize, engine: EngineDescription, zoom: tuple[int, int], notes: list[str]
) -> TileFit:
    if max(layer) > _LARGEST:
        raise PlanError(
            f"fit 'stretch' of a layer of {layer[0]} x {layer[1]} px",
            f"a layer of at most {_LARGEST} px each way, since it is drawn as a whole",
            "leave the fit out, or use fit=tiles",
        )
    fit = TileFit(layer, _seen((native.edge, native.edge), engine, zoom), zoom, keeps_aspect=False)
    lost = "" if math.isclose(*fit.scale) else f"; one axis is resampled {_ratio(fit)} times as much as the other"
    notes.append(
        f"Each plane of {layer[0]} x {layer[1]} px is stretched to {fit.drawn[0]} x {fit.drawn[1]} px, drawn, and "
        f"brought back (fit=stretch){lost}."
    )
    return fit


def _resized(
    layer: tuple[int, int], native: NativeSize, engine: EngineDescription, zoom: tuple[int, int], notes: list[str]
) -> TileFit | None:
    target = [size * f for size, f in zip(layer, zoom, strict=True)]
    if not native.keeps_aspect:
        drawn = (native.edge, native.edge)
    else:
        limits = engine.limits
        scale = min(native.edge / math.sqrt(math.prod(target)), limits.max_size / max(target))
        height, width = (min(limits.max_size, max(limits.min_size, math.floor(scale * n + 1e-6))) for n in target)
        drawn = (height, width)
    fit = TileFit(layer, _seen(drawn, engine, zoom), zoom)
    if fit.seen == layer:
        return None
    beyond = [1 - min(1.0, fit.scale[0] * n / s) for n, s in zip(layer, fit.seen, strict=True)]
    reflected = max(beyond)
    rest = f"; {reflected:.0%} of that is reflected at the layer's edge" if reflected >= 0.005 else ""
    notes.append(
        f"Each plane of {layer[0]} x {layer[1]} px is resampled by {fit.scale[0]:.3g} and drawn at "
        f"{fit.drawn[0]} x {fit.drawn[1]} px, the size that the engine was trained at, then brought back "
        f"(fit=resize){rest}. To draw it at its own scale, use fit=tiles."
    )
    return fit


def _seen(drawn: tuple[int, int], engine: EngineDescription, zoom: tuple[int, int]) -> tuple[int, int]:
    """Return the size to see that is drawn at about this size, in multiples that the engine draws.

    Raises
    ------
    PlanError
        If the engine cannot draw it.
    """
    limits = engine.limits
    sizes = []
    for size, f in zip(drawn, zoom, strict=True):
        quantum = math.lcm(limits.multiple_of, f)
        fitting = max(1, round(size / quantum)) * quantum
        fitting += -(-max(0, limits.min_size - fitting) // quantum) * quantum
        if fitting > limits.max_size:
            fitting = limits.max_size // quantum * quantum
        if not limits.min_size <= fitting <= limits.max_size or abs(fitting - size) > quantum:
            raise PlanError(
                f"{drawn[0]} x {drawn[1]} px to draw with engine '{engine.name}'",
                f"it draws multiples of {quantum} px from {limits.min_size} to {limits.max_size} px",
                "use fit=tiles",
            )
        sizes.append(fitting // f)
    return sizes[0], sizes[1]


def _ratio(fit: TileFit) -> str:
    return f"{max(fit.scale) / min(fit.scale):.3g}"
