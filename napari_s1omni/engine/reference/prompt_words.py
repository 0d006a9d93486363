"""Keywords in the user's prompt: which objects to find, and whether they are bright or dark."""

from __future__ import annotations

import re

_DARK = re.compile(r"\b(dark|black|darker|shadow\w*|negative)\b", re.I)
_BRIGHT = re.compile(r"\b(bright|brighter|white|fluorescen\w*|glowing|luminous)\b", re.I)
_TARGETS = (
    (r"nucle(?:us|i|ar)\b", "nuclei"),
    (r"cells?\b|cellular", "cells"),
    (r"coins?\b", "coins"),
    (r"(?:spots?|puncta|foci|dots?)\b", "spots"),
    (r"(?:vesicles?|granules?|droplets?|particles?|grains?|beads?)\b", "particles"),
    (r"mitochondri\w+", "mitochondria"),
    (r"(?:colony|colonies)\b", "colonies"),
    (r"(?:vessels?|fib(?:er|re)s?|axons?)\b", "fibres"),
    (r"blobs?\b", "blobs"),
)


def find_target(request: str) -> str | None:
    """Return the kind of object that `request` names first, in the plural, or None."""
    found = [(m.start(), name) for pattern, name in _TARGETS if (m := re.search(rf"\b{pattern}", request, re.I))]
    return min(found)[1] if found else None


def find_polarity(request: str) -> str | None:
    """Return ``bright`` or ``dark`` if `request` says so, else None."""
    dark, bright = _DARK.search(request), _BRIGHT.search(request)
    if dark and bright:
        # "dark nuclei on a bright ground": the word that comes first describes the objects.
        return "dark" if dark.start() < bright.start() else "bright"
    return "dark" if dark else "bright" if bright else None
