from __future__ import annotations

import dataclasses
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_checkpoints import TRACES, instruction
from transformers.utils import logging

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.engine.s1omni import load
from napari_s1omni.engine.s1omni.thinker import decoding
from napari_s1omni.engine.s1omni.thinker.choosing import TokenSampling, choose_tokens
from napari_s1omni.engine.s1omni.thinker.ending import is_repeating
from napari_s1omni.errors import ThoughtError

KINDS = ("empty", "noise", "ramp", "noise")


@pytest.fixture(scope="module")
def thinker(unet_folder):
    return load(str(unet_folder))._models.thinker


@pytest.fixture(scope="module")
def images(tiles):
    return torch.from_numpy(tiles)


@pytest.fixture
def mode(thinker):
    """Change the checkpoint's condition settings for one test."""
    before = thinker.config

    def change(**settings):
        condition = before.condition.model_copy(update=settings)
        thinker.config = before.model_copy(update={"condition": condition})
        return thinker

    yield change
    thinker.config = before


def _real(condition, i):
    return condition.states[i][condition.mask[i]]


def test_thoughts_describe_the_tile(thinker, images):
    written = [""] * 4

    def listen(i, piece):
        written[i] += piece

    thoughts = thinker.think(images, instruction().text, Sampling(), listen)
    assert [t.text for t in thoughts] == [TRACES[kind] for kind in KINDS]
    assert written == [t.text for t in thoughts]
    assert {t.route for t in thoughts} == {"<image_edit>"}
    assert {t.prompt for t in thoughts} == {instruction().text}


def test_own_loop_writes_what_generate_writes(thinker, images):
    """Greedy decoding by transformers' own loop gives the same tokens."""
    prompt = thinker._prompt(instruction().text, images)
    values, grid = thinker._patches(images)
    ids = torch.tensor([prompt.ids] * 4)
    theirs = thinker.backbone.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        pixel_values=values,
        image_grid_thw=grid,
        mm_token_type_ids=(ids == thinker.prompting.ids["image_pad"]).int(),
        max_new_tokens=12,
        do_sample=False,
        eos_token_id=[thinker.prompting.ids["edit_route"]],
        pad_token_id=0,
    )
    thoughts = thinker.think(images, instruction().text, Sampling())
    for thought, row in zip(thoughts, theirs[:, len(prompt.ids) :].tolist(), strict=True):
        assert list(thought.token_ids) == row[: len(thought.token_ids)]


@pytest.mark.parametrize("spelling", ["past_key_values", "cache"])
def test_the_cache_is_handed_on_by_the_name_the_model_knows(monkeypatch, thinker, images, spelling):
    expected = thinker.think(images, instruction().text, Sampling())
    model = thinker.backbone.model
    forward, own = model.forward, decoding.cache_name(model)

    def respelled(given, options):
        out = forward(**{own: given}, **options)
        return SimpleNamespace(last_hidden_state=out.last_hidden_state, **{spelling: getattr(out, own)})

    def before_5_24(past_key_values=None, **options):
        return respelled(past_key_values, options)

    def since_5_24(cache=None, **options):
        return respelled(cache, options)

    monkeypatch.setattr(model, "forward", since_5_24 if spelling == "cache" else before_5_24)
    assert decoding.cache_name(model) == spelling
    assert [t.text for t in thinker.think(images, instruction().text, Sampling())] == [t.text for t in expected]


def test_transformers_warns_of_nothing_while_thinking(thinker, images, caplog):
    """Its deprecations come as warnings, which fail a test, or through its log, which people see."""
    logging.warning_once.cache_clear()
    caplog.set_level("WARNING")
    transformers_log = logging.get_logger("transformers")
    transformers_log.addHandler(caplog.handler)
    try:
        thinker.think(images, instruction().text, Sampling())
    finally:
        transformers_log.removeHandler(caplog.handler)
    assert not caplog.records


def test_more_tiles_than_a_batch(thinker, images):
    many = images[[0, 1, 2, 3, 2, 0]]
    texts = [t.text for t in thinker.think(many, instruction().text, Sampling())]
    assert texts == [TRACES[KINDS[i]] for i in (0, 1, 2, 3, 2, 0)]


