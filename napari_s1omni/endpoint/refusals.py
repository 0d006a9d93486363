"""What a server means by a status that is no success, as errors of this package."""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from napari_s1omni.endpoint.configuration import Endpoint
from napari_s1omni.endpoint.redaction import quoted
from napari_s1omni.errors import (
    ContextTooShort,
    EndpointBusy,
    EndpointError,
    EndpointRefused,
    EndpointUnavailable,
    ModelWithoutImages,
)

_CONTEXT = re.compile(
    r"context[ _](?:length|size|window)|max_model_len|exceed_context|prompt is too long|too many tokens"
    r"|longer than the (?:maximum )?model|input is too long|reduce the length",
    re.I,
)
_IMAGES = re.compile(
    r"not a multimodal model|image input is not supported|(?:does|do)(?: not|n't) support (?:image|vision|multimodal)"
    r"|at most 0 image|mmproj|not compiled for multimodal|unsupported content part type"
    r"|no endpoints found that support image|image_url is only supported|content must be a string|invalid content type.{0,20}image_url",
    re.I,
)
_LENGTH = re.compile(
    r"(?:maximum context length (?:is|of)|context length|available context size|max_model_len)\D{0,12}(\d+)", re.I
)


def words_of(body: bytes) -> str:
    """Return what a server says in the body of an error: the message of its JSON, else the text."""
    text = body[:65536].decode("utf-8", "replace")
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return re.sub(r"<[^>]*>", " ", text)
    for key in ("error", "message", "detail"):
        if isinstance(found, Mapping) and key in found:
            found = found[key]
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def refusal(endpoint: Endpoint, key: str, status: int, headers: Mapping[str, str], body: bytes) -> EndpointError:
    """Return the error for a status that is no success.

    Parameters
    ----------
    endpoint : Endpoint
    key : str
        The key that was sent, which must not be in the message.
    status : int
    headers : mapping
        With names in lower case.
    body : bytes
    """
    words = words_of(body)
    said = quoted(words, key)
    server = f"endpoint '{endpoint.name}' ({endpoint.origin})"
    facts: dict[str, Any] = {"status": status, "endpoint": endpoint.name}
    answered = f"{server} answered {status}" + (f": {said}" if said else "")
    if status in (401, 403):
        return EndpointRefused(f"{answered}", *_about_key(endpoint, key), **facts)
    if _CONTEXT.search(words) and status in (400, 413, 422, 500):
        found = _LENGTH.search(words)
        return ContextTooShort(
            f"the conversation does not fit into the model of {server}: {said}",
            f"at most {found[1]} tokens of prompt and reply" if found else "",
            "show fewer or smaller pictures, ask for a shorter reply, or start the server with a longer context",
            context=int(found[1]) if found else None,
            **facts,
        )
    if _IMAGES.search(words) and status in (400, 404, 415, 422, 500, 501):
        return ModelWithoutImages(
            f"the model of {server} takes no pictures: {said}",
            "a model that sees, such as S1-VL-32B; llama.cpp needs --mmproj for it",
            "choose another endpoint or model",
            **facts,
        )
    if status == 429:
        wait = waiting(headers)
        return EndpointBusy(
            f"{answered}" + (f" (it asks to wait {wait:.0f} s)" if wait else ""),
            remedy="ask again later, or choose another endpoint",
            seconds=wait,
            **facts,
        )
    if status == 404:
        return EndpointUnavailable(
            answered,
            f"a URL that ends before /chat/completions, mostly with /v1, and a model that the server has"
            f"{f' (asked for: {endpoint.model})' if endpoint.model else ''}",
            f"see what it has with 's1omni endpoints test {endpoint.name}'",
            **facts,
        )
    if status >= 500:
        return EndpointUnavailable(answered, remedy="look at the log of the server, or ask again", **facts)
    return EndpointRefused(answered, "a request that this server takes", "change the endpoint's settings", **facts)


def waiting(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds a server asks to wait: a number or a date in ``Retry-After``; None if it does not say."""
    stated = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", stated):
        return float(stated)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(stated).timestamp() - time.time())
    except (TypeError, ValueError, IndexError):
        return None


def _about_key(endpoint: Endpoint, key: str) -> tuple[str, str]:
    if not endpoint.key_env:
        return "no key is named for this endpoint", (
            "put the key into an environment variable and name that variable: "
            f"s1omni endpoints add {endpoint.name} {endpoint.url} --key-env NAME --replace"
        )
    if not key:
        return f"the variable {endpoint.key_env} is unset or empty", f"set {endpoint.key_env} to the key"
    return f"the key in the variable {endpoint.key_env} is not accepted", f"set {endpoint.key_env} to a valid key"
