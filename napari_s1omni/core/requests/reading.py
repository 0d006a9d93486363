"""What a request for segmentation asks for: kind of object, brightness, and the words that say nothing known."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from napari_s1omni.core.requests import words
from napari_s1omni.core.requests.words import LANGUAGES, pattern
from napari_s1omni.core.sizes.folding import FoldedText, fold
from napari_s1omni.core.sizes.lengths import LENGTH_NAMES, PIXEL_NAMES
from napari_s1omni.core.sizes.meaning import END_OF_CLAUSE
from napari_s1omni.core.sizes.phrases import IGNORE
from napari_s1omni.core.sizes.quantities import find_quantities

_BUT = re.compile(r"(?<![a-z])(?:but|aber|sondern|mais|pero|sino|mas)(?![a-z])|但")
_AND = re.compile(r"\s*(?:,|and|or|und|oder|et|ou|y|e|&|\+|和|与)\s*(?:(?:the|all|die|les|las|los|os|as)\s+)?")
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_LEAST = 2
"""Letters of a Latin word that is worth a remark."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as far as it can be read."""

    kind: str | None
    """Kind of object that is named first, a key of :data:`napari_s1omni.core.requests.words.KINDS`."""
    polarity: str | None
    """``bright`` or ``dark``, or None."""
    other_kinds: tuple[str, ...] = ()
    """Further kinds that are asked for beside the first, as written."""
    left_out: tuple[str, ...] = ()
    """What is not wanted, as written."""
    unknown: tuple[str, ...] = ()
    """Words that no list knows, as written."""
    wants: bool = True
    """Whether it asks for something: a kind, a brightness, a size, or at least with a verb such as "segment"."""


def find_kind(request: str, languages: Sequence[str] = LANGUAGES) -> str | None:
    """Return the kind of object that a request names first; "cell nuclei" are nuclei."""
    found = _kinds(fold(request).text, tuple(languages))
    return found[0][2] if found else None


def find_polarity(request: str, languages: Sequence[str] = LANGUAGES) -> str | None:
    """Return ``bright`` or ``dark`` if a request says so, else None."""
    text = fold(request).text
    dark, bright = (pattern(one, tuple(languages)).search(text) for one in (words.DARK, words.BRIGHT))
    if dark and bright:
        # "dark nuclei on a bright ground": the word that comes first describes the objects.
        return "dark" if dark.start() < bright.start() else "bright"
    return "dark" if dark else "bright" if bright else None


@lru_cache(maxsize=256)
def read_request(request: str, languages: tuple[str, ...] = LANGUAGES, known: tuple[str, ...] = ()) -> Request:
    """Read a request for segmentation.

    Parameters
    ----------
    request : str
    languages : tuple of str
        Languages in which words are understood; words that add nothing are known in all of them.
    known : tuple of str
        Further words that are understood, such as ``small``.

    Examples
    --------
    >>> read_request("find the dark round nuclei, about 12 px")
    Request(kind='nuclei', polarity='dark', other_kinds=(), left_out=(), unknown=('round',), wants=True)
    >>> read_request("do not segment anything").wants
    False
    """
    text = fold(request)
    wanted, left_out = _split(text)
    plain = " ; ".join(text.text[a:b] for a, b in wanted)
    sizes = [q for q in find_quantities(text, (",",)) if q.unit]
    sized = any(a <= q.start < b for q in sizes for a, b in wanted)
    kinds = _kinds(plain, languages)
    polarity = find_polarity(plain, languages)
    verb = pattern(words.VERBS, languages).search(plain)
    names_something = bool(kinds or polarity or sized)
    asks = names_something or (bool(verb) and not pattern(words.NOT).search(text.text))
    return Request(
        kind=kinds[0][2] if kinds else None,
        polarity=polarity,
        other_kinds=tuple(_beside(plain, kinds)),
        left_out=tuple(text.written(a, b).strip() for a, b in left_out) if asks else (),
        unknown=tuple(_unknown(text, wanted, [(q.start, q.stop) for q in sizes], languages, known)),
        wants=asks,
    )