def test_sampling_depends_on_the_tile_not_on_its_position(thinker, images):
    hot = Sampling(temperature=0.9, seed=3, max_new_tokens=60)
    first = thinker.think(images, instruction().text, hot)
    turned = thinker.think(images.flip(0), instruction().text, hot)
    assert [t.token_ids for t in first] == [t.token_ids for t in turned[::-1]]
    others = [thinker.think(images, instruction().text, hot.replace(seed=seed)) for seed in range(10, 16)]
    assert any(other != first for other in others)


def test_top_p_keeps_only_the_most_probable():
    logits = torch.log(torch.tensor([[0.6, 0.3, 0.1]]))
    generator = np.random.Generator(np.random.Philox(0))
    picked = [choose_tokens(logits, TokenSampling(1.0, 0.5, (0,)), [generator])[0] for _ in range(50)]
    assert set(picked) == {0}
    picked = [choose_tokens(logits, TokenSampling(1.0, 1.0, (0,)), [generator])[0] for _ in range(2000)]
    shares = np.bincount(picked, minlength=3) / 2000
    np.testing.assert_allclose(shares, [0.6, 0.3, 0.1], atol=0.05)


# Endless and repeating thoughts


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([5] * 24, True),
        ([5] * 23, False),
        ([1, 2, 3] * 8, True),
        (list(range(100)), False),
        ([9, 8, 7, *[1, 2, 3, 4, 5, 6, 7] * 4], True),
        (list(range(40)) * 2, False),
    ],
)
def test_repetition(ids, expected):
    assert is_repeating(ids) is expected


def _scripted(monkeypatch, thinker, scripts):
    """Let the thinker write given token sequences, one per pass; returns the temperatures used."""
    passes = iter(scripts)
    temperatures = []
    real = decoding.decode

    def decode(*arguments, **options):
        script = list(next(passes))
        temperatures.append(options["choice"].temperature)
        place = itertools.count()

        def choose(logits, choice, generators):
            step = next(place)
            return [script[min(step, len(script) - 1)]] * len(logits)

        monkeypatch.setattr(decoding, "choose_tokens", choose)
        return real(*arguments, **options)

    monkeypatch.setattr("napari_s1omni.engine.s1omni.thinker.thinker.decode", decode)
    return temperatures


def test_a_repeating_thought_is_tried_once_more(monkeypatch, thinker, images):
    good = thinker.prompting.encode(TRACES["noise"])
    temperatures = _scripted(monkeypatch, thinker, [thinker.prompting.encode("ab" * 40), good])
    (thought,) = thinker.think(images[:1], instruction().text, Sampling(max_new_tokens=100))
    assert thought.token_ids == good
    assert thought.remark == "A first attempt was repeating; this is the second."
    assert temperatures[0] == 0
    assert temperatures[1] > 0


def test_the_second_attempt_at_a_sampled_thought_is_another(monkeypatch, thinker, images):
    """It has other random numbers, else it would run away as the first did; they are the same in each run."""
    written = []
    real, choose = thinker._write, decoding.choose_tokens
    # The tiny thinker is too sure of its three words to say anything else at this temperature.
    monkeypatch.setattr(decoding, "choose_tokens", lambda logits, *rest: choose(logits * 0.2, *rest))

    def write(*arguments):
        ids, _ = real(*arguments)
        written.append(list(ids[0]))
        return ids, ["too long"] * len(ids)

    monkeypatch.setattr(thinker, "_write", write)
    hot = Sampling(temperature=0.9, seed=3, max_new_tokens=60)
    for _ in range(2):
        with pytest.raises(ThoughtError, match="twice"):
            thinker.think(images[1:2], instruction().text, hot)
    assert written[0] != written[1]
    assert written[2:] == written[:2]


