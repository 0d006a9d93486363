"""The conversation with a model about one layer: it answers from pictures, or looks closer by code, round by round."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Protocol

from napari_s1omni.asking.answer import Answer, Note, Stop
from napari_s1omni.asking.observation import Observation
from napari_s1omni.asking.question import Question
from napari_s1omni.asking.route import Route, choose_route
from napari_s1omni.asking.token_budget import TokenBudget
from napari_s1omni.asking.transcript import Transcript
from napari_s1omni.asking.view import Picture
from napari_s1omni.asking.viewer import Viewer
from napari_s1omni.endpoint.protocol import ChatModel, Delta, Part, Reply, Text, Tool, ToolCall, Turn
from napari_s1omni.endpoint.protocol import Picture as SentPicture
from napari_s1omni.errors import ReplyEndless, RunInterrupted, SandboxError, ToolCallCut

PYTHON = Tool(
    "python",
    "Run Python code that looks at the layer and measures it. Variables are kept from call to call.",
    {"type": "object", "properties": {"code": {"type": "string", "description": "The code."}}, "required": ["code"]},
)
"""The one function that a model may call; its name is that of S1-VL's own."""

_MOST_IN_A_ROW = 3
"""Errors, or rounds without gain, after which the model is asked to answer."""
_WRAP_UP: dict[Stop, str] = {
    "rounds": "You have used all your calls.",
    "images": "No more pictures can be sent.",
    "tokens": "The conversation has nearly reached its length.",
    "seconds": "The time is up.",
    "errors": "Your code failed three times in a row.",
    "no gain": "Three calls in a row showed nothing new.",
}


