"""nano's tokenizer: numbers are single tokens, traces are short, any text survives a round trip."""

from __future__ import annotations

import numpy as np
import pytest

from napari_s1omni.engine.s1omni.checkpoint.config import PromptingConfig
from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer
from napari_s1omni.training.data.pool import prepare, simulated_fields
from napari_s1omni.training.data.sampler import Sampler
from napari_s1omni.training.data.samples import Mixture
from napari_s1omni.training.prompts.numbers import TRACE_NUMBERS
from napari_s1omni.training.prompts.tokenizer import SPECIAL_TOKENS, number_token_ids, train_tokenizer


@pytest.fixture(scope="module")
def samples():
    scenes = [prepare(field) for field in simulated_fields(5, 12)]
    sampler = Sampler([], scenes, Mixture(simulated=1), 0)
    return [sampler.draw(64) for _ in range(400)]


@pytest.fixture(scope="module")
def prompting(samples):
    tokenizer = train_tokenizer((s.instruction + "\n" + s.truth.trace for s in samples), 1500)
    return PromptTokenizer(tokenizer, PromptingConfig())


def test_every_number_of_the_grid_is_one_token(prompting):
    ids = number_token_ids(prompting.tokenizer)
    assert len(set(ids)) == len(TRACE_NUMBERS)
    for number in TRACE_NUMBERS:
        assert len(prompting.encode(f" {number}")) == 1


def test_a_thought_takes_at_most_36_tokens(prompting, samples):
    assert max(len(prompting.encode(sample.truth.trace)) for sample in samples) <= 36


def test_special_names_are_single_tokens(prompting):
    assert all(len(prompting.encode(name)) == 1 for name in SPECIAL_TOKENS)


def test_any_text_survives_a_round_trip(prompting):
    for text in ("segment the nuclei, about 12.5 µm", "Zellkerne größer als 3 px", "核を分割する"):
        assert prompting.decode(prompting.encode(text)) == text


def test_vocabulary_size(prompting):
    assert prompting.tokenizer.get_vocab_size() <= 1500
    assert np.isin(list(prompting.ids.values()), range(1500)).all()
