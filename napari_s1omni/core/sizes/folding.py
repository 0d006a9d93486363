"""Folding of text for comparison: without accents, capitals and the many forms of dashes, signs and digits."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

_SPECIAL = {
    # The ring is what separates an angstrom from the letter a.
    **dict.fromkeys("\u00c5\u212b\u00e5", "å"),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d\ufe63", "-"),
    **dict.fromkeys("\u301c\u223c\uff5e", "~"),
    **dict.fromkeys("\u2018\u2019\u00b4", "'"),
    **dict.fromkeys("\u00d7\u2715\u2a2f", "x"),
    **dict.fromkeys("\u00b7\u22c5\u2219", "*"),
    **dict.fromkeys("\u00d8\u00f8\u2300\u2205\u03a6\u03c6", "\u2300"),
    # A Chinese comma separates clauses, never digits.
    **dict.fromkeys("\uff0c\u3001\u3002\uff1b", ";"),
    "\u2044": "/",
}
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+", strict=True))


@dataclass(frozen=True, slots=True)
class FoldedText:
    """A text in folded form, with the way back to how it was written."""

    text: str
    """Folded."""
    original: str
    origins: tuple[int, ...]
    """Index in `original` of each character of `text`."""

    def written(self, start: int, stop: int) -> str:
        """Return what stands in the original for a part of the folded text."""
        if start >= stop:
            return ""
        return self.original[self.origins[start] : self.origins[stop - 1] + 1]


def fold(original: str) -> FoldedText:
    """Fold a text: lower case without accents, plain dashes and digits; superscripts become ``^2``."""
    original = unicodedata.normalize("NFC", original)
    folded: list[str] = []
    origins: list[int] = []
    raised = False
    for i, char in enumerate(original):
        new = _fold_char(char, raised)
        if new[:1] == "." and char != "." and folded[-1:] == [" "] and folded[-2:-1] and folded[-2].isdigit():
            # "1 ½" is one number.
            del folded[-1], origins[-1]
        raised = char in _SUPERSCRIPTS
        folded += new
        origins += [i] * len(new)
    return FoldedText("".join(folded), original, tuple(origins))


def _fold_char(char: str, raised: bool) -> str:
    if char in _SUPERSCRIPTS:
        return ("" if raised else "^") + _SUPERSCRIPTS[char]
    if char in _SPECIAL:
        return _SPECIAL[char]
    parts = unicodedata.normalize("NFKD", char)
    if "\u2044" in parts and 0 < unicodedata.numeric(char, 0) < 1:
        return f"{unicodedata.numeric(char):.4g}"[1:]
    plain = "".join(c for c in parts if not unicodedata.combining(c)).casefold()
    return "".join(" " if c.isspace() and c != "\n" else c for c in plain)
