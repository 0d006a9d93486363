"""Traces are written from truth and parsed back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_s1omni.training.prompts.numbers import TRACE_NUMBERS, nearest_trace_number, soft_target
from napari_s1omni.training.prompts.prompt_templates import NOUNS, PromptFacts, restoration_prompt, segmentation_prompt
from napari_s1omni.training.prompts.traces import (
    TileTruth,
    blur_word,
    measure_objects,
    noise_word,
    parse_trace,
    with_measurements,
)


def squares(count: int, edge: int) -> np.ndarray:
    labels = np.zeros((128, 128), np.uint16)
    for i in range(count):
        y, x = divmod(i, 4)
        labels[y * 32 + 4 : y * 32 + 4 + edge, x * 32 + 4 : x * 32 + 4 + edge] = i + 1
    return labels


def test_grid_is_exact_up_to_twelve_and_then_within_six_percent():
    assert TRACE_NUMBERS[:13] == tuple(range(13))
    for value in range(13, 3000):
        assert abs(nearest_trace_number(value) - value) / value <= 0.06
    assert all(b > a for a, b in itertools.pairwise(TRACE_NUMBERS))


def test_soft_target_is_a_distribution_around_the_value_and_zero_stays_exact():
    target = soft_target(TRACE_NUMBERS[30], 1.5)
    assert target.sum() == pytest.approx(1)
    assert target.argmax() == 30
    assert target[0] == 0
    assert soft_target(0, 1.5)[0] == 1


def test_measure_counts_sizes_and_covers():
    coverage, size, count = measure_objects(squares(7, 16))
    assert count == 7
    assert coverage == pytest.approx(7 * 256 / 128**2)
    assert size == pytest.approx(2 * np.sqrt(256 / np.pi))
    assert measure_objects(np.zeros((8, 8), np.uint16)) == (0.0, 0.0, 0)


def test_measure_leaves_out_slivers_at_the_side():
    labels = squares(5, 16)
    labels[127, 0:2] = 99
    assert measure_objects(labels)[2] == 5


def test_a_written_trace_is_parsed_to_the_measured_values():
    truth = with_measurements(TileTruth("segmentation", "nuclei", False, "small"), squares(9, 10), 0.05, 1.2)
    reading = parse_trace(truth.trace)
    assert reading.polarity == "dark"
    assert reading.noise == "medium"
    assert reading.blur == "slight"
    assert reading.count == 9
    assert reading.size == nearest_trace_number(truth.size)
    assert reading.target == "small nuclei masks"
    assert truth.trace.endswith("</think>small nuclei mask<image_edit>")


def test_an_empty_tile_says_so():
    truth = with_measurements(TileTruth("segmentation", "cells"), np.zeros((64, 64), np.uint16), 0.01, 0.0)
    reading = parse_trace(truth.trace)
    assert reading.polarity == "empty"
    assert (reading.count, reading.size, reading.coverage) == (0, 0, 0)


def test_unreadable_text_states_nothing():
    assert parse_trace("I see cells").count is None


@pytest.mark.parametrize(("noise", "word"), [(0.01, "low"), (0.06, "medium"), (0.15, "high")])
def test_noise_words(noise, word):
    assert noise_word(noise) == word


@pytest.mark.parametrize(("blur", "word"), [(0.3, "no"), (1.3, "slight"), (3.0, "strong")])
def test_blur_words(blur, word):
    assert blur_word(blur) == word


def test_a_request_states_what_the_image_cannot_show():
    rng = np.random.default_rng(0)
    for _ in range(50):
        text = segmentation_prompt(rng, "objects", PromptFacts(size_class="small"), None)
        assert any(word in text for word in ("small", "little", "tiny"))
        assert "px" not in text


def test_names_of_different_kinds_do_not_overlap():
    nuclei, cells = set(NOUNS["nuclei"]), set(NOUNS["cells"])
    assert not nuclei & cells
    assert not set(NOUNS["axons"]) & set(NOUNS["fibers"])


def test_a_stated_blur_is_in_the_request():
    assert "1.5 px" in restoration_prompt(np.random.default_rng(0), 1.5)
