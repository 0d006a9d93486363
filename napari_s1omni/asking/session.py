"""Asks questions about one layer: opens the layer, the model and the sandbox, and closes them."""

from __future__ import annotations

import importlib.metadata
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from napari_s1omni.asking.answer import Answer
from napari_s1omni.asking.cells import SandboxCells, layer_facts
from napari_s1omni.asking.conversation import Cells, Conversation, Listener
from napari_s1omni.asking.measured_question import NAME as REFERENCE
from napari_s1omni.asking.measured_question import measure_question
from napari_s1omni.asking.question import Question
from napari_s1omni.asking.replay import Replay, check_layer, question_of, replay
from napari_s1omni.asking.transcript import Transcript, read_transcript
from napari_s1omni.asking.view import PixelBox
from napari_s1omni.asking.viewer import Viewer
from napari_s1omni.endpoint.protocol import ChatModel
from napari_s1omni.errors import JobError, SandboxMissing
from napari_s1omni.planning.job import Box, SourceRef
from napari_s1omni.sandbox.kernel import Kernel
from napari_s1omni.settings import cache_folder
from napari_s1omni.storage.regions.region import open_region
from napari_s1omni.storage.source import Source, open_source

OpenKernel = Callable[[Question], Kernel]


def open_sandbox(question: Question) -> Kernel:
    """Return a process in which code is confined.

    Raises
    ------
    SandboxMissing
        If none works on this machine.
    """
    from napari_s1omni.sandbox.opening import open_kernel
    from napari_s1omni.sandbox.policy import Limits

    return open_kernel(Limits(cell_seconds=question.limits.cell_seconds))


@dataclass(frozen=True, slots=True)
class _Opened:
    """What belongs to the questions about one layer."""

    viewer: Viewer
    cells: Cells | None
    transcript: Transcript
    notes: tuple[str, ...]
    talk: Conversation | None = None
    """None where no model is asked."""


