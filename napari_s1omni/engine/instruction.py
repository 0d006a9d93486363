"""Instructions: the value that tells an engine what to do with a tile, and its text form."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass, field
from typing import Any, Self

from napari_s1omni.core.requests.reading import find_polarity, in_english, with_polarity
from napari_s1omni.core.sizes.lengths import UM, length_unit
from napari_s1omni.core.sizes.object_size import object_size_in_words
from napari_s1omni.core.sizes.plain_words import in_plain_words

_FIRST_LENGTH = re.compile(
    r"(\d+(?:[.,]\d+)?)\s*(?:(?:-|\u2013|to)\s*(\d+(?:[.,]\d+)?)\s*)?"
    r"(px|pixels?|nm|nanomet(?:er|re)s?|µm|μm|um|microns?|micromet(?:er|re)s?|mm|millimet(?:er|re)s?)(?![a-z0-9²^])",
    re.I,
)
_LINE = re.compile(r"^(Task|Tile|View|Pixel|Scale|Factor|Source|Target|Mark|Size|Polarity): (.*)$")


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
    scale: float = 1.0
    """Tile pixels per pixel of the source, if the layer is resampled to the size that the engine was trained at."""
    factor: tuple[int, int] = (1, 1)
    """Target pixels per source pixel (y, x)."""
    source: str | None = None
    """Modality of the source, if known (translation)."""
    target: str | None = None
    """Modality to draw (translation)."""
    mark: str | None = None
    """How to mark objects, for engines that draw a mask as an overlay."""
    polarity: str | None = None
    """``bright`` or ``dark``, as measured on the layer; None if that is not known, or if the request says it itself."""
    object_size: float | None = field(init=False, default=None)
    """Object diameter that the request states, in tile pixels; None if it states none, and for other tasks than
    segmentation. Engines use it, and do not look for sizes in the request themselves."""

    def __post_init__(self) -> None:
        rounded: dict[str, Any] = {
            "pixel": None if self.pixel is None else float(f"{self.pixel:.4g}"),
            "scale": float(f"{self.scale:.4g}"),
            "source": (self.source or "").strip() or None,
            "target": (self.target or "").strip() or None,
        }
        if self.task == "segmentation":
            size = object_size_in_words(self.request, _times(rounded["pixel"], rounded["scale"])).pixels
            rounded["object_size"] = _times(size, rounded["scale"])
        if self.task != "segmentation" or find_polarity(self.request) is not None:
            rounded["polarity"] = None
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
        if self.scale != 1:
            lines.append(f"Scale: 1 px of the source is {self.scale:.4g} tile px")
        if self.factor != (1, 1):
            lines.append(f"Factor: {self.factor[0]} x {self.factor[1]}")
        lines += [f"{key}: {value}" for key, value in (("Source", self.source), ("Target", self.target)) if value]
        if self.mark:
            lines.append(f"Mark: {self.mark}")
        if self.task == "segmentation" and not self._size_is_plain():
            lines.append(f"Size: {'not stated' if self.object_size is None else f'{self.object_size:.4g} px'}")
        if self.polarity:
            lines.append(f"Polarity: {self.polarity}")
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
            scale=(numbers(facts.get("Scale", "")) or [1.0])[-1],
            factor=_pair(facts.get("Factor", ""), (1, 1)),
            source=facts.get("Source"),
            target=facts.get("Target"),
            mark=facts.get("Mark"),
            polarity=facts.get("Polarity"),
        )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    @property
    def plain(self) -> Self:
        """The instruction for a model that reads English, sizes only as ``about 20 px``, and brightness in the request.

        It is the same if it is so.
        """
        if self.task != "segmentation":
            return self
        request = self.request
        english = in_english(request)
        if english is not None:
            request = english + ("" if self.object_size is None else f", about {self.object_size:.4g} px")
        elif not self._size_is_plain():
            request = in_plain_words(request, _times(self.pixel, self.scale), self.scale)
        if self.polarity:
            request = with_polarity(request, self.polarity)
        return self if request == self.request else self.replace(request=request)

    def _size_is_plain(self) -> bool:
        """Whether the first length in the request is the object size, so that a model reads it there by itself.

        Stored instructions have no line for a plain size, and models were trained without it.
        """
        size = self.object_size
        if self.scale != 1 and size is not None:
            return False
        first = _first_length(self.request, self.pixel)
        return first is None if size is None else first is not None and math.isclose(first, size, rel_tol=1e-9)


def _times(value: float | None, scale: float) -> float | None:
    """Return a value times a scale; itself for a scale of 1, so that no bit changes."""
    return value if value is None or scale == 1 else value * scale


def _first_length(request: str, pixel: float | None) -> float | None:
    """Return the first length of a request in pixels, whatever it measures; the middle of ``8-12 um``."""
    for first, second, unit in _FIRST_LENGTH.findall(request):
        values = [float(v.replace(",", ".")) for v in (first, second) if v]
        size = sum(values) / len(values)
        name = length_unit(unit)
        if name is not None:
            if pixel is None:
                continue
            size = size * UM[name] / pixel
        if math.isfinite(size) and size > 0:
            return size
    return None


def numbers(text: str) -> list[float]:
    """Return the decimal numbers in `text`, in order."""
    return [float(v) for v in re.findall(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", text)]


def _pair(text: str, default: tuple[int, int]) -> tuple[int, int]:
    values = numbers(text)
    return (int(values[0]), int(values[1])) if len(values) == 2 else default
