"""Choosing, ending and streaming of tokens, compared with looking at everything for each token."""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_checkpoints import PROMPTING, tiny_tokenizer

from napari_s1omni.engine.s1omni.checkpoint.config import PromptingConfig
from napari_s1omni.engine.s1omni.thinker import choosing
from napari_s1omni.engine.s1omni.thinker.choosing import TokenSampling, choose_tokens
from napari_s1omni.engine.s1omni.thinker.ending import RepetitionWatch, ThoughtEnding
from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer
from napari_s1omni.engine.s1omni.thinker.streaming import TextStream


@pytest.fixture(scope="module")
def prompting():
    return PromptTokenizer(tiny_tokenizer(), PromptingConfig(**PROMPTING))


def _sort_everything(logits, temperature, top_p, generators):
    """All tokens sorted, the nucleus cut off, one number per row looked up in its cumulative sum."""
    probabilities = torch.softmax(logits.double() / temperature, -1)
    ordered, order = torch.sort(probabilities, dim=-1, descending=True, stable=True)
    sums = torch.cumsum(ordered, -1)
    for row, generator in enumerate(generators):
        last = min(int(torch.count_nonzero(sums[row] < top_p)), sums.shape[1] - 1)
        mark = generator.random() * sums[row, last].item()
        yield order[row, min(int(torch.count_nonzero(sums[row] <= mark)), last)].item()


def _kinds(size):
    torch.manual_seed(7)
    yield "sure", torch.randn(3, size) * 12
    yield "flat", torch.randn(3, size) * 0.1
    yield "all the same", torch.zeros(3, size)
    yield "many equal ones", torch.randint(-2, 3, (3, size)).float()
    yield "one possible token", torch.full((3, size), -float("inf")).index_fill(1, torch.tensor([size - 1]), 0.0)


@pytest.mark.parametrize("size", [3, 257, 5000])
@pytest.mark.parametrize("top_p", [1.0, 0.95, 0.5, 1e-6])
@pytest.mark.parametrize("temperature", [0.7, 1.3])
def test_a_draw_is_that_of_sorting_all_tokens(size, top_p, temperature):
    for kind, logits in _kinds(size):
        ours, theirs = ([np.random.Generator(np.random.Philox(seed)) for seed in range(3)] for _ in range(2))
        for _ in range(8):
            picked = choose_tokens(logits, TokenSampling(temperature, top_p), ours)
            assert picked == list(_sort_everything(logits, temperature, top_p, theirs)), kind


@pytest.mark.parametrize("number", [0.0, np.nextafter(1.0, 0.0), 0.5])
def test_numbers_at_the_ends_of_the_range(number):
    generators = [SimpleNamespace(random=lambda: number)] * 3
    for kind, logits in _kinds(5000):
        for top_p in (1.0, 0.9):
            expected = list(_sort_everything(logits, 1.0, top_p, generators))
            assert choose_tokens(logits, TokenSampling(1.0, top_p), generators) == expected, kind


def test_few_tokens_of_a_sure_thinker_are_sorted(monkeypatch):
    sorted_tokens = []
    sort = choosing._sort

    def counted(probabilities, ids):
        sorted_tokens.append(len(ids))
        return sort(probabilities, ids)

    monkeypatch.setattr(choosing, "_sort", counted)
    torch.manual_seed(0)
    generators = [np.random.Generator(np.random.Philox(seed)) for seed in range(8)]
    for _ in range(20):
        choose_tokens(torch.randn(8, 20_000) * 10, TokenSampling(1.0, 1.0), generators)
    assert np.mean(sorted_tokens) < 20
    assert max(sorted_tokens) < 200


def _repeats(ids):
    """Compare the tail with itself, for every period."""
    return any(
        len(ids) >= (span := max(24, 4 * period)) and ids[-span:-period] == ids[len(ids) - span + period :]
        for period in range(1, 33)
    )


def test_repetition_is_found_as_soon_as_it_is_there():
    rng = random.Random(1)
    for _ in range(60):
        motif = [rng.randrange(4) for _ in range(rng.randint(1, 40))]
        ids = [rng.randrange(4) for _ in range(rng.randint(0, 90))] + motif * rng.randint(1, 6)
        watch = RepetitionWatch()
        assert [watch.repeats(token) for token in ids] == [_repeats(ids[: i + 1]) for i in range(len(ids))]


def test_a_route_inside_the_reasoning_does_not_end_a_thought(prompting):
    def ended(text):
        ending = ThoughtEnding(prompting)
        return [ending.add(token) for token in prompting.encode(text)]

    assert ended("<think>a<image_gen></think>b<image_edit>")[-1] == "stopped"
    assert not any(ended("<think>a<image_gen></think>b<image_edit>")[:-1])
    assert not any(ended("</think>a<think>b<image_edit>"))
    assert ended("a<image_edit>")[-1] == "stopped"
    assert ended("<think>a<|im_end|>")[-1] == "stopped"


@pytest.mark.parametrize(
    "text", ["<think>size 3 µm; 細胞 🔬🧫</think>\nok<image_edit>", "🧬" * 50, "e\u0301 a b  c\n\n"]
)
def test_pieces_are_whole_characters_and_add_up_to_the_text(prompting, text):
    ids = prompting.encode(text)
    stream = TextStream(prompting)
    pieces = [stream.add(token) for token in ids]
    assert "".join(pieces) == prompting.decode(ids) == text
    assert not any("\ufffd" in piece for piece in pieces)


def test_a_streamed_token_costs_the_same_at_any_length(prompting, monkeypatch):
    decoded = []
    decode = PromptTokenizer.decode
    monkeypatch.setattr(PromptTokenizer, "decode", lambda self, ids: decoded.append(len(ids)) or decode(self, ids))
    stream = TextStream(prompting)
    for token in prompting.encode("words and more words " * 200):
        stream.add(token)
    assert max(decoded) <= 8


def test_bytes_that_are_no_text_are_shown_once_text_follows(prompting):
    """As decoding everything anew would show them."""
    rng = random.Random(3)
    ids = [rng.randrange(256) for _ in range(400)]
    stream, shown, whole = TextStream(prompting), "", ""
    for i, token in enumerate(ids):
        shown += stream.add(token)
        text = prompting.decode(ids[: i + 1])
        whole = whole if text.endswith("\ufffd") else text
        assert shown == whole
