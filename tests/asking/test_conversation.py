"""The conversation with a model: rounds, limits, and a model that finds a needle by reading the pictures it is sent."""

from __future__ import annotations

import threading
import traceback

import numpy as np
import pytest

from napari_s1omni.asking.answer import Note
from napari_s1omni.asking.conversation import Conversation
from napari_s1omni.asking.gain import visual_gain
from napari_s1omni.asking.observation import Observation, Shown
from napari_s1omni.asking.question import Question
from napari_s1omni.asking.transcript import Transcript, picture_path, read_transcript
from napari_s1omni.asking.viewer import Viewer
from napari_s1omni.endpoint.protocol import Capabilities, Reply, ToolCall, Usage
from napari_s1omni.errors import RunInterrupted, SandboxError, StoreExists, ToolCallCut
from napari_s1omni.storage.source import open_source


class CellsHere:
    """Runs code in this process, with the viewer's own functions."""

    def __init__(self, viewer):
        self.viewer, self.ran = viewer, []

    def run(self, code, seconds):
        self.ran.append(code)
        notes, shown, printed = [], [], []

        def view(*box, **how):
            before = list(self.viewer.pictures)
            picture = self.viewer.view(*box, **how)
            shown.append(Shown(picture.record.caption(), picture.pixels, picture, visual_gain(picture, before)))
            return picture.pixels

        names = {
            "view": view,
            "region": self.viewer.region,
            "note": lambda name, value, unit="": notes.append(Note(name, value, unit, len(self.ran))),
            "print": lambda *words: printed.append(" ".join(map(str, words))),
        }
        error = ""
        try:
            exec(code, names)
        except Exception:
            error = traceback.format_exc()
        return Observation("\n".join(printed), error, tuple(shown), tuple(notes), 0.1)


class Scripted:
    """A model that says what is written down for it, and keeps what it was sent."""

    name, capabilities = "scripted", Capabilities()

    def __init__(self, *replies):
        self.replies, self.sent, self.tools = list(replies), [], []

    def complete(self, turns, *, tools=(), stopped=None, **_):
        self.sent.append(list(turns))
        self.tools.append(tools)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, Reply) else reply(turns)

    def close(self):
        pass


def call(code, *more):
    return Reply("", calls=tuple(ToolCall("python", {"code": c}, c) for c in (code, *more)))


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    return (rng.normal(100, 3, (400, 500)) + 60 * (np.add.outer(np.arange(400), np.arange(500)) % 40 < 6)).astype(
        np.uint16
    )


@pytest.fixture
def talk(image, tmp_path):
    def make(*replies, source=None, cells=True):
        viewer = Viewer(open_source(image) if source is None else source)
        here = CellsHere(viewer) if cells else None
        return Conversation(viewer, Scripted(*replies), here, Transcript(tmp_path / "asked"))

    return make


def question(text="How many stripes are there?", **fields):
    return Question.read({"source": "memory:1", "text": text, **fields})


def test_a_measurement_becomes_a_note_of_the_answer(talk):
    talking = talk(call("note('mean', region(0, 0, 10, 10).mean(), 'counts')"), Reply("It is about 106."))
    answer = talking.ask(question())
    assert (answer.text, answer.rounds, answer.stop, answer.mode) == ("It is about 106.", 1, "answered", "look")
    assert [(n.name, n.unit) for n in answer.notes] == [("mean", "counts")]
    assert "note: mean = " in talking.model.sent[1][-1].text
    assert answer.written_by == "scripted"


def test_pictures_that_are_looked_at_are_sent_and_become_boxes(talk):
    talking = talk(call("view((10, 20, 110, 220))"), Reply("Stripes."))
    answer = talking.ask(question())
    assert answer.boxes == ((10, 20, 110, 220),)
    (picture,) = talking.model.sent[1][-1].pictures
    assert picture.size == (100, 200)
    assert "rows 10 to 110, columns 20 to 220" in talking.model.sent[1][-1].text


