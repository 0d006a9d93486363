"""Whether a closer look can help: decided before a model is asked, from the layer and the words of the question."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_s1omni.asking.gain import visual_gain
from napari_s1omni.asking.view import Picture, PixelBox
from napari_s1omni.asking.viewer import ViewBudget, Viewer

Mode = Literal["reason", "look"]

_SAMPLES, _SAMPLE = 4, 256
"""Places along each axis, and their edge in px, at which a picture is compared with all pixels."""
_LOST = 0.25
"""Share of these places from which a closer look counts as helpful."""
_MEASURING = re.compile(
    r"\b(how (?:many|much|large|big|long|wide|dense|often)|count|number of|measure\w*|area|size|diameter|density|"
    r"distance|intensit\w+|ratio|percent\w*|largest|smallest|brightest|darkest|compare|difference|where|locat\w+|"
    r"position|which (?:cell|nucle|object|region)\w*|read|text|scale ?bar|wie ?viele|zähl\w*|größ\w+|wo|"
    r"combien|comptez|taille|où|cuánt\w+|cuent\w+|tamaño|dónde)\b"
    r"|多少|几个|计数|面积|大小|哪里|在哪|最大|いくつ|数え|面積|大きさ|どこ|最大",
    re.IGNORECASE,
)
"""Words of questions that are answered by counting, measuring, comparing or finding a place."""


@dataclass(frozen=True, slots=True)
class Route:
    """Which mode was chosen, and why."""

    mode: Mode
    reasons: tuple[str, ...]
    """One sentence each."""


def choose_route(text: str, viewer: Viewer, shown: Picture, wanted: str = "auto") -> Route:
    """Choose whether to answer from the first picture or to look closer.

    Parameters
    ----------
    text : str
        The question.
    viewer : Viewer
        Its layer; what is sampled here does not count as seen.
    shown : Picture
        The first picture.
    wanted : {'auto', 'reason', 'look'}
        What the user chose.
    """
    if wanted == "reason":
        return Route("reason", ("you chose to answer from the first picture",))
    if wanted == "look":
        return Route("look", ("you chose to look closer",))
    reasons = []
    if word := _MEASURING.search(text):
        reasons.append(f"the question asks to count, measure, compare or find ('{word.group()}')")
    reasons += _hidden(viewer, shown)
    if not reasons:
        return Route("reason", ("the first picture shows every pixel of the layer, and nothing is to be measured",))
    lost = lost_detail(viewer, shown)
    if lost is not None and lost < _LOST and len(reasons) == 1 and reasons[0].startswith("one pixel"):
        return Route("reason", (f"a closer look would show something new in only {lost:.0%} of 16 places",))
    if lost is not None and lost >= _LOST:
        reasons.append(f"a closer look shows something new in {lost:.0%} of 16 places")
    return Route("look", tuple(reasons))


def lost_detail(viewer: Viewer, shown: Picture) -> float | None:
    """Return in which share of 16 places all pixels show something that a picture does not; None if it shows all."""
    box, step = shown.record.box, shown.record.step
    if max(step) <= 1:
        return None
    sampler = Viewer(viewer.source, ViewBudget(views=_SAMPLES**2), viewer.box)
    record = shown.record
    found = []
    for y0, y1 in _spread(box.y0, box.y1):
        for x0, x1 in _spread(box.x0, box.x1):
            near = sampler.view(PixelBox(y0, x0, y1, x1), level=0, z=record.z, t=record.t, channels=record.channels)
            found.append(visual_gain(near, [shown]).counts)
    return float(np.mean(found))


def _hidden(viewer: Viewer, shown: Picture) -> list[str]:
    """Say what of the layer the picture does not show."""
    spec, record = viewer.source.spec, shown.record
    reasons = []
    if max(record.step) > 1:
        reasons.append(f"one pixel of the first picture is {max(record.step):.3g} px of the layer")
    if spec.np_dtype.itemsize > 1 and not spec.rgb:
        reasons.append(f"its {spec.dtype} values were reduced to 8 bit")
    for axis, what in (("z", "planes"), ("t", "time points")):
        if spec.size(axis) > 1:
            reasons.append(f"one of {spec.size(axis)} {what} is shown")
    if not spec.rgb and len(record.channels) < spec.size("c"):
        reasons.append(f"{len(record.channels)} of {spec.size('c')} channels are shown")
    return reasons


def _spread(start: int, stop: int) -> list[tuple[int, int]]:
    """Return the places along an axis."""
    edge = min(_SAMPLE, stop - start)
    starts = np.linspace(start, stop - edge, _SAMPLES).round().astype(int)
    return [(int(first), int(first) + edge) for first in starts]
