"""What the model behind an endpoint can do, found by asking: its list of models and three small requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from napari_s1omni.endpoint.calls import function_of
from napari_s1omni.endpoint.pictures import data_url
from napari_s1omni.endpoint.protocol import MADE_HERE, Capabilities, Picture, Tool
from napari_s1omni.errors import EndpointBusy, EndpointError, EndpointTimeout, EndpointUnavailable, ReplyDamaged

Question = Mapping[str, Any]
"""Body of a request, without the model."""

_EDGE = 64
_CONTEXT_FIELDS = ("max_model_len", "context_length", "context_window", "n_ctx", "n_ctx_train")
"""Names of the length of the context in lists of models: vLLM and SGLang, then others, then llama.cpp."""
_TOOL = Tool("ping", "Does nothing.", {"type": "object", "properties": {}})


def probe(ask: Callable[[Question], Mapping[str, Any]], listed: Sequence[Mapping[str, Any]]) -> Capabilities:
    """Return what a server can do.

    Parameters
    ----------
    ask : callable
        Sends one request and returns the completion; raises an ``EndpointError``.
    listed : sequence of mapping
        The server's models; the first is the one that is asked.

    Raises
    ------
    EndpointUnavailable, EndpointBusy, EndpointTimeout, EndpointRefused
        If the server does not answer plain words either.
    """
    plain = _works(ask, {**_short("Say yes."), "stop": ["\n\n"], "logprobs": True})
    if not plain:
        ask(_short("Say yes."))  # raises what is wrong with the server
    images = _works(ask, _short([{"type": "text", "text": "Say yes."}, _picture()]))
    tools = _works(ask, {**_short("Say yes."), "tools": [function_of(_TOOL)]})
    tool_turns = tools and images and _works(ask, {"max_tokens": 1, "messages": _tool_turn()})
    notes = [
        words
        for missing, words in (
            (not images, "The model takes no pictures."),
            (not tools, "The server does not parse calls of tools: only the dialect 'hermes' works."),
            (not plain, "The server does not give the probabilities of words, or does not stop at given words."),
        )
        if missing
    ]
    return Capabilities(images, tool_turns, tools, plain, plain, context_length(listed), tuple(notes))


def context_length(listed: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the length of the context that a list of models states for its first, in tokens."""
    for row in listed[:1]:
        meta = row.get("meta")
        for facts in (row, meta if isinstance(meta, Mapping) else {}):
            for field in _CONTEXT_FIELDS:
                value = facts.get(field)
                if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                    return value
    return None


def _works(ask: Callable[[Question], Mapping[str, Any]], question: Question) -> bool:
    """Return whether a server takes a request: what it refuses, it cannot do; what fails otherwise is raised."""
    try:
        found = ask(question)
    except (EndpointBusy, EndpointTimeout, ReplyDamaged):
        raise
    except EndpointUnavailable as error:
        # Servers answer 500 to what they do not know.
        if error.facts.get("status", 0) not in (404, 500, 501):
            raise
        return False
    except EndpointError as error:
        if error.facts.get("status") in (401, 403):
            raise
        return False
    return isinstance(found.get("choices"), list)


def _short(content: str | list[dict[str, Any]]) -> dict[str, Any]:
    return {"max_tokens": 1, "messages": [{"role": "user", "content": content}]}


def _picture() -> dict[str, Any]:
    grey = Picture(np.full((_EDGE, _EDGE, 3), 128, np.uint8), MADE_HERE)
    return {"type": "image_url", "image_url": {"url": data_url(grey)}}


def _tool_turn() -> list[dict[str, Any]]:
    call = {"id": "call_0", "type": "function", "function": {"name": _TOOL.name, "arguments": "{}"}}
    return [
        {"role": "user", "content": "Call ping."},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_0", "content": [{"type": "text", "text": "done"}, _picture()]},
    ]
