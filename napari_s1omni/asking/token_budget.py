"""Counts the tokens of a conversation before they are sent, and leaves out old pictures that no longer fit."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from napari_s1omni.endpoint.pictures import text_tokens, turn_tokens
from napari_s1omni.endpoint.protocol import Picture, Text, Turn


class TokenBudget:
    """Estimates tokens, and learns from what a server counted.

    Parameters
    ----------
    most : int
        Tokens that the conversation may have.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._ratio = 1.0

    def count(self, turns: Sequence[Turn]) -> int:
        """Return the tokens of a conversation."""
        return math.ceil(self._ratio * sum(map(_tokens, turns)))

    def learn(self, turns: Sequence[Turn], counted: int) -> None:
        """Take over how many tokens a server counted; 0 says nothing."""
        estimated = sum(map(_tokens, turns))
        if counted > 0 and estimated > 0:
            self._ratio = min(4.0, max(0.25, counted / estimated))

    def fitting(self, turns: Sequence[Turn], reserve: int) -> tuple[list[Turn], int]:
        """Leave out the oldest pictures but the first one until `reserve` tokens are free.

        Their captions stay. Returns the turns, and how many pictures were left out.
        """
        kept = list(turns)
        dropped = 0
        places = [
            (i, j) for i, turn in enumerate(kept) for j, part in enumerate(turn.parts) if isinstance(part, Picture)
        ]
        for i, j in places[1:]:
            if self.count(kept) + reserve <= self.most:
                break
            parts = list(kept[i].parts)
            parts[j] = Text("(this picture is no longer sent; look again if you need it)")
            kept[i] = dataclasses.replace(kept[i], parts=tuple(parts))
            dropped += 1
        return kept, dropped


def _tokens(turn: Turn) -> int:
    return turn_tokens(turn) + sum(text_tokens(call.raw) for call in turn.calls)
