"""What the objects of a layer have in common, measured by the reference engine before a plan is made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.requests.reading import find_kind, find_polarity
from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.engine.reference.measurement import levels, measure_tile
from napari_s1omni.engine.reference.stains import find_counterstain, separate_stain
from napari_s1omni.operations.operation import Operation
from napari_s1omni.planning.consensus import Consensus

_BRIGHT, _DARK = 0.5, 0.7
"""Place of the ground between the darkest (0) and the brightest (1) pixels: objects are bright below, dark above."""
_AGREED = 0.75
"""Share of the places that must have the same polarity."""
_NOT_BLOBS = ("fibres", "mitochondria")
"""Kinds that are no islands on a ground: the median of the layer says nothing of them."""


def takes_consensus(operation: Operation, engine: EngineDescription) -> bool:
    """Whether a measured polarity would be told to an engine: not if the request says one, or names no blobs."""
    return (
        engine.takes_polarity
        and operation.type == "segmentation"
        and find_polarity(operation.prompt) is None
        and find_kind(operation.prompt) not in _NOT_BLOBS
    )


def measure_consensus(places: list[NDArray[np.float32]], whole: bool) -> Consensus:
    """Measure what some places have in common.

    In a stained section, nuclei are the dark objects if hematoxylin, separated by its colour, is concentrated in the
    smaller part of the section.

    Parameters
    ----------
    places : list of float32 (3, h, w), model range
    whole : bool
        Whether the first is the whole layer.
    """
    found: list[str | None] = []
    sizes: list[float] = []
    for place in places:
        measured = measure_tile(place)
        if measured.size is None:
            continue
        sizes.append(measured.size)
        found.append(_polarity(place, measured.signal == "stain"))
    if not found:
        return Consensus()
    polarity = max(("bright", "dark"), key=found.count)
    agreeing = found.count(polarity)
    sure = agreeing >= _AGREED * len(found)
    return Consensus(
        polarity if sure else None, len(found), agreeing if sure else 0, whole, round(float(np.median(sizes)), 1)
    )


def _polarity(place: NDArray[np.float32], stained: bool) -> str | None:
    """Return ``bright`` or ``dark``; None if the ground is neither among the dark nor among the bright pixels."""
    if stained:
        light = np.clip(place, 0, 1)
        plane = -separate_stain(light, "hematoxylin", find_counterstain(light, "hematoxylin", ""))
    else:
        plane = place.max(axis=0)
    low, ground, high = levels(plane)
    share = (ground - low) / max(high - low, 1e-6)
    return "bright" if share < _BRIGHT else "dark" if share > _DARK else None