def test_a_question_that_needs_no_look_gets_no_tool(talk, image):
    talking = talk(Reply("Stripes."), source=open_source((image // 2).astype(np.uint8)))
    assert talking.ask(question("What is this?")).mode == "reason"
    assert talking.model.tools == [()]


def test_without_a_sandbox_it_is_answered_from_the_picture_and_said(talk):
    answer = talk(Reply("Many."), cells=False).ask(question())
    assert answer.mode == "reason"
    assert any("no code can be run here" in reason for reason in answer.reasons)


def test_only_the_first_call_is_run_and_the_same_code_once(talk):
    talking = talk(call("print(1)", "print(2)"), call("print(1)"), Reply("Done."))
    talking.ask(question())
    assert talking.cells.ran == ["print(1)"]
    assert "1 further calls were not run" in talking.model.sent[1][-1].text
    assert "exactly this code before" in talking.model.sent[2][-1].text


@pytest.mark.parametrize(
    ("replies", "stop"),
    [
        ([call(f"1/0 # {i}") for i in range(3)], "errors"),
        ([call(f"x = {i}") for i in range(3)], "no gain"),
        ([call(f"note('n', {i})") for i in range(4)], "rounds"),
        ([ToolCallCut("cut"), ToolCallCut("cut"), ToolCallCut("cut")], "errors"),
        ([Reply("", calls=(ToolCall("python", None, "{"),))] * 3, "errors"),
    ],
    ids=["errors", "no gain", "rounds", "cut", "no code"],
)
def test_a_limit_asks_for_an_answer_without_tools(talk, replies, stop):
    talking = talk(*replies, Reply("So far, 3."))
    answer = talking.ask(question(limits={"rounds": 4}))
    assert (answer.stop, answer.text) == (stop, "So far, 3.")
    assert talking.model.tools[-1] == ()
    assert "Answer now" in talking.model.sent[-1][-1].text


def test_pictures_beyond_the_limit_are_not_sent(talk):
    many = "\n".join(f"view(({i}, 0, {i + 100}, 200))" for i in range(0, 250, 50))
    talking = talk(call(many), Reply("Stripes."))
    answer = talking.ask(question(limits={"images": 2}))
    assert sum(len(turn.pictures) for turn in talking.model.sent[-1]) == 3
    assert answer.stop == "images"


def test_old_pictures_give_way_in_a_long_conversation(talk):
    looks = [call(f"view((0, 0, {300 + i}, 500))") for i in range(5)]
    talking = talk(*looks, Reply("Stripes."))
    answer = talking.ask(question(limits={"tokens": 1900, "answer_tokens": 900}))
    sent = talking.model.sent[-1]
    assert sum(len(turn.pictures) for turn in sent) < 6
    assert sent[1].pictures
    assert any("not sent again" in reason for reason in answer.reasons)


def test_a_sandbox_that_dies_is_told_to_the_model(talk):
    talking = talk(call("print(1)"), Reply("I cannot say."))
    talking.cells.run = lambda code, seconds: (_ for _ in ()).throw(SandboxError("the code was ended after 60 s"))
    talking.ask(question())
    assert "All variables are gone" in talking.model.sent[1][-1].text


def test_a_stopped_question_ends_and_keeps_its_transcript(talk):
    talking = talk(call("print(1)"), Reply("Too late."))
    talking.listener = type(talking.listener)(on_observation=lambda _: talking.stopped.set())
    talking.stopped = threading.Event()
    with pytest.raises(RunInterrupted):
        talking.ask(question())
    assert [event["kind"] for event in read_transcript(talking.transcript.folder)] == ["route", "view", "reply"]


def test_a_further_question_goes_on(talk):
    talking = talk(Reply("Six."), Reply("Yes."))
    talking.ask(question())
    talking.ask(question("Are you sure?", mode="look"))
    assert [turn.role for turn in talking.model.sent[1]] == ["system", "user", "assistant", "user"]


def test_the_transcript_holds_what_was_said_and_seen(talk):
    talking = talk(call("view((0, 0, 50, 60))"), Reply("Stripes.", usage=Usage(900, 20)))
    answer = talking.ask(question())
    folder = talking.transcript.folder
    events = read_transcript(folder)
    assert events[-1]["answer"] == "Stripes."
    assert events[-1]["boxes"] == [[0, 0, 50, 60]]
    view = next(event for event in events if event["kind"] == "view")
    assert picture_path(folder, view["digest"]).stat().st_size > 0
    assert answer.transcript == str(folder)
    with pytest.raises(StoreExists):
        Transcript(folder)


class Needle:
    """A level of a huge image that is computed where it is read."""

    dtype = np.dtype("uint16")

    def __init__(self, size, factor):
        self.shape, self.factor, self.read = (size // factor,) * 2, factor, 0

    def __getitem__(self, box):
        rows, cols = (np.arange(*s.indices(n)) * self.factor for s, n in zip(box, self.shape, strict=True))
        self.read += len(rows) * len(cols)
        # 12 px of full resolution; its light reaches one pixel of the coarsest level.
        near = (abs(rows[:, None] - 13_008) < max(6, self.factor)) & (abs(cols - 7_008) < max(6, self.factor))
        return np.where(near, 100 + 3900 * min(1, 12 / self.factor), 100).astype(np.uint16)


def test_a_needle_is_found_by_a_model_that_reads_its_pictures(talk):
    levels = [Needle(20_000, factor) for factor in (1, 2, 4, 8, 16, 32)]

    def brightest(turns):
        pixels = turns[-1].pictures[-1].pixels[..., 0]
        row, col = np.argwhere(pixels == pixels.max()).mean(0)
        return row, col, pixels.shape

    def look(turns):
        row, col, _ = brightest(turns)
        y, x = int(row * 32), int(col * 32)
        return call(f"view(({y - 200}, {x - 200}, {y + 200}, {x + 200}))")

    def tell(turns):
        row, col, shape = brightest(turns)
        text = turns[-1].text
        y0, x0 = (int(text.split(word)[1].split()[0]) for word in ("rows ", "columns "))
        return Reply(f"{y0 + row:.0f}, {x0 + col:.0f}")

    talking = talk(look, tell, source=open_source(levels, axes="yx"))
    answer = talking.ask(question("Where is the bright spot?"))
    y, x = map(int, answer.text.split(", "))
    assert abs(y - 13_008) <= 1
    assert abs(x - 7_008) <= 1
    assert len(talking.viewer.pictures) <= 4
    assert sum(level.read for level in levels) < 0.01 * 20_000**2