@dataclass
class Asking:
    """Questions about one layer; use it in a ``with`` statement.

    Parameters
    ----------
    first : Question
        The layer, its part, the endpoint and the limits are taken from it; each further question goes on.
    folder : Path, optional
        Folder of the transcript; by default a new one in the cache.
    source : Source, optional
        The layer, where it is open already.
    model : ChatModel, optional
        The model, where it is loaded already; by default that of the question's endpoint.
    listener : Listener, optional
        Hears what happens.
    stopped : threading.Event, optional
        Once set, a question is given up.
    open_kernel : callable, optional
        Opens the sandbox.
    """

    first: Question
    folder: Path | None = None
    source: Source | None = None
    model: ChatModel | None = None
    listener: Listener = field(default_factory=Listener)
    stopped: threading.Event = field(default_factory=threading.Event)
    open_kernel: OpenKernel = open_sandbox
    _kernel: Kernel | None = None
    _opened: _Opened | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the sandbox, and let go of the model."""
        if self._kernel is not None:
            self._kernel.close()
        if self.model is not None:
            self.model.close()
        self._kernel = self.model = None

    def ask(self, question: Question | None = None) -> Answer:
        """Answer the first question, or a further one.

        Raises
        ------
        SourceError, ViewError
            If the layer, or the part that is asked about, cannot be read.
        UnknownQuestion
            If it cannot be answered without a model, and none was chosen.
        EndpointError, ConsentMissing
            If the model cannot be reached, or nobody agreed that pictures leave this computer.
        RunInterrupted
            If it was stopped.
        """
        question = question or self.first
        opened = self._opened = self._opened or self._open()
        opened.transcript.add("asked", text=question.text)
        if opened.talk is None:
            return measure_question(
                question, opened.viewer, opened.cells, opened.transcript, self.listener, opened.notes
            )
        return opened.talk.ask(question)

    def _open(self) -> _Opened:
        """Open the layer, the model if one is asked, the transcript and the sandbox."""
        self.source = self.source or _open(self.first.source)
        notes: list[str] = []
        viewer = Viewer(self.source, box=_part(self.first, self.source, notes))
        if self.model is None and self.first.endpoint != REFERENCE:
            self.model = _model_of(self.first.endpoint)
        transcript = Transcript(self.folder or _new_folder(self.first.text))
        transcript.add(
            "question",
            version=1,
            package=importlib.metadata.version("napari_s1omni"),
            time=time.strftime("%Y-%m-%dT%H:%M:%S"),
            question=self.first.model_dump(mode="json", exclude_defaults=True),
            layer=self.source.fingerprint(),
            facts=layer_facts(viewer),
            model=REFERENCE if self.model is None else self.model.name,
        )
        cells, missing = self._cells(viewer, transcript)
        if self.model is None:
            return _Opened(viewer, cells, transcript, tuple(notes))
        said = (*notes, missing) if missing else tuple(notes)
        talk = Conversation(viewer, self.model, cells, transcript, self.listener, self.stopped, said)
        return _Opened(viewer, cells, transcript, said, talk)

    def _cells(self, viewer: Viewer, transcript: Transcript) -> tuple[Cells | None, str]:
        """Return where code is run, or None and why no sandbox works."""
        if self.first.mode == "reason" and self.model is not None:
            return None, ""
        try:
            self._kernel = self.open_kernel(self.first)
        except SandboxMissing as error:
            transcript.add("no sandbox", why=str(error))
            return None, str(error)
        return SandboxCells(self._kernel, viewer, transcript), ""


def replay_folder(folder: Path, source: Any = None, open_kernel: OpenKernel = open_sandbox) -> Replay:
    """Run the code of an answered question again, and compare.

    Parameters
    ----------
    folder : Path
        Folder of a transcript.
    source : path, URI or array, optional
        The same layer, where it is not any more where it was.

    Raises
    ------
    StoreMissing, StoreDamaged
        If there is no transcript, it is damaged, or the layer is another one.
    SourceError
        If the layer cannot be read.
    SandboxMissing
        If no code can be run here.
    """
    events = read_transcript(folder)
    question, digest = question_of(events, folder)
    layer = _open(question.source) if source is None else open_source(source)
    check_layer(layer, digest, folder)
    viewer = Viewer(layer, box=_part(question, layer, []))
    kernel = open_kernel(question)
    try:
        return replay(events, question, viewer, SandboxCells(kernel, viewer))
    finally:
        kernel.close()


def _open(ref: SourceRef) -> Source:
    return open_source(ref.uri, level=ref.level, axes=ref.axes, scale=ref.scale, units=ref.units)


def _model_of(name: str) -> ChatModel:
    from napari_s1omni.endpoint.configuration import endpoint
    from napari_s1omni.endpoint.server import ServerModel

    return ServerModel(endpoint(name))


def _part(question: Question, source: Source, notes: list[str]) -> PixelBox | None:
    """Return the part of a layer that may be seen; of outlines and masks, the box around them."""
    asked = question.region
    if asked is None:
        return None
    height, width = source.spec.size("y"), source.spec.size("x")
    if isinstance(asked, Box):
        y, x = asked.y or (0, height), asked.x or (0, width)
    else:
        bounds = open_region(asked, source.spec).bounds
        y, x = bounds.get("y", (0, height)), bounds.get("x", (0, width))
        notes.append("the box around the region is looked at, not its outline alone")
    if y[1] > height or x[1] > width:
        raise JobError(
            f"the region has rows {y[0]}:{y[1]} and columns {x[0]}:{x[1]}",
            f"the layer has {height} rows and {width} columns",
            "name a part of it",
        )
    return PixelBox(y[0], x[0], y[1], x[1])


def _new_folder(text: str) -> Path:
    words = "-".join(re.findall(r"\w+", text.lower())[:6])[:48] or "question"
    base = cache_folder() / "questions"
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{words}"
    return next(path for n in range(10_000) if not (path := base / (stem if not n else f"{stem}-{n}")).exists())
