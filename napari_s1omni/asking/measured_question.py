"""Answers a question by measuring, without a model."""

from __future__ import annotations

import contextlib
import dataclasses
import io

import numpy as np

from napari_s1omni.asking.answer import Answer, Note
from napari_s1omni.asking.conversation import Cells, Listener
from napari_s1omni.asking.measuring import objects
from napari_s1omni.asking.measuring.answer import answer_in_words
from napari_s1omni.asking.measuring.grammar import ALLOWED, read_measurement
from napari_s1omni.asking.measuring.plan import MeasuringPlan, plan_measurement
from napari_s1omni.asking.observation import Observation
from napari_s1omni.asking.question import Question
from napari_s1omni.asking.route import Route
from napari_s1omni.asking.transcript import Transcript
from napari_s1omni.asking.viewer import Viewer
from napari_s1omni.errors import SandboxError, UnknownQuestion, ViewError

_GROUND, _WHITE = 95, 180
"""Percentile of each colour that is ground, and the level above which it counts as white."""
NAME = "reference"
"""Name of this endpoint, which every installation has."""


def measure_question(
    question: Question,
    viewer: Viewer,
    cells: Cells | None,
    transcript: Transcript,
    listener: Listener,
    said: tuple[str, ...] = (),
) -> Answer:
    """Answer a question by measuring.

    Parameters
    ----------
    question : Question
    viewer : Viewer
    cells : Cells or None
        Where the code is run; without a sandbox it is run in this process, since this package wrote it.
    transcript : Transcript
    listener : Listener
    said : tuple of str
        What the answer should say besides.

    Raises
    ------
    UnknownQuestion
        If it asks for something else.
    ViewError
        If it names a region that is not there.
    SandboxError
        If the code cannot be run to its end.
    """
    asked = read_measurement(question.text)
    if asked is None:
        raise UnknownQuestion(
            f"'{question.text[:80]}' cannot be answered by measuring alone",
            f"without a model you can ask {ALLOWED}",
            "ask one of these, or add a model with 's1omni endpoints add NAME URL' and choose it by --endpoint NAME",
        )
    spec = viewer.source.spec
    if question.channels and len(question.channels) > 1:
        raise ViewError(f"channels {question.channels}", "one channel is measured", "choose one of them")
    # Stains of nuclei absorb red light most.
    channel = question.channels[0] if question.channels else 0
    if spec.rgb and asked.polarity is None and _shows_transmitted_light(viewer):
        asked = dataclasses.replace(asked, polarity="dark")
        said = (*said, "the ground is white, so stained objects are taken to be dark")
    plan = plan_measurement(asked, spec, viewer.box, question.z, question.t, channel)
    route = Route("look", (f"{asked.noun} are measured at full resolution",))
    listener.on_route(route)
    transcript.add("route", mode=route.mode, reasons=route.reasons)
    listener.on_code(plan.code)
    notes = (*said, *plan.notes)
    if cells is None:
        observation = _measured_here(plan, viewer)
        notes = (*notes, "no sandbox works here, so the code was run without one: it is part of this package")
    else:
        observation = cells.run(plan.code, question.limits.cell_seconds)
    listener.on_observation(observation)
    if observation.error:
        raise SandboxError(
            f"the measurement ended early: {observation.error.splitlines()[-1]}",
            remedy="ask about a smaller region, or allow more time",
        )
    text, boxes = answer_in_words(plan, {note.name: note.value for note in observation.notes})
    answer = Answer(
        text=text,
        notes=observation.notes,
        boxes=tuple(boxes),
        rounds=1,
        stop="answered",
        mode="look",
        reasons=(*route.reasons, *notes),
        written_by=NAME,
        transcript=str(transcript.folder),
    )
    transcript.add("answer", **answer.to_json())
    return answer


def _shows_transmitted_light(viewer: Viewer) -> bool:
    """Whether a colour picture has white ground, as stained sections do; looks without counting as seen."""
    small = Viewer(viewer.source, box=viewer.box).view(size=256).pixels
    return bool(np.percentile(small, _GROUND, axis=(0, 1)).min() > _WHITE)


def _measured_here(plan: MeasuringPlan, viewer: Viewer) -> Observation:
    found: list[Note] = []
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        objects.measure(
            viewer.region,
            lambda name, value, unit: found.append(Note(name, float(value), unit, 1)),
            dict(plan.boxes),
            **plan.settings,
        )
    return Observation(printed.getvalue(), "", (), tuple(found), 0.0)
