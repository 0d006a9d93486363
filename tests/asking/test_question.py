"""The document of a question, and the route that is chosen for it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_s1omni.asking.question import Question
from napari_s1omni.asking.route import choose_route, lost_detail
from napari_s1omni.asking.viewer import Viewer
from napari_s1omni.errors import JobError
from napari_s1omni.planning.job import Box
from napari_s1omni.storage.source import open_source


def test_a_question_is_read_and_written(tmp_path):
    file = tmp_path / "question.yaml"
    file.write_text("type: ask\nsource: cells.tif\ntext: How many?\nregion: 0:100,20:90\nlimits: {rounds: 3}\n")
    question = Question.load(file)
    assert question.region == Box(y=(0, 100), x=(20, 90))
    assert question.limits.rounds == 3
    file.write_text(question.dump())
    assert Question.load(file) == question


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"text": " "}, "the question is empty"),
        ({"text": "x" * 100_000}, "100,000 characters; at most 20,000"),
        ({"mode": "think"}, "mode"),
        ({"quality": 3}, "quality"),
        ({"region": "3"}, "One range does not say which axis"),
        ({"limits": {"tokens": 2000}}, "must be fewer than tokens"),
        ({"channels": [-1]}, "channels"),
    ],
    ids=str,
)
def test_wrong_questions_are_refused(wrong, says):
    with pytest.raises(JobError, match=says):
        Question.read({"source": "cells.tif", "text": "How many?", **wrong})


@pytest.fixture(scope="module")
def fine():
    """A layer whose details are lost in a small picture."""
    rng = np.random.default_rng(0)
    image = np.zeros((2000, 2000), np.float32)
    image[tuple(rng.integers(0, 2000, (2, 20_000)))] = 1
    return (20 + 2500 * ndi.gaussian_filter(image, 1.2)).clip(0, 255).astype(np.uint8)


def route(image, text, wanted="auto", size=512):
    viewer = Viewer(open_source(image))
    return choose_route(text, viewer, viewer.view(size=size), wanted)


def test_a_picture_that_shows_all_needs_no_closer_look(fine):
    assert route(fine[:400, :400], "What kind of tissue is this?").mode == "reason"


def test_measuring_words_ask_for_a_look(fine):
    for text in ("How many cells are there?", "Wo ist der größte Kern?", "有多少个细胞?"):
        chosen = route(fine[:400, :400], text)
        assert chosen.mode == "look"
        assert "count, measure" in chosen.reasons[0]


def test_lost_detail_asks_for_a_look(fine):
    chosen = route(fine, "What kind of tissue is this?")
    assert chosen.mode == "look"
    assert "something new in" in chosen.reasons[-1]


def test_a_smooth_layer_loses_nothing():
    smooth = (np.add.outer(np.arange(2000), np.arange(2000)) // 16).astype(np.uint8)
    viewer = Viewer(open_source(smooth))
    shown = viewer.view(size=512)
    assert lost_detail(viewer, shown) == 0
    assert choose_route("What is this?", viewer, shown).mode == "reason"
    assert len(viewer.pictures) == 1


def test_hidden_planes_and_bits_ask_for_a_look(fine):
    stack = np.stack([fine[:300, :300]] * 3).astype(np.uint16)
    reasons = route(open_source(stack, axes="zyx"), "What is this?").reasons
    assert "one of 3 planes is shown" in reasons
    assert any("8 bit" in reason for reason in reasons)


def test_the_user_decides(fine):
    assert route(fine, "How many?", "reason").mode == "reason"
    assert route(fine[:200, :200], "What is this?", "look").mode == "look"
