"""What the objects of a layer have in common, measured by the reference engine before a plan is made."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.requests.reading import find_kind, find_polarity
from napari_s1omni.core.sizes.folding import fold
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.denoising import is_grey_image, plane_noise
from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.engine.mere_noise import is_mere_noise
from napari_s1omni.engine.reference.measurement import detect_signal, is_colour_image, levels, measure_tile
from napari_s1omni.engine.reference.significance import stands_out
from napari_s1omni.engine.reference.stains import brown_share, find_counterstain, keep_stain, separate_stain
from napari_s1omni.operations.operation import Operation
from napari_s1omni.operations.pixel_size import object_size
from napari_s1omni.planning.consensus import Consensus
from napari_s1omni.planning.even_ground import EvenGround

_BRIGHT, _DARK = 0.5, 0.7
"""Place of the ground between the darkest (0) and the brightest (1) pixels: objects are bright below, dark above."""
_AGREED = 0.75
"""Share of the places that must have the same polarity."""
_BROWN = 0.3
"""Share of the stained pixels above which brown is taken out; at most 0.05 in hematoxylin and eosin."""
_UNEVEN = 0.5
"""Variation of the ground, in contrasts of the objects, from which it is evened: as bright as half an object."""
_LEAST_CONTRAST = 0.01
"""Contrast that is assumed at least, in model range."""
_CELLS = 6
"""Cells of a place along each edge, in which dark pixels are compared."""
_ALIKE = 0.25
"""Range of the dark pixels of the cells, as a share of all values, below which the ground counts as even."""
_SMOOTHING = 3.0
"""Sigma, in pixels, of the smoothing in which objects of about 20 px stand out."""
_TOLD = ("nuclei",)
"""Kinds whose polarity a model is told: it gained on nuclei, and took bright ground between coins for coins."""
_BROWN_WORDS = re.compile(r"\b(brown\w*|dab|positiv\w*|braun\w*|brun\w*|marron\w*|marro\w*|pard[oa]s?)\b|棕|褐|阳性")


def says_polarity(operation: Operation, engine: EngineDescription) -> bool:
    """Whether a measured polarity would be told: not if the request says one, or names other objects than nuclei."""
    return (
        operation.type == "segmentation"
        and engine.takes_polarity
        and find_polarity(operation.prompt) is None
        and find_kind(operation.prompt) in _TOLD
    )


def looks_in_hematoxylin(operation: Operation, engine: EngineDescription) -> bool:
    """Whether the objects of a request are those that hematoxylin stains: nuclei, if not called brown."""
    return (
        operation.type == "segmentation"
        and engine.takes_one_stain
        and find_kind(operation.prompt) == "nuclei"
        and not _BROWN_WORDS.search(fold(operation.prompt).text)
    )


def may_even_ground(operation: Operation, engine: EngineDescription, spec: LayerSpec) -> bool:
    """Whether uneven ground would be taken out of what an engine sees: of one channel, if objects may be bright."""
    return (
        operation.type == "segmentation"
        and engine.takes_even_ground
        and len(operation.channel_groups(spec)[0]) == 1
        and find_polarity(operation.prompt) != "dark"
    )


def as_asked(found: Consensus, operation: Operation, engine: EngineDescription, spec: LayerSpec) -> Consensus | None:
    """Return what of a measurement concerns a request and an engine; None if nothing does."""
    nuclei = looks_in_hematoxylin(operation, engine)
    polarity = found.polarity if says_polarity(operation, engine) and (nuclei or not found.section) else None
    counterstain = found.counterstain if nuclei else None
    even = None
    if found.unevenness is not None and may_even_ground(operation, engine, spec):
        size = object_size(operation.prompt, spec) or found.size
        if found.unevenness >= _UNEVEN and size is not None:
            even = EvenGround.for_objects(size)
    if polarity is None and counterstain is None and even is None:
        return None
    return dataclasses.replace(found, polarity=polarity, counterstain=counterstain, even_ground=even)


def measure_consensus(places: Sequence[NDArray[np.float32]], whole: bool) -> Consensus:
    """Measure what some places have in common.

    In a stained section, nuclei are the dark objects if hematoxylin, separated by its colour, is concentrated in the
    smaller part of the section. Eosin does not hide it, brown does.

    Parameters
    ----------
    places : sequence of float32 (3, h, w), model range
    whole : bool
        Whether the first is the whole layer.
    """
    # Coloured noise has the colours of any stain.
    places = [place for place in places if not is_mere_noise(place)]
    sections = [place for place in places if detect_signal(place, is_colour_image(place), None) == "stain"]
    section = 2 * len(sections) > len(places)
    brown = section and float(np.median([brown_share(place) for place in sections])) > _BROWN
    if brown:
        places = [keep_stain(place, "hematoxylin", "dab") for place in places]
    planes = [plane for place in places if (plane := _plane(place, section)) is not None]
    found = [_polarity(plane) for plane in planes]
    polarity = max(("bright", "dark"), key=found.count)
    agreeing = found.count(polarity)
    sure = agreeing > 0 and agreeing >= _AGREED * len(found)
    size = (
        measure_tile(max(places, key=lambda place: float(np.ptp(levels(place.mean(axis=0)))))).size if found else None
    )
    unevenness = None
    if sure and polarity == "bright" and all(is_grey_image(place) for place in places):
        unevenness = round(float(np.median([_unevenness(place) for place in places])), 2)
    return Consensus(
        polarity=polarity if sure else None,
        places=len(found),
        agreeing=agreeing if sure else 0,
        whole=whole,
        size=None if size is None else round(size, 1),
        section=section,
        counterstain="dab" if brown else None,
        unevenness=unevenness,
    )


def _plane(place: NDArray[np.float32], section: bool) -> NDArray[np.float32] | None:
    """Return the plane (H, W) in which objects are bright or dark; None if nothing stands out from noise."""
    if section:
        light = np.clip(place, 0, 1)
        plane = -separate_stain(light, "hematoxylin", find_counterstain(light, "hematoxylin", ""))
    else:
        plane = place.max(axis=0)
    noise = plane_noise(plane)
    return plane if any(stands_out(sign * plane, noise, _SMOOTHING) for sign in (1, -1)) else None


def _unevenness(place: NDArray[np.float32]) -> float:
    """Return how much the ground of bright objects varies across a place, in contrasts of the objects; 0 if little."""
    plane = place.max(axis=0)
    low, _, high = levels(plane)
    edges = [n // _CELLS * _CELLS for n in plane.shape]
    if min(edges) == 0:
        return 0.0
    cells = plane[: edges[0], : edges[1]].reshape(_CELLS, edges[0] // _CELLS, _CELLS, edges[1] // _CELLS)
    # Where even the dark pixels of all cells are alike, the slower measurement can say nothing else.
    if np.ptp(np.percentile(cells, 10, axis=(1, 3))) < _ALIKE * (high - low):
        return 0.0
    measured = measure_tile(place, "bright")
    return measured.slope / max(measured.contrast, _LEAST_CONTRAST)


def _polarity(plane: NDArray[np.float32]) -> str | None:
    """Return ``bright`` or ``dark``; None if the ground is neither among the dark nor among the bright pixels."""
    low, ground, high = levels(plane)
    share = (ground - low) / max(high - low, 1e-6)
    return "bright" if share < _BRIGHT else "dark" if share > _DARK else None