@pytest.mark.parametrize(("text", "ending"), [("ab" * 40, "repeating"), ("the quick brown fox jumps over", "too long")])
def test_two_failed_attempts_are_an_error(monkeypatch, thinker, images, text, ending):
    ids = thinker.prompting.encode(text)
    _scripted(monkeypatch, thinker, [ids, ids])
    with pytest.raises(ThoughtError) as caught:
        thinker.think(images[:1], instruction().text, Sampling(max_new_tokens=24 if ending == "too long" else 100))
    assert caught.value.facts["ending"] == ending
    assert caught.value.facts["tile"] == 0
    assert len(thinker.prompting.encode(caught.value.facts["text"])) <= 100


def test_a_route_named_while_thinking_does_not_decide(monkeypatch, thinker, images):
    ids = thinker.prompting.encode("<think>not <image_gen></think>\nok<image_edit>")
    _scripted(monkeypatch, thinker, [ids])
    (thought,) = thinker.think(images[:1], instruction().text, Sampling())
    assert thought.token_ids == ids
    assert thought.route == "<image_edit>"


def test_a_thought_may_end_in_words(monkeypatch, thinker, images):
    _scripted(monkeypatch, thinker, [thinker.prompting.encode("<think>a</think>\nAll is well.<|im_end|>")])
    (thought,) = thinker.think(images[:1], "How are you?", Sampling(max_new_tokens=60))
    assert thought.route is None
    assert thought.answer == "All is well."


# Conditions


@pytest.mark.parametrize("kind", ["reencode", "reencode_with_pixels", "capture"])
@pytest.mark.parametrize("final_norm", ["post", "pre"])
def test_a_stored_thought_gives_the_same_condition_to_the_bit(mode, images, kind, final_norm):
    thinker = mode(mode=kind, final_norm=final_norm)
    thoughts = thinker.think(images, instruction().text, Sampling())
    first = thinker.condition(images, thoughts, Sampling())
    thinker.think(images.flip(0) * 0.5, instruction().text, Sampling())  # something else in between
    stored = [Thought(t.text, tuple(t.token_ids), t.route, t.prompt) for t in thoughts]
    again = thinker.condition(images, stored, Sampling())
    assert torch.equal(first.states, again.states)
    assert torch.equal(first.mask, again.mask)
    alone = thinker.condition(images[2:3], stored[2:3], Sampling())
    assert torch.equal(_real(alone, 0), _real(first, 2))


def test_capture_equals_running_again_with_pixels(mode, images):
    thoughts = mode(mode="capture").think(images, instruction().text, Sampling())
    captured = mode(mode="capture").condition(images, thoughts, Sampling())
    with_pixels = mode(mode="reencode_with_pixels").condition(images, thoughts, Sampling())
    without = mode(mode="reencode").condition(images, thoughts, Sampling())
    for i in range(4):
        torch.testing.assert_close(_real(captured, i), _real(with_pixels, i), atol=2e-5, rtol=1e-4)
        assert float((_real(captured, i) - _real(without, i)).abs().mean()) > 1e-2


def test_without_pixels_the_image_reaches_the_condition_only_through_words(mode, images):
    thinker = mode(mode="reencode")
    thoughts = thinker.think(images, instruction().text, Sampling())
    swapped = thinker.condition(images.flip(0), thoughts, Sampling())
    assert torch.equal(swapped.states, thinker.condition(images, thoughts, Sampling()).states)
    seeing = mode(mode="reencode_with_pixels")
    assert not torch.equal(
        seeing.condition(images.flip(0), thoughts, Sampling()).states,
        seeing.condition(images, thoughts, Sampling()).states,
    )


def test_condition_holds_the_users_turn_the_thought_and_the_end(mode, images):
    thinker = mode(mode="reencode")
    (thought,) = thinker.think(images[:1], instruction().text, Sampling())
    prompt = thinker._prompt(instruction().text, images)
    condition = thinker.condition(images[:1], [thought], Sampling())
    ids = torch.tensor([[*prompt.ids, *thought.token_ids, thinker.prompting.ids["turn_end"]]])
    plain = thinker.backbone.model(input_ids=ids).last_hidden_state[0, prompt.prefix :]
    torch.testing.assert_close(_real(condition, 0), plain, atol=1e-5, rtol=1e-4)
    assert condition.mask.shape[1] > condition.mask.sum()


