"""Lay a mask over a layer that it does not match pixel by pixel: another resolution, or a part with a known place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.sizes.lengths import METRES
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import PlanError
from napari_s1omni.storage.source import Source


@dataclass(frozen=True, slots=True, eq=False)
class PlacedMask:
    """A mask that is read in the pixels of a layer: each takes the mask pixel that holds its centre."""

    source: Source
    """The mask as it is stored."""
    spec: LayerSpec
    """Its axes, with the sizes of the layer."""
    indices: Mapping[str, NDArray[np.int64]]
    """By axis, the mask pixel of each pixel of the layer; -1 beside the mask, where it counts as 0."""
    note: str = ""
    """How it was placed, in one sentence; empty where it has the axes and the size of the layer."""

    @property
    def magnification(self) -> float:
        """Mask pixels per pixel of the layer, along the axis where they are most."""
        spans = (int(found.max() - found[found >= 0].min()) + 1 for found in self.indices.values())
        return max(n / len(found) for n, found in zip(spans, self.indices.values(), strict=True))

    def read(self, box: Sequence[slice]) -> NDArray[np.generic]:
        """Read a box in pixels of the layer, along the axes of `spec`."""
        chosen = [self.indices[a][part] for a, part in zip(self.spec.axes, box, strict=True)]
        if any((found < 0).all() for found in chosen):
            return np.zeros([len(found) for found in chosen], self.spec.np_dtype)
        lows = [int(found[found >= 0].min()) for found in chosen]
        read = self.source.read([slice(low, int(found.max()) + 1) for low, found in zip(lows, chosen, strict=True)])
        out = read[np.ix_(*(np.maximum(found - low, 0) for low, found in zip(lows, chosen, strict=True)))]
        for d, found in enumerate(chosen):
            out[(slice(None),) * d + (found < 0,)] = 0
        return out


def place_mask(source: Source, spec: LayerSpec) -> PlacedMask:
    """Lay a mask over a layer.

    Parameters
    ----------
    source : Source
        The mask, with at most one channel.
    spec : LayerSpec
        The layer, at the level on which a job works.

    Returns
    -------
    PlacedMask
        Pixel on pixel if the sizes agree; else by full resolution if the mask has that size; else by its position
        and pixel size in the world.

    Raises
    ------
    PlanError
        If it has another size and states no position on the layer.
    """
    mask, frame = source.spec, spec.pixel_frame
    axes = [a for a in "tzyx" if a in mask]
    sizes = {a: spec.size(a) for a in axes}
    shaped = mask.replace(shape=tuple(sizes.get(a, 1) for a in mask.axes))
    if mask.size("c") == 1:
        pixels = {a: np.arange(n) for a, n in sizes.items()}
        if all(mask.size(a) == n for a, n in sizes.items()):
            return PlacedMask(source, shaped, _with_channel(pixels, mask), _planes_note(mask, spec))
        if all(mask.size(a) == frame.size(a) for a in axes):
            full = {a: frame.full_indices(a, 0, n) for a, n in sizes.items()}
            note = "the mask has the size of full resolution; each pixel of the level takes the value at its centre"
            return PlacedMask(source, shaped, _with_channel(full, mask), note + _planes_note(mask, spec, "; "))
        placed = _by_position(mask, spec, sizes) if source.placed else None
        if placed is not None:
            note = "the mask is placed by its position and pixel size in the world; beside it nothing is computed"
            return PlacedMask(source, shaped, _with_channel(placed, mask), note + _planes_note(mask, spec, "; "))
    whole = f", or of full resolution, {tuple(frame.size(a) for a in axes)} px along {''.join(axes)}"
    raise PlanError(
        f"mask {mask.source} has axes {''.join(mask.axes)} and shape {mask.shape}, while the image has "
        f"{''.join(spec.axes)} and {spec.shape}",
        f"a mask has one channel and the image's own size along each of its axes{whole if spec.frame else ''}; "
        "one of another size states its pixel size and a position on the image",
        "resample the mask to the image",
    )


def _planes_note(mask: LayerSpec, spec: LayerSpec, before: str = "") -> str:
    """Say that a mask without planes or time points applies to all of them."""
    names = {"t": "time points", "z": "planes"}
    missing = [names[a] for a in "tz" if a not in mask and spec.size(a) > 1]
    return f"{before}the mask applies to all {' and '.join(missing)}, because it has none of its own" if missing else ""


def _with_channel(indices: Mapping[str, NDArray[np.int64]], mask: LayerSpec) -> dict[str, NDArray[np.int64]]:
    return {**indices, **({"c": np.zeros(1, np.int64)} if "c" in mask else {})}


def _by_position(mask: LayerSpec, spec: LayerSpec, sizes: Mapping[str, int]) -> dict[str, NDArray[np.int64]] | None:
    """Find the mask pixels by world coordinates; None if they lie beside the layer, or units do not compare."""
    found: dict[str, NDArray[np.int64]] = {}
    for a, size in sizes.items():
        ours, theirs = spec.unit_of(a), mask.unit_of(a)
        if ours != theirs and not (ours in METRES and theirs in METRES):
            return None
        factor = METRES[str(ours)] / METRES[str(theirs)] if ours != theirs else 1.0
        world = (_origin(spec, a) + spec.scale_of(a) * np.arange(size)) * factor
        at = (world - _origin(mask, a)) / mask.scale_of(a) + 0.5
        # A centre on the border of two mask pixels belongs to the first, whatever rounding errors say.
        index = np.ceil(np.round(at, 4)).astype(np.int64) - 1
        found[a] = np.where((index >= 0) & (index < mask.size(a)), index, -1)
        if (found[a] < 0).all():
            return None
    return found


def _origin(spec: LayerSpec, axis: str) -> float:
    return spec.translate[spec.axes.index(axis)] if axis in spec else 0.0