class Cells(Protocol):
    """Runs code in the sandbox."""

    def run(self, code: str, seconds: float) -> Observation:
        """Run one cell for at most so many seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Listener:
    """What a surface hears while a question is answered; each is called in the thread that asks."""

    on_route: Callable[[Route], None] = lambda _: None
    on_picture: Callable[[Picture], None] = lambda _: None
    """The first picture."""
    on_words: Callable[[Delta], None] = lambda _: None
    on_code: Callable[[str], None] = lambda _: None
    on_observation: Callable[[Observation], None] = lambda _: None


@dataclass
class Conversation:
    """Questions and answers about one layer.

    Parameters
    ----------
    viewer : Viewer
    model : ChatModel
    cells : Cells or None
        None: no code can be run.
    transcript : Transcript
    listener : Listener
    stopped : threading.Event
        Once set, the question is given up.
    notes : tuple of str
        What the answer should say besides, such as why no code is run.
    """

    viewer: Viewer
    model: ChatModel
    cells: Cells | None
    transcript: Transcript
    listener: Listener = field(default_factory=Listener)
    stopped: threading.Event = field(default_factory=threading.Event)
    notes: tuple[str, ...] = ()
    turns: list[Turn] = field(default_factory=list)
    """What was said so far."""
    codes: set[str] = field(default_factory=set)
    """Code that was run."""

    def ask(self, question: Question) -> Answer:
        """Answer a question; a second one continues the conversation.

        Raises
        ------
        RunInterrupted
            If it was stopped; the transcript stays.
        EndpointError
            If the model cannot be reached or refuses.
        """
        return _Rounds(self, question).answer()


class _Rounds:
    """One question of a conversation."""

    def __init__(self, conversation: Conversation, question: Question) -> None:
        self._talk, self._question = conversation, question
        self._limits = question.limits
        self._begin = time.monotonic()
        self._budget = TokenBudget(question.limits.tokens)
        self._measured: list[Note] = []
        self._rounds = self._pictures = self._errors = self._idle = 0
        self._said: list[str] = list(conversation.notes)

    def answer(self) -> Answer:
        question, talk = self._question, self._talk
        shown = talk.viewer.view(z=question.z, t=question.t, channels=question.channels)
        route = choose_route(question.text, talk.viewer, shown, question.mode)
        if route.mode == "look" and talk.cells is None:
            route = Route("reason", (*route.reasons, "no code can be run here, so it is answered from the picture"))
        talk.listener.on_route(route)
        talk.listener.on_picture(shown)
        talk.transcript.add("route", mode=route.mode, reasons=route.reasons)
        talk.transcript.add("view", cell=0, **shown.record.to_json())
        talk.transcript.add_picture(shown.pixels)
        self._open(route, shown)
        reply, stop = self._look() if route.mode == "look" else (self._complete(()), "answered")
        answer = Answer(
            text=reply.text,
            notes=tuple(self._measured),
            boxes=tuple(dict.fromkeys(p.record.box for p in talk.viewer.pictures[1:])) or (shown.record.box,),
            rounds=self._rounds,
            stop=stop,
            mode=route.mode,
            reasons=(*route.reasons, *self._said),
            written_by=talk.model.name,
            transcript=str(talk.transcript.folder),
        )
        talk.transcript.add("answer", **answer.to_json())
        return answer

    def _open(self, route: Route, shown: Picture) -> None:
        """Begin the conversation, or continue it."""
        words = files("napari_s1omni.asking").joinpath("prompts", f"{route.mode}.md").read_text("utf-8")
        system = Turn.of("system", words.replace("{rounds}", str(self._limits.rounds)))
        turns = self._talk.turns
        turns[:1] = [system]
        spec = self._talk.viewer.source.spec
        axes = ", ".join(f"{a}: {n}" for a, n in zip(spec.axes, spec.shape, strict=True))
        facts = f"The layer has {axes}, type {spec.dtype}, {len(self._talk.viewer.levels)} levels."
        unit = spec.unit_of("x")
        size = None if unit is None else (spec.scale_of("x"), unit)
        picture = self._sent(shown.pixels)
        turns.append(Turn.of("user", f"{facts}\n{shown.record.caption(size)}", picture, self._question.text))

    def _look(self) -> tuple[Reply, Stop]:
        """Let the model look until it answers, or a limit is reached."""
        while (stop := self._reached()) is None:
            try:
                reply = self._complete((PYTHON,))
            except ToolCallCut:
                self._errors += 1
                self._tell("Your call was cut at the token limit and not run. Write shorter code.")
                continue
            if not reply.calls:
                return reply, "answered"
            self._call(reply.calls)
        self._talk.transcript.add("stop", why=stop)
        self._tell(f"{_WRAP_UP[stop]} Answer now with what you have, without another call.")
        return self._complete(()), stop

    def _reached(self) -> Stop | None:
        """Return the limit that is reached, if any."""
        turns = self._talk.turns
        reached: dict[Stop, bool] = {
            "rounds": self._rounds >= self._limits.rounds,
            "images": self._pictures >= self._limits.images,
            "tokens": self._budget.fitting(turns, self._limits.answer_tokens)[0] == [],
            "seconds": time.monotonic() - self._begin > self._limits.seconds,
            "errors": self._errors >= _MOST_IN_A_ROW,
            "no gain": self._idle >= _MOST_IN_A_ROW,
        }
        return next((stop for stop, yes in reached.items() if yes), None)

    def _complete(self, tools: Sequence[Tool]) -> Reply:
        """Ask the model for its next turn."""
        talk = self._talk
        if talk.stopped.is_set():
            raise RunInterrupted("the question was stopped", remedy="its transcript is kept")
        turns, dropped = self._budget.fitting(talk.turns, self._limits.answer_tokens)
        if dropped:
            self._note(f"{dropped} of the older pictures were not sent again, since the conversation is long")
        left = max(self._limits.answer_tokens, self._limits.tokens - self._budget.count(turns))
        try:
            reply = talk.model.complete(
                turns, tools=tools, max_tokens=left, on_delta=talk.listener.on_words, stopped=talk.stopped
            )
        except ReplyEndless as error:
            talk.transcript.add("endless", reply=str(error.facts.get("reply", "")))
            raise
        self._budget.learn(turns, reply.usage.prompt)
        for note in reply.notes:
            self._note(note)
        talk.turns.append(reply.turn())
        talk.transcript.add(
            "reply",
            text=reply.text,
            reasoning=reply.reasoning,
            calls=[call.raw for call in reply.calls],
            finish=reply.finish,
            model=reply.model,
            tokens=[reply.usage.prompt, reply.usage.completion],
            seconds=reply.seconds,
        )
        return reply

    def _call(self, calls: Sequence[ToolCall]) -> None:
        """Run the first call; say of the others that they were not run."""
        call, others = calls[0], len(calls) - 1
        skipped = f"\n{others} further calls were not run: make one at a time." if others else ""
        code = None if call.arguments is None else call.arguments.get("code")
        if call.name != PYTHON.name or not isinstance(code, str) or not code.strip():
            self._errors += 1
            self._tell(f"That is no call of {PYTHON.name} with code.{skipped}", call)
            return
        self._rounds += 1
        if code in self._talk.codes:
            self._idle += 1
            self._tell(f"You have run exactly this code before; its result is the same.{skipped}", call)
            return
        self._talk.codes.add(code)
        observation = self._run(code)
        self._errors = self._errors + 1 if observation.error else 0
        self._idle = 0 if observation.gained else self._idle + 1
        self._measured += observation.notes
        parts: list[str | Part] = [observation.words() + skipped]
        for one in observation.shown:
            if self._pictures < self._limits.images:
                self._pictures += 1
                parts.append(self._sent(one.pixels))
        self._tell_parts(parts, call)

    def _run(self, code: str) -> Observation:
        talk = self._talk
        assert talk.cells is not None  # a model only gets the tool where code can be run
        talk.listener.on_code(code)
        left = self._limits.seconds - (time.monotonic() - self._begin)
        try:
            observation = talk.cells.run(code, max(1.0, min(self._limits.cell_seconds, left)))
        except SandboxError as error:
            observation = Observation("", f"{error} All variables are gone.", (), (), 0.0)
        talk.listener.on_observation(observation)
        return observation

    def _tell(self, words: str, call: ToolCall | None = None) -> None:
        self._tell_parts([words], call)

    def _tell_parts(self, parts: Sequence[str | Part], call: ToolCall | None) -> None:
        if call is None:
            self._talk.turns.append(Turn.of("user", *parts))
            return
        turn = Turn("tool", tuple(Text(p) if isinstance(p, str) else p for p in parts), answers=call.id)
        self._talk.turns.append(turn)

    def _note(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.append(sentence)

    def _sent(self, pixels: object) -> SentPicture:
        return SentPicture(pixels, self._talk.viewer.source.spec.source or "a layer in memory")  # type: ignore[arg-type]
