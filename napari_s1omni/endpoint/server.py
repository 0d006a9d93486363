"""A chat model behind a URL that speaks OpenAI's chat completions: vLLM, llama.cpp, SGLang, OpenAI and others."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from napari_s1omni.endpoint.assembly import Assembly
from napari_s1omni.endpoint.calls import CLOSE, function_of
from napari_s1omni.endpoint.capabilities import Question, probe
from napari_s1omni.endpoint.configuration import Endpoint
from napari_s1omni.endpoint.consent import Consents
from napari_s1omni.endpoint.exchange import Connection, Emit, Request, run_in_thread
from napari_s1omni.endpoint.messages import messages
from napari_s1omni.endpoint.pictures import picture_tokens, turn_tokens
from napari_s1omni.endpoint.protocol import Capabilities, ChatSampling, Delta, OnDelta, Reply, Tool, Turn
from napari_s1omni.endpoint.redaction import quoted, without_key
from napari_s1omni.errors import (
    ContextTooShort,
    EndpointBusy,
    EndpointError,
    EndpointRefused,
    EndpointUnavailable,
    JobError,
    ModelWithoutImages,
    ReplyDamaged,
)
from napari_s1omni.settings import secret

ATTEMPTS = 3
"""Requests at most, before a reply has begun."""
_LONGEST_WAIT = 60.0
"""Seconds that are waited at most because a server asks for it."""
_DISPENSABLE = ("stream_options", "logprobs", "seed", "top_p", "temperature", "stop")
"""Fields without which a request is sent again to a server that names them as its problem."""


class ServerModel:
    """The model of an endpoint; see :class:`napari_s1omni.endpoint.protocol.ChatModel`.

    Parameters
    ----------
    endpoint : Endpoint
    consents : Consents, optional
        Who agreed that pictures leave this machine; by default those that the user has stored.
    pause : float
        Seconds before the second attempt, about; twice as long before the third.
    """

    def __init__(self, endpoint: Endpoint, consents: Consents | None = None, *, pause: float = 0.5) -> None:
        self.endpoint = endpoint
        self.consents = Consents() if consents is None else consents
        self._pause = pause
        self._connection: Connection | None = None
        self._model = endpoint.model
        self._known: Capabilities | None = None
        self._opens_itself = False
        self._without: dict[str, str] = {}
        """Fields that this server refused, and what that means, as sentences."""

    @property
    def name(self) -> str:
        """Endpoint and model."""
        return f"{self.endpoint.name}: {self._model}" if self._model else self.endpoint.name

    @property
    def model(self) -> str:
        """Name of the model on the server; empty until it is configured or listed."""
        return self._model

    @property
    def capabilities(self) -> Capabilities:
        """What the server can do: three small requests when it is first asked for."""
        if self._known is None:
            listed = self.listed()
            asked = [row for row in listed if row["id"] == self._model] or list(listed)
            self._known = probe(self._ask_once, asked)
        return self._known

    def listed(self) -> tuple[Mapping[str, Any], ...]:
        """Return the models that the server lists, as it describes them; none if it has no list.

        Raises
        ------
        EndpointError
            If the server cannot be reached or refuses the key.
        """
        try:
            answer = "\n".join(line for _, line in self._exchange(Request("GET", "/models"), None))
        except EndpointUnavailable as error:
            if error.facts.get("status") == 404:
                return ()
            raise
        try:
            rows = json.loads(answer)["data"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return ()
        found = tuple(row for row in rows if isinstance(row, dict) and row.get("id")) if isinstance(rows, list) else ()
        if not self._model and found:
            self._model = str(found[0]["id"])
        return found

    def complete(
        self,
        turns: Sequence[Turn],
        *,
        stop: Sequence[str] = (),
        max_tokens: int | None = None,
        sampling: ChatSampling | None = None,
        tools: Sequence[Tool] = (),
        on_delta: OnDelta | None = None,
        stopped: threading.Event | None = None,
    ) -> Reply:
        """Return the next turn of the assistant; see :meth:`napari_s1omni.endpoint.protocol.ChatModel.complete`."""
        if not turns or turns[-1].role not in ("user", "tool"):
            raise JobError("the conversation does not end with a question", "a last turn of a user or a tool")
        self.consents.require(self.endpoint, turns)
        self._check(turns)
        limit = max_tokens or self.endpoint.max_tokens
        body = self._body(turns, list(stop), limit, sampling or ChatSampling(), tools)
        for attempt in range(1, ATTEMPTS + len(_DISPENSABLE) + 2):
            assembly = Assembly(
                limit,
                hermes=self.endpoint.dialect == "hermes",
                tools=[tool.name for tool in tools],
                thinking=self._opens_itself,
            )
            try:
                return self._receive(self._sent(body), assembly, on_delta, stopped)
            except EndpointError as error:
                if self._refuses_a_field(error, body):
                    continue
                wait = self._wait(error, attempt, assembly)
                if wait is None:
                    raise
                _sleep(wait, stopped)
        raise AssertionError("the last attempt raises")  # pragma: no cover

    def close(self) -> None:
        """Forget the connection and what is known of the server."""
        self._connection, self._known = None, None

    def _receive(
        self, body: Mapping[str, Any], assembly: Assembly, on_delta: OnDelta | None, stopped: threading.Event | None
    ) -> Reply:
        def pass_on(deltas: Sequence[Delta] | Iterator[Delta]) -> None:
            for delta in deltas:
                if on_delta is not None:
                    on_delta(delta)

        request = Request("POST", "/chat/completions", json.dumps(body).encode())
        for event in _events(self._exchange(request, stopped)):
            pass_on(assembly.add(event))
        reply, last = assembly.reply(tuple(self._without.values()))
        pass_on(last)
        self._opens_itself = self._opens_itself or assembly.opens_itself
        key = secret(self.endpoint.key_env)
        # Pieces of a key may have come one by one.
        return dataclasses.replace(
            reply, text=without_key(reply.text, key), reasoning=without_key(reply.reasoning, key)
        )

    def _exchange(self, request: Request, stopped: threading.Event | None) -> Iterator[tuple[str, str]]:
        key = secret(self.endpoint.key_env)
        if self._connection is None:
            self._connection = Connection(self.endpoint, key)
        connection = self._connection

        async def work(emit: Emit) -> None:
            async with asyncio.timeout(self.endpoint.seconds):
                found: AsyncIterator[tuple[str, str]] = connection.lines(
                    request, self.endpoint.seconds, self.endpoint.silence
                )
                async for line in found:
                    emit(line)

        try:
            yield from run_in_thread(work, stopped)
        except TimeoutError:
            raise connection.too_slow(f"no whole reply in {self.endpoint.seconds:g} s") from None

    def _body(
        self, turns: Sequence[Turn], stop: list[str], limit: int, sampling: ChatSampling, tools: Sequence[Tool]
    ) -> dict[str, Any]:
        endpoint = self.endpoint
        native = endpoint.dialect == "native"
        if not self._model:
            self.listed()
        if tools and not native:
            stop = [*stop, CLOSE]
        wanted = {
            "model": self._model or None,
            "messages": messages(turns, native=native, tools=tools, keep_thinking=endpoint.keep_thinking),
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": limit,
            "temperature": endpoint.temperature if sampling.temperature is None else sampling.temperature,
            "top_p": endpoint.top_p if sampling.top_p is None else sampling.top_p,
            "seed": sampling.seed,
            "stop": stop or None,
            "tools": [function_of(tool) for tool in tools] if tools and native else None,
        }
        return {field: value for field, value in wanted.items() if value is not None}

    def _sent(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body without what this server refuses."""
        sent = {field: value for field, value in body.items() if field not in self._without}
        if "max_tokens" in self._without and "max_tokens" in body:
            sent["max_completion_tokens"] = body["max_tokens"]
        return sent

    def _refuses_a_field(self, error: EndpointError, body: Mapping[str, Any]) -> bool:
        """Note a field that a server refuses by its name, so that the request is sent without it."""
        if not isinstance(error, EndpointRefused) or error.facts.get("status") not in (400, 422):
            return False
        if "max_completion_tokens" in error.given and "max_tokens" not in self._without:
            self._without["max_tokens"] = "The limit of tokens was sent as max_completion_tokens."
            return True
        for field in _DISPENSABLE:
            if field in body and field not in self._without and field in error.given:
                self._without[field] = f"The server does not take '{field}'; the reply was asked for without it."
                return True
        return False

    def _wait(self, error: EndpointError, attempt: int, assembly: Assembly) -> float | None:
        """Return how long to wait before the next attempt; None if there is none."""
        again = isinstance(error, EndpointBusy | EndpointUnavailable) or (
            isinstance(error, ReplyDamaged) and error.facts.get("broken") is True
        )
        if attempt >= ATTEMPTS or not again or error.facts.get("status") == 404 or not assembly.empty:
            return None
        jittered: float = self._pause * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.5)
        stated = error.facts.get("seconds")
        if not isinstance(stated, float | int):
            return jittered
        # Several that wait for the same second would come together again.
        return float(stated) + jittered / 2 if stated <= _LONGEST_WAIT else None

    def _check(self, turns: Sequence[Turn]) -> None:
        """Refuse what cannot work before anything is sent, as far as the server is known."""
        pictures = [picture for turn in turns for picture in turn.pictures]
        if self._known is None:
            return
        if pictures and not self._known.images:
            raise ModelWithoutImages(
                f"the model of endpoint '{self.endpoint.name}' takes no pictures",
                "a model that sees, such as S1-VL-32B; llama.cpp needs --mmproj for it",
                "choose another endpoint or model",
            )
        context = self._known.context
        largest = max((picture_tokens(*picture.size) for picture in pictures), default=0)
        needed = sum(map(turn_tokens, turns))
        if context is not None and largest >= context:
            raise ContextTooShort(
                f"one picture takes about {largest} tokens",
                f"the context of endpoint '{self.endpoint.name}' is {context} tokens",
                "show a smaller picture, or start the server with a longer context",
                context=context,
                needed=needed,
            )

    def _ask_once(self, question: Question) -> Mapping[str, Any]:
        """Send a small request of the probe, not streamed; only the model's name is added."""
        body = {"model": self._model, **question} if self._model else dict(question)
        request = Request("POST", "/chat/completions", json.dumps(self._sent(body)).encode())
        text = "\n".join(line for _, line in self._exchange(request, None))
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise ReplyDamaged(f"the reply is no JSON: {quoted(text)}", "a chat completion") from None
        if not isinstance(found, dict):
            raise ReplyDamaged("the reply is no JSON object", "a chat completion")
        return found


def _events(lines: Iterator[tuple[str, str]]) -> Iterator[Mapping[str, Any]]:
    """Yield the events of a stream, or the only one of a server that does not stream.

    Raises
    ------
    ReplyDamaged
        If one is no JSON object.
    """
    whole: list[str] = []
    for kind, line in lines:
        if line.startswith("data:"):
            data = line[5:].strip()
            if data == "[DONE]":
                return
            if data:
                yield _object(data)
        elif kind != "text/event-stream" and not line.startswith(":"):
            whole.append(line)
    if any(map(str.strip, whole)):
        yield _object("\n".join(whole))


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ReplyDamaged(
            f"the server sent what is no JSON object: {quoted(text)}",
            "chat completions as OpenAI defines them",
            "check that the URL is that of the API, mostly with /v1 at its end",
        )
    return found


def _sleep(seconds: float, stopped: threading.Event | None) -> None:
    (stopped or threading.Event()).wait(seconds)
