"""The end of a thought: the end of the turn, a route token after the reasoning, or a repetition."""

from __future__ import annotations

from collections.abc import Sequence

from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer

_MAX_PERIOD = 32
_MIN_REPEATS = 4
_MIN_REPEATED_TOKENS = 24


class RepetitionWatch:
    """Follows the tokens of one row; each takes the same time, however many came before."""

    def __init__(self) -> None:
        self._last: list[int] = []
        self._equal = [0] * (_MAX_PERIOD + 1)

    def repeats(self, token: int) -> bool:
        """Add a token; return whether at most 32 tokens were repeated four times or more, over at least 24 tokens."""
        last, equal, found = self._last, self._equal, False
        for period in range(1, len(last) + 1):
            if last[-period] != token:
                equal[period] = 0
                continue
            equal[period] += 1
            found = found or equal[period] >= max(_MIN_REPEATED_TOKENS, _MIN_REPEATS * period) - period
        last.append(token)
        if len(last) > _MAX_PERIOD:
            del last[0]
        return found


class ThoughtEnding:
    """Decides for each token of one row whether it is the last."""

    def __init__(self, prompting: PromptTokenizer) -> None:
        self._special = prompting.ids
        self._routes = prompting.routes
        self._watch = RepetitionWatch()
        self._reasoning = False

    def add(self, token: int) -> str | None:
        """Return why the row ends with this token, ``stopped`` or ``repeating``; None if it continues."""
        repeats = self._watch.repeats(token)
        if token == self._special["turn_end"]:
            return "stopped"
        if token in self._routes:
            # A route token inside the reasoning is not a decision.
            return None if self._reasoning else "stopped"
        if token == self._special["think_start"]:
            self._reasoning = True
        elif token == self._special["think_end"]:
            self._reasoning = False
        return "repeating" if repeats else None


def is_repeating(ids: Sequence[int]) -> bool:
    """Return whether `ids` end with a repetition, see :class:`RepetitionWatch`."""
    watch, found = RepetitionWatch(), False
    for token in ids:
        found = watch.repeats(token)
    return found
