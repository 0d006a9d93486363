"""Reads the few kinds of questions that can be answered by measuring."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from napari_s1omni.asking.view import PixelBox
from napari_s1omni.core.requests.reading import find_kind, find_polarity, read_request

Quantity = Literal["count", "size", "density", "place", "brightness"]

_QUANTITIES: dict[Quantity, str] = {
    "place": r"where|locat\w+|position|(?:largest|biggest|smallest|brightest|darkest) (?:one|cell|nucle\w+|object)|"
    r"wo |größte|kleinste|où|dónde|哪里|在哪",
    "density": r"how dense|densit\w+|per (?:area|mm2|mm²|um2|µm²|square)|dicht\w*|densité|densidad|密度",
    "size": r"how (?:large|big|long|wide)|sizes?|diameters?|areas?|wie groß|größe|fläche|durchmesser|taille|diamètre|"
    r"tamaño|diámetro|多大|大小|面积",
    "brightness": r"how bright|intensit\w+|brightness|wie hell|helligkeit|intensité|intensidad|亮度",
    "count": r"how many|count|number of|wie ?viele|anzahl|zähl\w*|combien|cuánt\w+|多少|几个|数量",
}
"""How each quantity is asked for; the first that fits is taken."""
_EXTREMES = {
    "largest": r"largest|biggest|größte\w*|plus grand\w*|más grande|最大",
    "smallest": r"smallest|kleinste\w*|plus petit\w*|más pequeñ\w*|最小",
    "brightest": r"brightest|hellste\w*|plus brillant\w*|más brillante|最亮",
    "darkest": r"darkest|dunkelste\w*|plus sombre|más oscur\w*|最暗",
}
_RANGES = re.compile(r"(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What is to be measured."""

    quantity: Quantity
    kind: str | None
    """Kind of objects, such as ``nuclei``; None: whatever stands out."""
    polarity: str | None
    """``bright`` or ``dark``; None: what is measured."""
    extreme: str | None
    """``largest``, ``smallest``, ``brightest`` or ``darkest`` of the objects, for their place."""
    boxes: tuple[PixelBox, ...]
    """Regions that the question names, as ``rows, columns`` in px; more than one are compared."""

    @property
    def noun(self) -> str:
        """The objects in words."""
        return " ".join(part for part in (self.polarity, self.kind or "objects") if part)


ALLOWED = (
    "how many objects there are, how large, how dense or how bright they are, where the largest, smallest, brightest "
    "or darkest one is, and the same of several regions, such as 'compare 0:512,0:512 and 512:1024,0:512'"
)
"""What can be asked, for messages."""


_FILLERS = frozenset(
    """a an all and are be by can compare could count do does find give have how i image in is it many me much of on one
    ones please picture see show tell than that the them there these they this those to we what where which with you
    your auf das dem den der des die ein eine es gibt haben ich im in ist man mir sind und vergleiche von wie zeige
    a avec combien dans de des du elles est et il ils la le les moi montre sont sur un une y
    al cuántas cuántos de del el en es hay la las lo los me muestra que son t-il un una y""".split()
)
"""Words that ask for nothing by themselves."""
_PARTICLES = ("这里", "图像", *"的有是在个吗中请里这那")
"""The same in languages without spaces, the longest first."""
_THINGS = re.compile(r"\b(objects?|things?|particles?|ones?|objekte?n?|objets?|objetos?)\b|物体|对象", re.IGNORECASE)
"""Objects of no kind."""


def read_measurement(text: str) -> Measurement | None:
    """Return what a question asks to measure; None if it asks for something else, or for something besides."""
    boxes = tuple(PixelBox(*(int(m[i]) for i in (1, 3, 2, 4))) for m in _RANGES.finditer(text))
    words = _RANGES.sub(" ", text)
    found: Quantity | None = next((q for q, p in _QUANTITIES.items() if re.search(p, words, re.IGNORECASE)), None)
    extreme = next((name for name, p in _EXTREMES.items() if re.search(p, words, re.IGNORECASE)), None)
    if found is None and extreme:
        found = "place"
    if found is None and len(boxes) > 1:
        found = "count"
    if found is None:
        return None
    # "The darkest one" and "how bright" say nothing of whether objects are darker or brighter than the ground.
    rest = re.sub("|".join((_QUANTITIES["brightness"], *_EXTREMES.values())), " ", words, flags=re.IGNORECASE)
    known = "|".join((*_QUANTITIES.values(), *_EXTREMES.values()))
    left = _THINGS.sub(" ", re.sub(known, " ", words, flags=re.IGNORECASE))
    for particle in _PARTICLES:
        left = left.replace(particle, " ")
    # A condition that is not understood must not be dropped.
    unknown = {word.lower() for word in read_request(left).unknown} | set(re.findall(r"\d+", left))
    if unknown - _FILLERS:
        return None
    if find_kind(rest) is None and not _THINGS.search(words) and not extreme and not boxes:
        return None
    if found == "place":
        extreme = extreme or "largest"
    return Measurement(found, find_kind(rest), find_polarity(rest), extreme if found == "place" else None, boxes)
