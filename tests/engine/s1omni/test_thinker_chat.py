"""The thinker of a checkpoint answers as a chat model, with and without pictures, in this process."""

import threading

import numpy as np
import pytest
from tiny_checkpoints import instruction

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.endpoint.protocol import MADE_HERE, Picture, Tool, Turn
from napari_s1omni.engine.s1omni import load
from napari_s1omni.errors import ContextTooShort, JobError, OperationRefused, ReplyEndless, RunInterrupted

TOOL = Tool("python", "Runs code.", {"type": "object", "properties": {}})


@pytest.fixture(scope="module")
def engine(unet_folder):
    return load(str(unet_folder))


@pytest.fixture
def picture(tiles):
    return Picture(np.rint(np.clip(tiles[0].transpose(1, 2, 0), 0, 1) * 255).astype(np.uint8), MADE_HERE)


def test_it_writes_what_it_would_think(engine, picture):
    chat, pieces = engine.chat(), []
    pixels = (picture.pixels.transpose(2, 0, 1)[None] / 255).astype(np.float32)
    (thought,) = engine.think(pixels, instruction(), Sampling())
    question = [Turn.of("user", picture, instruction().text)]
    try:
        reply = chat.complete(question, on_delta=lambda d: pieces.append(d.reasoning + d.text))
        said, reasoning = reply.text, reply.reasoning
        assert any("drawing" in note for note in reply.notes)
    except OperationRefused as refused:
        reply = refused.facts["reply"]
        said, reasoning = reply.text, reply.reasoning
    assert reasoning == thought.trace
    assert said == thought.answer
    assert "<image_edit>" not in "".join(pieces)
    assert reply.usage.completion == len(thought.token_ids)
    assert reply.usage.prompt > 0


def test_conversations_with_several_pictures_and_none(engine, picture):
    chat = engine.chat()
    turns = [
        Turn.of("system", "You see."),
        Turn.of("user", picture, "One?", picture, "Two?"),
        Turn.of("assistant", "Yes."),
        Turn.of("user", "Sure?"),
    ]
    for conversation in (turns, turns[2:]):
        for tools in ((), (TOOL,)):
            try:
                reply = chat.complete(conversation, max_tokens=6, tools=tools)
            except (ReplyEndless, OperationRefused) as error:
                reply = error.facts["reply"]
            assert 0 < reply.usage.completion <= 6
            again = engine.chat()
            with pytest.raises(JobError, match="does not end with a question"):
                again.complete(conversation[:-1])


def test_it_stops_when_asked_and_refuses_what_does_not_fit(engine, picture, monkeypatch):
    chat, stopped = engine.chat(), threading.Event()
    stopped.set()
    with pytest.raises(RunInterrupted):
        chat.complete([Turn.of("user", picture, "?")], stopped=stopped)
    text = engine._models.thinker.backbone.config.text_config
    monkeypatch.setattr(text, "max_position_embeddings", 4)
    with pytest.raises(ContextTooShort, match=r"context of .* is 4"):
        chat.complete([Turn.of("user", picture, "?")])
    chat.close()
    with pytest.raises(OperationRefused, match="closed"):
        chat.complete([Turn.of("user", "?")])
