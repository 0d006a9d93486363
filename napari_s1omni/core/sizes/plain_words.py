"""A request in plain words: with the object size as ``about 20 px``, and without its other lengths.

A small model reads only what its training showed it: it takes 5 px for the size of objects if the request says
``ignore debris smaller than 5 px``.
"""

from __future__ import annotations

import re

from napari_s1omni.core.sizes import phrases
from napari_s1omni.core.sizes.folding import FoldedText, fold
from napari_s1omni.core.sizes.meaning import END_OF_CLAUSE, without_fillers
from napari_s1omni.core.sizes.object_size import object_size_in_words
from napari_s1omni.core.sizes.other_measures import MEASURES
from napari_s1omni.core.sizes.quantities import Quantity, find_quantities

_LINK = re.compile(
    r"(?<![a-z])(?:in|at|with|from|between|to|and|having|smaller|larger|bigger|greater|less|more|diameters?|sizes?|"
    r"radius|radii|areas?|im|zwischen|kleiner|grosser|durchmesser|entre|avec|diametre|con|diametro|com|em|en)\s*$"
)
_TAIL = re.compile(r"[\s\-)]*(?:wide|across|large|big|in (?:diameter|radius|size|area)|diameter|radius|size)*[\s\-)]*")


def in_plain_words(request: str, pixel: float | None, scale: float = 1.0) -> str:
    """Return the request with its object size as ``about 20 px`` at the end, and no other length.

    Parameters
    ----------
    request, pixel
        As :func:`napari_s1omni.core.sizes.object_size.object_size_in_words` takes them.
    scale : float
        Pixels of the image that is described per pixel of the request.

    Examples
    --------
    >>> in_plain_words("segment the nuclei between 8 and 12 um, ignore debris smaller than 5 px", 0.5)
    'segment the nuclei, about 20 px'
    """
    text = fold(request)
    quantities = [q for q in find_quantities(text, (",",)) if q.unit]
    size = object_size_in_words(request, pixel).pixels
    kept = []
    for start, stop in _clauses(text.text, quantities):
        inside = [q for q in quantities if start <= q.start < stop]
        if not inside:
            kept.append((start, stop))
        elif not phrases.IGNORE.search(text.text, start, inside[0].start):
            kept.append(_around(text.text, start, stop, inside))
    words = [text.written(*span).strip() for span in kept]
    plain = ", ".join(word for word in words if re.search(r"\w", word)) or _between(text, quantities) or request
    if size is None:
        return plain
    size *= scale
    return f"{plain}, about {size:{'.0f' if size >= 100 else '.3g'}} px"


def _between(text: FoldedText, quantities: list[Quantity]) -> str:
    """Return the words of a request between its lengths, without the signs that compared them."""
    starts = [0, *(q.stop for q in quantities)]
    stops = [*(q.start for q in quantities), len(text.text)]
    parts = (re.sub(r"[<>≤≥=]", " ", text.written(*span)) for span in zip(starts, stops, strict=True))
    return " ".join(" ".join(parts).split())


def _clauses(text: str, quantities: list[Quantity]) -> list[tuple[int, int]]:
    """Return start and stop of each clause; signs inside a quantity end none."""
    ends = [m for m in END_OF_CLAUSE.finditer(text) if not any(q.start <= m.start() < q.stop for q in quantities)]
    starts = [0, *(m.end() for m in ends)]
    return list(zip(starts, [*(m.start() for m in ends), len(text)], strict=True))


def _around(text: str, start: int, stop: int, inside: list[Quantity]) -> tuple[int, int]:
    """Return the part of a clause before its first length; if that says nothing, the part after it."""
    first = inside[0]
    head = text[start : first.start]
    named = [m.start() for measure in MEASURES if (m := measure.anywhere.search(head))]
    head = _without_links(head[: min(named, default=None)])
    if re.search(r"\w", head):
        return start, start + len(head)
    if any(measure.after.match(text, first.stop) for measure in MEASURES):
        return start, start
    tail = _TAIL.match(text, first.stop)
    begin = tail.end() if tail else first.stop
    return begin, begin + len(_without_links(text[begin : min([q.start for q in inside[1:]] + [stop])]))


def _without_links(text: str) -> str:
    """Return the beginning of a clause without the words at its end that only lead to a length."""
    while True:
        shorter = without_fillers(_LINK.sub("", text.rstrip(" -")))
        for measure in MEASURES:
            shorter = measure.before.sub("", shorter.rstrip())
        if shorter == text:
            return text
        text = shorter
