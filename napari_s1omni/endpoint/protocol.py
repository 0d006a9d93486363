"""The protocol of a chat model: turns in, a reply out, the same for a server and for a model in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Role = Literal["system", "user", "assistant", "tool"]
Finish = Literal["stop", "length", "calls"]
"""Why a reply ended: the model was done, the token limit was reached, or it asks for a tool."""

MADE_HERE = "made here"
"""Source of a picture that shows no pixel of a user: it needs no consent."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words of a turn."""

    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a turn, exactly as the model shall see it."""

    pixels: NDArray[np.uint8]
    """uint8 (height, width, 3)."""
    source: str
    """Image that it was cut from, as a path or URI; :data:`MADE_HERE` if it shows nothing of a user.
    The consent of a person is asked for each source."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.pixels.shape[0]), int(self.pixels.shape[1])


Part = Text | Picture


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a model asks to be run."""

    name: str
    arguments: Mapping[str, Any] | None
    """None if what the model wrote is no JSON object; then nothing is run, and the model is told."""
    raw: str = ""
    """What the model wrote."""
    id: str = ""
    """Name of the call that a server gave it; empty where calls are written in the text."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...]
    calls: tuple[ToolCall, ...] = ()
    """Calls of an assistant's turn."""
    reasoning: str = ""
    """Reasoning of an assistant's turn. It is sent back only if the endpoint is configured so."""
    answers: str = ""
    """Of a tool's turn: id of the call that it answers."""

    @classmethod
    def of(cls, role: Role, *parts: str | Part) -> Turn:
        """Return a turn of words and pictures."""
        return cls(role, tuple(Text(part) if isinstance(part, str) else part for part in parts))

    @property
    def text(self) -> str:
        """The words of the turn, without its pictures."""
        return "\n".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures of the turn, in their order."""
        return tuple(part for part in self.parts if isinstance(part, Picture))


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON schema of its arguments."""


@dataclass(frozen=True, slots=True)
class ChatSampling:
    """How the words of a reply are chosen. None is the endpoint's own default."""

    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one reply; 0 where the server does not say."""

    prompt: int = 0
    completion: int = 0
    reasoning: int = 0
    """Those of `completion` that were reasoning."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a reply, as soon as it is written."""

    text: str = ""
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered."""

    text: str
    """The answer, without reasoning and without calls."""
    reasoning: str = ""
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    finish: Finish = "stop"
    model: str = ""
    """Name and version that the server states."""
    notes: tuple[str, ...] = ()
    """What was asked for and not granted, as sentences."""
    seconds: float = 0.0
    """From the request to the end of the reply."""
    seconds_to_first: float = 0.0
    """From the request to the first piece."""

    def turn(self) -> Turn:
        """Return the reply as the assistant's turn of the conversation."""
        return Turn("assistant", (Text(self.text),) if self.text else (), self.calls, self.reasoning)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do, as far as it is known."""

    images: bool = True
    """Whether it takes pictures in a user's turn."""
    images_of_tools: bool = False
    """Whether it takes pictures in a tool's turn. They are sent in a user's turn anyway, which every server takes."""
    tools: bool = False
    """Whether the server parses calls itself (dialect ``native``)."""
    stop: bool = True
    """Whether it ends at given words."""
    logprobs: bool = False
    """Whether it tells how probable its words were."""
    context: int | None = None
    """Largest number of tokens of prompt and reply; None if the server does not say."""
    notes: tuple[str, ...] = field(default=())
    """What is missing, as sentences."""


OnDelta = Callable[[Delta], None]
"""Receives each piece of a reply when it comes. An exception that it raises ends the reply."""


class ChatModel(Protocol):
    """Answers a conversation. One reply at a time; calls from several threads need several models."""

    @property
    def name(self) -> str:
        """How the model is called, for a transcript."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; the first question may ask a server, and raise as :meth:`complete` does."""
        ...

    def complete(
        self,
        turns: Sequence[Turn],
        *,
        stop: Sequence[str] = (),
        max_tokens: int | None = None,
        sampling: ChatSampling | None = None,
        tools: Sequence[Tool] = (),
        on_delta: OnDelta | None = None,
        stopped: Event | None = None,
    ) -> Reply:
        """Return the next turn of the assistant.

        Parameters
        ----------
        turns : sequence of Turn
            The conversation so far; the last turn is a user's or a tool's.
        stop : sequence of str, optional
            The reply ends before the first of these.
        max_tokens : int, optional
            Largest number of tokens of the reply, reasoning included.
        sampling : ChatSampling, optional
        tools : sequence of Tool, optional
            Functions that the model may call.
        on_delta : callable, optional
            Receives the pieces of the reply while it is written.
        stopped : threading.Event, optional
            Once set, the reply is given up within a tenth of a second.

        Returns
        -------
        Reply

        Raises
        ------
        ConsentMissing
            If a picture would leave this machine and nobody agreed; nothing was sent.
        ModelWithoutImages
            If the model takes no pictures.
        ContextTooShort
            If the conversation does not fit into the model's context.
        EndpointUnavailable, EndpointBusy, EndpointTimeout, EndpointRefused
            If the server cannot be reached, has too much to do, is too slow, or refuses key or request.
        ReplyDamaged
            If the reply is no chat completion, or was cut.
        ReplyEndless
            If the model reasons without coming to an answer; ``facts['reply']`` is what it wrote.
        ToolCallCut
            If the token limit cut a call; ``facts['reply']`` is what it wrote. Nothing of it should be run.
        RunInterrupted
            If `stopped` was set.
        """
        ...

    def close(self) -> None:
        """Free what the model holds. Closing twice does nothing."""
        ...
