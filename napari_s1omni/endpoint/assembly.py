"""Puts a reply together from what a server sends: whole, or in pieces."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from napari_s1omni.endpoint.calls import parsed_arguments, split_calls
from napari_s1omni.endpoint.protocol import Delta, Finish, Reply, ToolCall, Usage
from napari_s1omni.endpoint.reasoning import ThinkSplitter, reasoning_of
from napari_s1omni.errors import ReplyDamaged, ReplyEndless, ToolCallCut

_CHARACTERS_PER_TOKEN = 16
"""A server that goes on beyond so many characters per allowed token ignores the limit."""
_LEAST = 20_000


class Assembly:
    """A reply that is being received.

    Parameters
    ----------
    max_tokens : int
        What the server was asked for at most; a server that ignores it is left.
    hermes : bool
        Calls are written in the text.
    tools : sequence of str
        Names of the tools that may be called; no calls are read from the text without any.
    thinking : bool
        The text begins inside the reasoning, see :class:`~napari_s1omni.endpoint.reasoning.ThinkSplitter`.
    """

    def __init__(self, max_tokens: int, *, hermes: bool, tools: Sequence[str], thinking: bool = False) -> None:
        self._max_tokens = max_tokens
        self._hermes, self._tools = hermes, tuple(tools)
        self._splitter = ThinkSplitter(thinking)
        self._reasoning = ""
        self._calls: dict[int, dict[str, str]] = {}
        self._finish, self._usage, self._model = "", Usage(), ""
        self._started, self._first, self._length = time.monotonic(), 0.0, 0

    @property
    def opens_itself(self) -> bool:
        """Whether the template of the model opens the reasoning, so that the next reply begins inside it."""
        return self._splitter.unopened

    @property
    def finished(self) -> bool:
        """Whether the server said why the reply ended."""
        return bool(self._finish)

    @property
    def empty(self) -> bool:
        """Whether nothing of the reply has come yet."""
        return not self._length

    def add(self, event: Mapping[str, Any]) -> Iterator[Delta]:
        """Take one event of the stream, or a whole completion, and yield the words in it.

        Raises
        ------
        ReplyDamaged
            If it is none, or the server reports an error within the stream.
        ReplyEndless
            If the server writes far more than it was allowed to.
        """
        if (error := event.get("error")) is not None:
            words = error.get("message", error) if isinstance(error, Mapping) else error
            raise ReplyDamaged(f"the server ended the reply with an error: {words}", remedy="ask again")
        self._model = str(event.get("model") or self._model)
        if isinstance(usage := event.get("usage"), Mapping):
            self._usage = _usage(usage)
        choices = event.get("choices")
        if not isinstance(choices, list):
            raise ReplyDamaged(f"the reply has no choices, but {sorted(map(str, event))}", "a chat completion")
        for choice in choices[:1]:
            if not isinstance(choice, Mapping):
                raise ReplyDamaged("a choice of the reply is no object", "a chat completion")
            message = choice.get("delta") or choice.get("message") or {}
            if not isinstance(message, Mapping):
                raise ReplyDamaged("the message of the reply is no object", "a chat completion")
            yield from self._take(message)
            self._finish = str(choice.get("finish_reason") or self._finish)

    def reply(self, notes: Sequence[str] = ()) -> tuple[Reply, list[Delta]]:
        """Return the reply, and its last pieces.

        Raises
        ------
        ReplyDamaged
            If the stream ended before the reply did.
        ToolCallCut
            If the token limit cut a call.
        ReplyEndless
            If the limit was reached before any word of an answer.
        """
        if not self._finish:
            raise ReplyDamaged(
                f"the connection ended within the reply, after {self._length} characters",
                "a stream that ends with a reason",
                "ask again; if it happens again, look at the log of the server",
                broken=True,
                reply=self._so_far(notes, "length"),
            )
        last = list(self._splitter.end())
        words, calls, cut = self._splitter.text.strip(), tuple(map(_native_call, self._calls.values())), False
        if self._hermes and self._tools and not calls:
            words, calls, cut = split_calls(words, closed=self._finish != "length", known=self._tools)
        cut = cut or (self._finish == "length" and any(call.arguments is None for call in calls))
        finish: Finish = "length" if self._finish == "length" else "calls" if calls else "stop"
        found = self._so_far(notes, finish, words, calls)
        if cut:
            raise ToolCallCut(
                f"the limit of {self._max_tokens} tokens cut a call of a tool; nothing of it was run",
                "a call that is complete",
                "allow more tokens, or ask for a shorter program",
                reply=found,
            )
        if finish == "length" and not words and not calls:
            raise ReplyEndless(
                f"the model reasoned for {self._max_tokens} tokens and gave no answer",
                remedy="allow more tokens, ask a narrower question, or choose another model",
                reply=found,
            )
        return found, last

    def _take(self, message: Mapping[str, Any]) -> Iterator[Delta]:
        reasoning, content = reasoning_of(message), message.get("content")
        calls = message.get("tool_calls")
        if isinstance(content, list):
            content = "".join(str(p.get("text", "")) for p in content if isinstance(p, Mapping))
        if reasoning:
            self._count(reasoning)
            self._reasoning += reasoning
            yield Delta(reasoning=reasoning)
        if isinstance(content, str) and content:
            self._count(content)
            yield from self._splitter.add(content)
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, Mapping):
                self._take_call(call)

    def _take_call(self, call: Mapping[str, Any]) -> None:
        function = call.get("function")
        function = function if isinstance(function, Mapping) else {}
        index = call.get("index")
        index = index if isinstance(index, int) else len(self._calls)
        known = self._calls.get(index)
        # Some servers number all calls 0: another id is another call.
        if known is not None and call.get("id") and known["id"] and call["id"] != known["id"]:
            index, known = max(self._calls) + 1, None
        entry = self._calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
        entry["id"] = entry["id"] or str(call.get("id") or "")
        entry["name"] = entry["name"] or str(function.get("name") or "")
        given = function.get("arguments")
        piece = given if isinstance(given, str) else ""
        self._count(piece or ".")
        entry["arguments"] += piece

    def _count(self, piece: str) -> None:
        self._first = self._first or time.monotonic() - self._started
        self._length += len(piece)
        if self._length > max(_LEAST, _CHARACTERS_PER_TOKEN * self._max_tokens):
            raise ReplyEndless(
                f"the server has written {self._length} characters and does not keep to {self._max_tokens} tokens",
                remedy="ask a narrower question, or choose another server",
                reply=self._so_far((), "length"),
            )

    def _so_far(
        self, notes: Sequence[str], finish: Finish, words: str | None = None, calls: tuple[ToolCall, ...] = ()
    ) -> Reply:
        text = self._splitter.text.strip() if words is None else words
        reasoning = "\n".join(part.strip() for part in (self._reasoning, self._splitter.reasoning) if part.strip())
        seconds = time.monotonic() - self._started
        return Reply(text, reasoning, calls, self._usage, finish, self._model, tuple(notes), seconds, self._first)


def _native_call(entry: Mapping[str, str]) -> ToolCall:
    return ToolCall(entry["name"], parsed_arguments(entry["arguments"]), entry["arguments"], entry["id"])


def _usage(usage: Mapping[str, Any]) -> Usage:
    details = usage.get("completion_tokens_details")
    details = details if isinstance(details, Mapping) else {}

    def count(value: object) -> int:
        return value if isinstance(value, int) and not isinstance(value, bool) else 0

    return Usage(
        count(usage.get("prompt_tokens")),
        count(usage.get("completion_tokens")),
        count(details.get("reasoning_tokens")),
    )
