"""Calls of tools in the words of a model: read tolerantly, written strictly."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from napari_s1omni.endpoint.protocol import Tool, ToolCall

OPEN, CLOSE = "<tool_call>", "</tool_call>"
RESPONSE_OPEN, RESPONSE_CLOSE = "<tool_response>", "</tool_response>"

_TAGS = re.compile(r"<(?=/?(?:tool_call|tool_response|tools|think)>)|<(?=\|)")
_FUNCTION = re.compile(r"<function=([\w.-]+)>(.*?)(?:</function>|$)", re.S)
_PARAMETER = re.compile(r"<parameter=([\w.-]+)>\n?(.*?)\n?(?:</parameter>|(?=<parameter=)|$)", re.S)
_CODE = re.compile(r"<code>\s*(?:```(?:python)?\n)?(.*?)(?:\n```)?\s*</code>", re.S)


def escaped(text: str) -> str:
    """Return text of data in which no tag of the conversation can be read: each begins with a sign of its own."""
    return _TAGS.sub("\u2039", text)


def tools_text(tools: Sequence[Tool]) -> str:
    """Return what the system's turn says of the tools in the dialect ``hermes``, as Qwen's templates word it."""
    listed = "\n".join(json.dumps(function_of(tool), ensure_ascii=False) for tool in tools)
    return (
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        f"You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n{listed}\n</tools>\n\n"
        "For each function call, return a json object with function name and arguments within "
        f"{OPEN}{CLOSE} XML tags:\n"
        f'{OPEN}\n{{"name": <function-name>, "arguments": <args-json-object>}}\n{CLOSE}'
    )


def function_of(tool: Tool) -> dict[str, Any]:
    """Return a tool as OpenAI's API describes it."""
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
    }


def call_text(call: ToolCall) -> str:
    """Return a call as text of an assistant's turn."""
    if call.arguments is None:
        return call.raw if OPEN in call.raw else f"{OPEN}\n{call.raw}\n{CLOSE}"
    body = json.dumps({"name": call.name, "arguments": dict(call.arguments)}, ensure_ascii=False)
    return f"{OPEN}\n{body}\n{CLOSE}"


def split_calls(text: str, *, closed: bool, known: Sequence[str] = ()) -> tuple[str, tuple[ToolCall, ...], bool]:
    """Separate the calls that a model wrote in its answer from its words.

    Parameters
    ----------
    text : str
        The answer, without its reasoning: a call in the reasoning is a thought, not a call.
    closed : bool
        The reply ended by itself or at a stop word; then a last call without its closing tag is complete.
    known : sequence of str
        Names of the tools; a call without a name, as in ``<code>``, is one of the first.

    Returns
    -------
    words : str
    calls : tuple of ToolCall
    cut : bool
        Whether the last call was cut at the token limit; it is not among `calls`.
    """
    words: list[str] = []
    calls: list[ToolCall] = []
    rest = text
    while (start := rest.find(OPEN)) >= 0:
        words.append(rest[:start])
        body, end, rest = rest[start + len(OPEN) :].partition(CLOSE)
        if not end and not closed:
            return _joined(words), tuple(calls), True
        calls.append(_call(body.strip(), known))
    words.append(rest)
    said = _joined(words)
    if not calls:
        for name, body in _FUNCTION.findall(said):
            calls.append(ToolCall(name, dict(_PARAMETER.findall(body)), body))
        said = _FUNCTION.sub("", said).strip() if calls else said
    if not calls and known and (found := _CODE.findall(said)):
        calls = [ToolCall(known[0], {"code": code}, code) for code in found]
        said = _CODE.sub("", said).strip()
    cut = not closed and not calls and any(said.rfind(tag) >= 0 for tag in ("<function=", "<code>")) and bool(known)
    return said, tuple(calls), cut


def parsed_arguments(raw: str) -> Mapping[str, Any] | None:
    """Return the arguments of a call, or None if they are no JSON object. Line breaks within strings are allowed."""
    try:
        found = json.loads(raw, strict=False) if raw.strip() else {}
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _call(body: str, known: Sequence[str]) -> ToolCall:
    if function := _FUNCTION.search(body):
        return ToolCall(function[1], dict(_PARAMETER.findall(function[2])), body)
    found = parsed_arguments(body)
    name = found.get("name") if found else None
    given = found.get("arguments", found.get("parameters")) if found else None
    if isinstance(given, str):
        given = parsed_arguments(given)
    if not isinstance(name, str) or not isinstance(given, dict):
        return ToolCall(str(name or (known[0] if known else "")), None, body)
    return ToolCall(name, given, body)


def _joined(words: Sequence[str]) -> str:
    return "".join(words).strip()
