"""The text of a thought while it is written, token by token."""

from __future__ import annotations

from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer

_CONTEXT = 4
"""Tokens before a new one that are decoded with it, since some tokenizers join a token to the one before."""


class TextStream:
    """Turns the tokens of one row into pieces of text; each takes the same time, however many came before."""

    def __init__(self, prompting: PromptTokenizer) -> None:
        self._prompting = prompting
        self._recent: list[int] = []
        self._shown = 0

    def add(self, token: int) -> str:
        """Return the text that `token` completes; empty inside a character of several tokens."""
        self._recent.append(token)
        text = self._prompting.decode(self._recent)
        if text.endswith("\ufffd"):
            return ""
        piece = text[self._shown :]
        self._recent = self._recent[-_CONTEXT:]
        self._shown = len(self._prompting.decode(self._recent))
        return piece
