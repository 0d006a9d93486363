"""A conversation as messages of OpenAI's chat completions, in both dialects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from napari_s1omni.endpoint.calls import RESPONSE_CLOSE, RESPONSE_OPEN, call_text, escaped, tools_text
from napari_s1omni.endpoint.pictures import data_url
from napari_s1omni.endpoint.protocol import Part, Text, Tool, Turn
from napari_s1omni.endpoint.reasoning import FIELDS

Message = dict[str, Any]


def messages(
    turns: Sequence[Turn], *, native: bool, tools: Sequence[Tool] = (), keep_thinking: bool = False
) -> list[Message]:
    """Return a conversation as messages.

    Pictures are always in a user's message: servers refuse them in one of a tool. In the dialect ``hermes`` the
    system's turn describes the tools, calls are text, and a tool's turn is a user's message in ``<tool_response>``.

    Parameters
    ----------
    turns : sequence of Turn
    native : bool
        The server parses calls itself (dialect ``native``).
    tools : sequence of Tool
    keep_thinking : bool
        Send the reasoning of earlier turns back.
    """
    begun = _with_tools(turns, tools) if tools and not native else turns
    return [message for turn in begun for message in _messages_of(turn, native, keep_thinking)]


def _messages_of(turn: Turn, native: bool, keep_thinking: bool) -> Iterator[Message]:
    match turn.role:
        case "tool":
            yield from _tool_messages(turn, native)
        case "assistant":
            yield _assistant(turn, native, keep_thinking)
        case "system":
            yield {"role": "system", "content": turn.text}
        case _:
            yield {"role": "user", "content": _content(turn.parts)}


def _assistant(turn: Turn, native: bool, keep_thinking: bool) -> Message:
    message: Message = {"role": "assistant", "content": turn.text}
    if keep_thinking and turn.reasoning:
        message[FIELDS[0]] = turn.reasoning
    if turn.calls and native:
        # Some servers drop the text of a message with calls, others refuse a call without text.
        message["tool_calls"] = [
            {
                "id": call.id or f"call_{i}",
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": call.raw if call.arguments is None else json.dumps(dict(call.arguments)),
                },
            }
            for i, call in enumerate(turn.calls)
        ]
    elif turn.calls:
        message["content"] = "\n".join([*([turn.text] if turn.text else []), *map(call_text, turn.calls)])
    return message


def _tool_messages(turn: Turn, native: bool) -> Iterator[Message]:
    """Return what a tool printed and showed. It is data: no tag in it is one."""
    said = [Text(escaped(part.text)) if isinstance(part, Text) else part for part in turn.parts]
    pictures = turn.pictures
    if not native:
        yield {"role": "user", "content": _content([Text(RESPONSE_OPEN + "\n"), *said, Text("\n" + RESPONSE_CLOSE)])}
        return
    words = "\n".join(part.text for part in said if isinstance(part, Text))
    if pictures:
        words += f"\n({len(pictures)} {'picture follows' if len(pictures) == 1 else 'pictures follow'})"
    yield {"role": "tool", "tool_call_id": turn.answers or "call_0", "content": words.strip()}
    if pictures:
        yield {"role": "user", "content": _content([Text("The tool showed:"), *pictures])}


def _content(parts: Sequence[Part]) -> str | list[Message]:
    """Return the content of a message: plain words where there is no picture, which every server takes."""
    if all(isinstance(part, Text) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, Text))
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, Text)
        else {"type": "image_url", "image_url": {"url": data_url(part)}}
        for part in parts
    ]


def _with_tools(turns: Sequence[Turn], tools: Sequence[Tool]) -> list[Turn]:
    described = tools_text(tools)
    if turns and turns[0].role == "system":
        return [Turn.of("system", f"{turns[0].text}\n\n{described}"), *turns[1:]]
    return [Turn.of("system", described), *turns]
