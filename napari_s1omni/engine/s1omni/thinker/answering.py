"""The thinker of a checkpoint as a chat model: it answers in words, in this process, and draws nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from threading import Event

import numpy as np
import torch

from napari_s1omni.endpoint.calls import CLOSE, split_calls
from napari_s1omni.endpoint.messages import hermes_turns
from napari_s1omni.endpoint.protocol import (
    Capabilities,
    ChatSampling,
    Delta,
    Finish,
    OnDelta,
    Picture,
    Reply,
    Text,
    Tool,
    Turn,
    Usage,
)
from napari_s1omni.endpoint.reasoning import ThinkSplitter
from napari_s1omni.engine.s1omni.thinker.choosing import TokenSampling
from napari_s1omni.engine.s1omni.thinker.decoding import ImagePrompts, decode
from napari_s1omni.engine.s1omni.thinker.patches import patchify
from napari_s1omni.engine.s1omni.thinker.streaming import TextStream
from napari_s1omni.engine.s1omni.thinker.thinker import Thinker
from napari_s1omni.errors import ContextTooShort, JobError, OperationRefused, ReplyEndless, RunInterrupted, ToolCallCut

_MAX_TOKENS = 2048
"""Tokens of a reply, where nobody says."""


class ThinkerChat:
    """A thinker that answers; see :class:`napari_s1omni.endpoint.protocol.ChatModel`. No picture leaves this process.

    Parameters
    ----------
    name : str
        Name and revision of the checkpoint.
    thinker : Thinker
    computing : callable
        Context in which it computes.
    """

    def __init__(self, name: str, thinker: Thinker, computing: Callable[[], AbstractContextManager[None]]) -> None:
        self.name = name
        self._thinker: Thinker | None = thinker
        self._computing = computing

    @property
    def capabilities(self) -> Capabilities:
        """Pictures, calls in the text, and the context that the backbone was built for."""
        text = self._model.backbone.config.text_config
        return Capabilities(images=True, tools=False, context=getattr(text, "max_position_embeddings", None))

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
        """Return the next turn of the assistant; see :meth:`napari_s1omni.endpoint.protocol.ChatModel.complete`.

        Raises
        ------
        OperationRefused
            If the thinker chose to draw instead of answering.
        """
        if not turns or turns[-1].role not in ("user", "tool"):
            raise JobError("the conversation does not end with a question", "a last turn of a user or a tool")
        started = time.monotonic()
        writing = _Writing(self._model, [*stop, *([CLOSE] if tools else [])], on_delta, stopped)
        with self._computing():
            prompt, ending = self._write(turns, tools, max_tokens or _MAX_TOKENS, sampling or ChatSampling(), writing)
        return writing.reply(self.name, prompt, ending, tools, started)

    def close(self) -> None:
        """Let go of the thinker; its engine stays loaded."""
        self._thinker = None

    @property
    def _model(self) -> Thinker:
        if self._thinker is None:
            raise OperationRefused("this chat was closed", remedy="take another from its engine")
        return self._thinker

    @torch.inference_mode()
    def _write(
        self, turns: Sequence[Turn], tools: Sequence[Tool], limit: int, sampling: ChatSampling, writing: _Writing
    ) -> tuple[int, str]:
        """Decode a reply; returns the number of tokens of the prompt, and how the reply ended."""
        thinker = self._model
        plain = hermes_turns(turns, tools)
        vision = thinker.config.vision
        ids = thinker.prompting.conversation(
            [
                (
                    turn.role,
                    [p.text if isinstance(p, Text) else thinker.geometry.tokens(*p.size, vision) for p in turn.parts],
                )
                for turn in plain
            ]
        )
        context = self.capabilities.context
        if context is not None and len(ids) >= context:
            raise ContextTooShort(
                f"the conversation takes {len(ids)} tokens",
                f"the context of {self.name} is {context}",
                "show fewer or smaller pictures",
                context=context,
            )
        limit = limit if context is None else min(limit, context - len(ids))
        values, grids = self._patches([picture for turn in plain for picture in turn.pictures])
        temperature = sampling.temperature or 0.0
        seeds = (sampling.seed or 0,) if temperature else ()
        choice = TokenSampling(temperature, 1.0 if sampling.top_p is None else sampling.top_p, seeds, limit)
        try:
            found = decode(
                thinker.backbone,
                thinker.prompting,
                ImagePrompts(ids, values, grids, rows=1),
                choice,
                on_token=lambda _, token: writing.add(token),
            )
        except _Stopped:
            return len(ids), "stopped"
        return len(ids), found.endings[0]

    def _patches(self, pictures: Sequence[Picture]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        thinker = self._model
        if not pictures:
            return None, None
        cut = [
            patchify(
                torch.from_numpy(np.ascontiguousarray(p.pixels.transpose(2, 0, 1)[None], np.float32) / 255).to(
                    thinker.backbone.device
                ),
                thinker.geometry,
                thinker.config.vision,
            )
            for p in pictures
        ]
        values = torch.cat([value for value, _ in cut]).to(thinker.backbone.dtype)
        return values, torch.cat([grid for _, grid in cut])


class _Stopped(Exception):
    """A stop word was written."""


class _Writing:
    """What is being written: passed on piece by piece, ended at a stop word."""

    def __init__(self, thinker: Thinker, stop: Sequence[str], on_delta: OnDelta | None, stopped: Event | None) -> None:
        self._prompting, self._stop, self._on_delta, self._stopped = thinker.prompting, tuple(stop), on_delta, stopped
        self._hidden = {thinker.prompting.ids["turn_end"], *thinker.prompting.routes}
        self._stream = TextStream(thinker.prompting)
        self._splitter = ThinkSplitter()
        self._shown, self._tokens, self._first, self._started = "", 0, 0.0, time.monotonic()
        self._route: str | None = None

    def add(self, token: int) -> None:
        """Take the next token."""
        if self._stopped is not None and self._stopped.is_set():
            raise RunInterrupted("the question was stopped", remedy="ask again")
        self._first = self._first or time.monotonic() - self._started
        self._tokens += 1
        self._route = self._prompting.routes.get(token, self._route)
        piece = "" if token in self._hidden else self._stream.add(token)
        if not piece:
            return
        begin, text = len(self._shown), self._shown + piece
        end = min(
            (at for word in self._stop if (at := text.find(word, max(0, len(self._shown) - len(word)))) >= 0),
            default=None,
        )
        piece = text[begin:end]
        self._shown = text[:end]
        for delta in self._splitter.add(piece):
            self._pass_on(delta)
        if end is not None:
            raise _Stopped

    def reply(self, name: str, prompt: int, ending: str, tools: Sequence[Tool], started: float) -> Reply:
        """Return the reply once it has ended."""
        for delta in self._splitter.end():
            self._pass_on(delta)
        closed = ending == "stopped"
        words, reasoning = self._splitter.text.strip(), self._splitter.reasoning.strip()
        known = [tool.name for tool in tools]
        words, calls, cut = split_calls(words, closed=closed, known=known) if tools else (words, (), False)
        finish: Finish = "length" if not closed else "calls" if calls else "stop"
        notes = (
            (f"The model ended with {self._route}, which asks for a drawing; only its words count.",)
            if self._route
            else ()
        )
        usage = Usage(prompt, self._tokens)
        seconds = time.monotonic() - started
        found = Reply(words, reasoning, calls, usage, finish, name, notes, seconds, self._first)
        if cut:
            raise ToolCallCut(
                f"the limit of {self._tokens} tokens cut a call of a tool", remedy="allow more", reply=found
            )
        if ending == "repeating" or (not closed and not words and not calls):
            raise ReplyEndless(
                f"the model is {'repeating itself' if ending == 'repeating' else 'still reasoning'} after "
                f"{self._tokens} tokens",
                remedy="ask a narrower question, allow more tokens, or choose another model",
                reply=found,
            )
        if self._route and not words and not calls:
            raise OperationRefused(
                f"{name} answered with {self._route}: it wants to draw instead of answering",
                "a thinker that was trained to answer in words",
                "reword the question so that it asks for words, or choose another model",
                reply=found,
            )
        return found

    def _pass_on(self, delta: Delta) -> None:
        if self._on_delta is not None:
            self._on_delta(delta)