def in_english(request: str) -> str | None:
    """Return kind and brightness of a request in another language as ``segment the dark nuclei``.

    Returns
    -------
    str or None
        None if the request names something in English, or nothing in any language.
    """
    here = read_request(request, ("en",))
    if here.kind or here.polarity:
        return None
    found = read_request(request)
    if not (found.kind or found.polarity):
        return None
    kind = "objects" if found.kind in (None, "bodies") else found.kind
    return " ".join(word for word in ("segment the", found.polarity, kind) if word)


def with_polarity(request: str, polarity: str) -> str:
    """Return a request in English that says ``bright`` or ``dark`` of the objects that it names first.

    Examples
    --------
    >>> with_polarity("segment the nuclei, about 12 px", "bright")
    'segment the bright nuclei, about 12 px'
    """
    text = fold(request)
    kinds = _kinds(text.text, ("en",))
    if not kinds:
        return f"segment the {polarity} objects: {request}"
    at = text.origins[kinds[0][0]]
    return f"{text.original[:at]}{polarity} {text.original[at:]}"


def _split(text: FoldedText) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return the parts of a text that say what is wanted, and those that say what is not."""
    wanted, left_out = [], []
    start = 0
    ends = [*sorted(m.span() for one in (END_OF_CLAUSE, _BUT) for m in one.finditer(text.text)), (len(text.text),) * 2]
    no = pattern(words.NOT)
    for stop, after in ends:
        if stop < start:
            continue
        begin = start + len(text.text[start:stop]) - len(text.text[start:stop].lstrip())
        clause = text.text[begin:stop]
        found = [m.start() for m in (no.search(clause), IGNORE.search(clause)) if m]
        cut = begin + min(found) if found else stop
        if text.text[begin:cut].strip():
            wanted.append((begin, cut))
        if found and no.fullmatch(text.text[cut:stop].strip()) is None:
            left_out.append((cut, stop))
        start = after
    return wanted, left_out


def _kinds(text: str, languages: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """Return start, stop and kind of each name of objects, in order; of two at one place the longer."""
    found = sorted(
        (m.start(), -m.end(), kind)
        for kind, lists in words.KINDS.items()
        for m in pattern(lists, languages).finditer(text)
    )
    kept: list[tuple[int, int, str]] = []
    for start, stop, kind in found:
        if not kept or start >= kept[-1][1]:
            kept.append((start, -stop, kind))
    return kept


def _beside(text: str, kinds: list[tuple[int, int, str]]) -> list[str]:
    """Return the names of kinds that follow the first one after "and"."""
    found = []
    for (_, stop, first), (start, end, kind) in itertools.pairwise(kinds):
        if not _AND.fullmatch(text[stop:start]):
            break
        if kind != first:
            found.append(text[start:end])
    return found


def _unknown(
    text: FoldedText,
    wanted: list[tuple[int, int]],
    sizes: list[tuple[int, int]],
    languages: tuple[str, ...],
    known: tuple[str, ...],
) -> list[str]:
    """Return the words of what is wanted that no list has."""
    left = list(text.text)
    for start, stop in sizes:
        left[start:stop] = " " * (stop - start)
    lists = [pattern(words.PLAIN), *(pattern(x, languages) for x in (*words.KINDS.values(), words.VERBS))]
    lists += [pattern(words.DARK, languages), pattern(words.BRIGHT, languages)]
    if known:
        lists.append(re.compile(rf"(?<![a-z])(?:{'|'.join(map(re.escape, known))})(?![a-z])"))
    for one in lists:
        for m in one.finditer(text.text):
            left[m.start() : m.end()] = " " * (m.end() - m.start())
    bare, found = "".join(left), []
    for start, stop in wanted:
        for m in _WORD.finditer(bare, start, stop):
            word = m[0]
            units = word in PIXEL_NAMES or word in LENGTH_NAMES
            if not units and (len(word) > _LEAST or not word.isascii()):
                found.append(text.written(m.start(), m.end()))
    return list(dict.fromkeys(found))
