"""Reasoning and answer of a reply, in its three spellings: two fields of a message, or ``<think>`` in its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from napari_s1omni.endpoint.protocol import Delta

FIELDS = ("reasoning_content", "reasoning")
"""Fields of a message or of a piece of one, by age: vLLM before 0.12, llama.cpp and SGLang; then vLLM and others."""
OPEN, CLOSE = "<think>", "</think>"


def reasoning_of(message: Mapping[str, Any]) -> str:
    """Return the reasoning that a server states beside the text; some state it under both names."""
    return next((value for field in FIELDS if isinstance(value := message.get(field), str) and value), "")


class ThinkSplitter:
    """Separates inline reasoning from the answer while the text comes in pieces.

    Parameters
    ----------
    thinking : bool
        The text begins inside the reasoning: templates of thinking models open the tag themselves.
    """

    def __init__(self, thinking: bool = False) -> None:
        self._inside = thinking
        self._held = ""
        self.text = ""
        """The answer so far. Where a tag is closed that was never opened, all before it was reasoning."""
        self.reasoning = ""
        self.unopened = False
        """Whether a tag was closed that was never opened: the template opens it."""

    def add(self, piece: str) -> Iterator[Delta]:
        """Take a piece and yield what is certain; the beginning of what may be a tag is held back."""
        self._held += piece
        while self._held:
            found = [(at, t) for t in (OPEN, CLOSE) if (at := self._held.find(t)) >= 0]
            if not found:
                keep = max(_overlap(self._held, OPEN), _overlap(self._held, CLOSE))
                certain, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
                yield from self._emit(certain)
                return
            at, tag = min(found)
            yield from self._emit(self._held[:at])
            self._held = self._held[at + len(tag) :]
            if tag == CLOSE and not self._inside and not self.reasoning:
                self.reasoning, self.text, self.unopened = self.text.strip(), "", True
            self._inside = tag == OPEN
            if not self._inside:
                self._held = self._held.lstrip("\n")

    def end(self) -> Iterator[Delta]:
        """Yield what was held back."""
        held, self._held = self._held, ""
        yield from self._emit(held)

    def _emit(self, piece: str) -> Iterator[Delta]:
        if not piece:
            return
        if self._inside:
            self.reasoning += piece
            yield Delta(reasoning=piece)
        else:
            self.text += piece
            yield Delta(text=piece)


def _overlap(text: str, tag: str) -> int:
    """Return how many characters at the end of `text` are a beginning of `tag`."""
    return next((n for n in range(min(len(tag) - 1, len(text)), 0, -1) if text.endswith(tag[:n])), 0)