def test_before_the_norm_and_after_it(mode, images):
    thoughts = mode(mode="reencode", final_norm="pre").think(images, instruction().text, Sampling())
    before = mode(mode="reencode", final_norm="pre").condition(images, thoughts, Sampling())
    after = mode(mode="reencode", final_norm="post").condition(images, thoughts, Sampling())
    norm = mode().backbone.model.language_model.norm
    torch.testing.assert_close(norm(_real(before, 0)), _real(after, 0), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(_real(before, 0), _real(after, 0), atol=1e-2)


def test_image_placeholders_may_be_dropped(mode, images):
    thoughts = mode().think(images, instruction().text, Sampling())
    full = mode(image_pads=True).condition(images, thoughts, Sampling())
    short = mode(image_pads=False).condition(images, thoughts, Sampling())
    assert int(full.mask[0].sum()) - int(short.mask[0].sum()) == 4


def test_length_does_not_depend_on_the_thought(mode, images):
    thinker = mode(mode="reencode")
    long, short = "<think>" + "x" * 20 + "</think>ok<image_edit>", "<image_edit>"
    shapes = {
        thinker.condition(
            images[:1], [Thought(text, (), "<image_edit>", instruction().text)], Sampling(max_new_tokens=40)
        ).states.shape
        for text in (long, short)
    }
    assert len(shapes) == 1


def test_a_long_condition_loses_placeholders_then_the_oldest_tokens(mode, images):
    thinker = mode(mode="reencode")
    (thought,) = thinker.think(images[2:3], instruction().text, Sampling())
    full = _real(thinker.condition(images[2:3], [thought], Sampling()), 0)
    total = len(full)
    without_pads = thinker.condition(images[2:3], [thought], Sampling(), limit=total - 3)
    assert int(without_pads.mask.sum()) == total - 4
    assert without_pads.states.shape[1] <= total - 3
    cut = thinker.condition(images[2:3], [thought], Sampling(), limit=total - 6)
    kept = _real(cut, 0)
    assert len(kept) == total - 6
    assert torch.equal(kept[-5:], full[-5:])
    assert torch.equal(kept[0], full[0])
    with pytest.raises(ThoughtError, match="instruction alone"):
        thinker.condition(images[2:3], [thought], Sampling(), limit=20)


def test_a_thought_without_tokens_is_read_from_its_text(mode, images):
    thinker = mode(mode="reencode")
    thoughts = thinker.think(images, instruction().text, Sampling())
    worded = [dataclasses.replace(t, token_ids=()) for t in thoughts]
    assert torch.equal(
        thinker.condition(images, worded, Sampling()).states, thinker.condition(images, thoughts, Sampling()).states
    )


def test_a_thought_that_repeats_the_instruction_is_instruction_and_route(mode, images):
    thinker = mode(mode="reencode")
    restated = thinker.condition(images[:1], [Thought(instruction().text)], Sampling())
    spelled = thinker.condition(
        images[:1], [Thought("<image_edit>", (), "<image_edit>", instruction().text)], Sampling()
    )
    assert torch.equal(restated.states, spelled.states)
    assert torch.equal(restated.mask, spelled.mask)


def test_edited_words_change_the_condition(mode, images):
    thinker = mode(mode="reencode")
    thoughts = [Thought(text, (), "<image_edit>", instruction().text) for text in (TRACES["noise"], TRACES["empty"])]
    states = thinker.condition(images[:2], thoughts, Sampling()).states
    assert not torch.equal(states[0], states[1])


def test_the_empty_condition_is_the_template_around_an_empty_request(thinker):
    condition = thinker.empty_condition(Sampling())
    prompt = thinker.prompting.prompt("", None)
    plain = thinker.backbone.model(input_ids=torch.tensor([prompt.ids])).last_hidden_state[0, prompt.prefix :]
    torch.testing.assert_close(_real(condition, 0), plain, atol=1e-5, rtol=1e-4)
