"""Instructions: the value that tells an engine what to do with a tile, and its text form."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Any, Self

UM = {
    "nanometer": 1e-3,
    "nm": 1e-3,
    "micrometer": 1.0,
    "micron": 1.0,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "millimeter": 1e3,
    "mm": 1e3,
    "centimeter": 1e4,
    "meter": 1e6,
}
"""Micrometres per unit, for the unit names of NGFF and the abbreviations that people type."""

_NUMBER = r"(\d+(?:[.,]\d+)?)"
_UNIT = r"(px|pixels?|nm|nanomet(?:er|re)s?|µm|μm|um|microns?|micromet(?:er|re)s?|mm|millimet(?:er|re)s?)"
_SIZE = re.compile(rf"{_NUMBER}\s*(?:(?:-|\u2013|to)\s*{_NUMBER}\s*)?{_UNIT}(?![a-z0-9²^])", re.I)
_LINE = re.compile(r"^(Task|Tile|View|Pixel|Factor|Source|Target|Mark): (.*)$")


@dataclass(frozen=True, slots=True)
class Instruction:
    """What to do with a tile: the task, facts about its pixels, and the user's own words.

    The value and its :attr:`text` always say the same, so ``Instruction.read(i.text) == i`` for every instruction.
    """

    task: str
    """Operation type, such as ``segmentation``; empty for a question in free words."""
    request: str
    """The user's prompt, unchanged."""
    tile: tuple[int, int] = (0, 0)
    """Height and width of a tile in source pixels."""
    view: float = 1.0
    """Tile pixels per pixel of the image shown: above 1 if the image is a reduced overview of the layer."""
    pixel: float | None = None
    """Edge of a tile pixel in um, rounded to four significant digits; None if unknown."""
    factor: tuple[int, int] = (1, 1)
    """Target pixels per source pixel (y, x)."""
    source: str | None = None
    """Modality of the source, if known (translation)."""
    target: str | None = None
    """Modality to draw (translation)."""
    mark: str | None = None
    """How to mark objects, for engines that draw a mask as an overlay."""

    def __post_init__(self) -> None:
        rounded = {
            "pixel": None if self.pixel is None else float(f"{self.pixel:.4g}"),
            "source": (self.source or "").strip() or None,
            "target": (self.target or "").strip() or None,
        }
        for name, value in rounded.items():
            object.__setattr__(self, name, value)

    @property
    def text(self) -> str:
        """The instruction in words: one fact per line, the request last."""
        if not self.task:
            return self.request
        lines = [f"Task: {self.task}", f"Tile: {self.tile[0]} x {self.tile[1]} px"]
        if self.view != 1:
            lines.append(f"View: 1 px is {self.view:g} tile px")
        if self.pixel is not None:
            lines.append(f"Pixel: {self.pixel:.4g} um")
        if self.factor != (1, 1):
            lines.append(f"Factor: {self.factor[0]} x {self.factor[1]}")
        lines += [f"{key}: {value}" for key, value in (("Source", self.source), ("Target", self.target)) if value]
        if self.mark:
            lines.append(f"Mark: {self.mark}")
        lines.append(f"Request: {self.request}")
        return "\n".join(lines)

    @classmethod
    def read(cls, text: str) -> Instruction:
        """Return the instruction of a stored text, the inverse of :attr:`text`.

        Text without a line ``Task:`` is a question in free words.
        """
        head, found, request = text.partition("Request: ")
        facts = {m[1]: m[2] for line in head.splitlines() if (m := _LINE.match(line.strip()))}
        if not found or "Task" not in facts:
            return cls("", text)
        pixel = numbers(facts.get("Pixel", ""))
        return cls(
            task=facts["Task"].strip(),
            request=request,
            tile=_pair(facts.get("Tile", ""), (0, 0)),
            view=(numbers(facts.get("View", "")) or [1.0])[-1],
            pixel=pixel[0] if pixel else None,
            factor=_pair(facts.get("Factor", ""), (1, 1)),
            source=facts.get("Source"),
            target=facts.get("Target"),
            mark=facts.get("Mark"),
        )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    @property
    def size(self) -> float | None:
        """Object diameter that the request states, in tile pixels, or None."""
        return size_hint(self.request, self.pixel)


def size_hint(request: str, pixel: float | None) -> float | None:
    """Return the object diameter that `request` states, in pixels, or None.

    Reads ``about 20 px``, ``8-12 um``, ``10 microns``; of a range it takes the middle.

    Parameters
    ----------
    request : str
    pixel : float or None
        Edge of a pixel in um; if None, lengths in um are ignored.
    """
    for first, second, unit in _SIZE.findall(request):
        values = [float(v.replace(",", ".")) for v in (first, second) if v]
        length = sum(values) / len(values)
        name = re.sub(r"met(er|re)s?$", "meter", unit.lower())
        name = name.removesuffix("s") if name.startswith("micron") else name
        if name.startswith(("px", "pixel")):
            size = length
        elif pixel is not None:
            size = length * UM[name] / pixel
        else:
            continue
        if math.isfinite(size) and size > 0:
            return size
    return None


def numbers(text: str) -> list[float]:
    """Return the decimal numbers in `text`, in order."""
    return [float(v) for v in re.findall(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", text)]


def _pair(text: str, default: tuple[int, int]) -> tuple[int, int]:
    values = numbers(text)
    return (int(values[0]), int(values[1])) if len(values) == 2 else default
