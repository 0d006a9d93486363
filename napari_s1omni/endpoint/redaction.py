"""Words of a server before a person reads them: without keys and control characters, and not too long."""

from __future__ import annotations

import re

_KEY = "[key]"
_LONGEST = 400
"""Characters of a server's words that a message quotes."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_LIKE_KEYS = re.compile(r"\b(?:sk|pk|hf|gsk|xai|ghp)[-_][A-Za-z0-9_*.-]{6,}|(?i:\bbearer\s+)[A-Za-z0-9._~+/=-]{6,}")
"""What looks like a key of a well-known service, also where a server prints it with stars."""
_SHORTEST = 8
"""Characters of the shortest key that is looked for: ``EMPTY`` and the like are no secrets, but are common words."""


def without_key(text: str, key: str) -> str:
    """Return text without the key of an endpoint."""
    return text.replace(key, _KEY) if len(key) >= _SHORTEST else text


def redact(text: str, key: str = "") -> str:
    """Return text without the key of an endpoint, and without what looks like one."""
    return _LIKE_KEYS.sub(_KEY, without_key(text, key))


def quoted(text: str, key: str = "") -> str:
    """Return the words of a server as a message may quote them: one line, at most 400 characters, no key."""
    # Redacted before it is cut: half a key would not be found.
    line = " ".join(_CONTROL.sub(" ", redact(text, key)).split())
    return line if len(line) <= _LONGEST else line[:_LONGEST] + " ..."
