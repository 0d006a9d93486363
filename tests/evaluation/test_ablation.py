"""The bundled editor uses the thought: without it, it cannot choose between two right answers."""

from __future__ import annotations

import importlib.util
import itertools
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

from napari_s1omni.engine.s1omni import load
from napari_s1omni.evaluation.ablation.altered_engine import CONTROL
from napari_s1omni.evaluation.ablation.run import run_ablation
from napari_s1omni.evaluation.ablation.tasks import ambiguous_samples, choice_scores
from napari_s1omni.evaluation.ablation.thoughts import falsify_trace
from napari_s1omni.evaluation.nano.traces import plain_samples, think_batched, validation_scenes
from napari_s1omni.training.prompts.prompt_templates import NOUNS, STAINS
from napari_s1omni.training.prompts.traces import TileTruth, parse_trace

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("safetensors"), reason="needs the extra 'models'")

TASK = "two requests, one tile (choice)"
SHOWN = ("as they are", "zeroed", "shuffled within task", "counterfactual trace")


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def table():
    return run_ablation("nano", scenes=22, control="nano", variants=SHOWN)


@pytest.fixture(scope="module")
def rows(table):
    return {row.variant: row for row in table if row.task == TASK}


@pytest.mark.slow
def test_two_requests_get_two_answers(rows):
    assert rows["as they are"].score > 0.3


@pytest.mark.parametrize("variant", ["zeroed", "shuffled within task"])
@pytest.mark.slow
def test_the_choice_is_lost_without_the_right_states(rows, variant):
    assert rows["as they are"].score - rows[variant].score >= 0.3


@pytest.mark.slow
def test_one_word_of_the_trace_changes_pixels(table):
    (moved,) = [row for row in table if row.task == "two requests, one tile (objects' px changed)"]
    assert moved.variant == "counterfactual trace"
    assert 0.02 < moved.low <= moved.score


@pytest.mark.slow
def test_an_editor_conditioned_on_the_task_alone_gives_one_answer_to_both(rows):
    assert rows[CONTROL].score == pytest.approx(0, abs=1e-6)
    assert rows[CONTROL].change == pytest.approx(-rows["as they are"].score)


@pytest.mark.slow
def test_a_falsified_trace_changes_the_image(table):
    (changed,) = [row for row in table if "changed" in row.task]
    assert changed.score > 0.0


@pytest.mark.slow
def test_added_noise_changes_the_trace():
    scenes = [s for s in validation_scenes(24) if s.field.dataset == "plain" and s.field.noise < 0.02]
    clean = list(plain_samples(scenes[:6], 256))
    rng = np.random.default_rng(0)
    noisy = [
        replace(s, source=np.clip(s.source + 0.16 * rng.standard_normal((1, 256, 256)), 0, 1).astype(np.float32))
        for s in clean
    ]
    engine = load("nano")
    words = [[parse_trace(t.text).noise for t in think_batched(engine, part) if t] for part in (clean, noisy)]
    engine.close()
    assert sum(a != b for a, b in zip(*words, strict=True)) >= 0.7 * len(clean)


def test_ambiguous_samples_come_in_pairs_on_one_tile():
    cases = ambiguous_samples(12, 128)
    assert cases
    for first, second in zip(cases[::2], cases[1::2], strict=True):
        assert np.array_equal(first.source, second.source)
        assert not np.array_equal(first.target, second.target)


def test_choice_is_one_for_the_truth_and_zero_for_one_answer_to_both():
    cases = ambiguous_samples(12, 128)
    assert np.allclose(choice_scores(cases, [case.target for case in cases]), 1)
    assert np.allclose(choice_scores(cases, [cases[0].target for _ in cases]), 0)


def test_falsifying_exchanges_one_word_and_its_repetitions():
    text = "<think>dark; low noise; no blur; 3 % covered; size 9 px; count 4; draw small spots masks</think>small spots"
    assert "draw large spots" in falsify_trace(text)
    assert falsify_trace("<think>empty</think>") == "<think>empty</think>"


def test_falsifying_a_trace_of_super_resolution_exchanges_noise_and_blur():
    text = "<think>detail; low noise; slight blur; draw 2 x finer</think>finer image<image_edit>"
    assert falsify_trace(text) == text.replace("low", "high").replace("slight", "strong")


def test_falsifying_changes_what_any_trace_states():
    """For every kind of target; only the numbers may stay the same."""
    words = itertools.product(("low", "medium", "high"), ("no", "slight", "strong"), (True, False), (0, 5))
    for noise, blur, bright, count in words:
        seen = {"bright": bright, "coverage": 0.1, "size": 9.0, "count": count, "noise": noise, "blur": blur}
        truths = [TileTruth("segmentation", n, size_class=c, **seen) for n in NOUNS for c in (None, "small", "large")]
        truths += [TileTruth("modality_translation", stain, **seen) for stain in STAINS]
        truths += [TileTruth("super_resolution", factor, **seen) for factor in ("2", "3", "4")]
        for truth in truths:
            before, after = parse_trace(truth.trace), parse_trace(falsify_trace(truth.trace))
            assert before != after
            assert after.target is not None
