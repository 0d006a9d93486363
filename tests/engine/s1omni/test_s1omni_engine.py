from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_checkpoints import instruction

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.protocol import Engine, Thought
from napari_s1omni.engine.s1omni import load
from napari_s1omni.engine.s1omni.editor.upsampling import match_source, upsample
from napari_s1omni.engine.s1omni.engine import S1OmniEngine
from napari_s1omni.engine.s1omni.thinker.thinker import Condition, Thinker
from napari_s1omni.errors import EngineOutOfMemory, EngineUnavailable, GenerationError, RouteError

SAMPLING = Sampling(seed=5, num_inference_steps=2)


@pytest.fixture(scope="module")
def engine(unet_folder):
    return load(str(unet_folder))


@pytest.fixture(scope="module")
def mmdit(mmdit_folder):
    return load(str(mmdit_folder))


def _noise(count, size=32, seed=5):
    return [NoiseField(seed, (0, 0), (0, i * size), (size, size)) for i in range(count)]


def _saying(text, task="segmentation", route="<image_edit>"):
    return Thought(text, (), route, instruction(task).text)


def test_it_is_an_engine(engine):
    assert isinstance(engine, Engine)


def test_the_thought_decides_the_result(engine, tiles):
    """Same tile, same noise, another trace: another picture. The same trace: the same picture."""
    image = tiles[[1, 1, 1]]
    thoughts = [_saying(f"<think>{word}</think>\nok<image_edit>") for word in ("9+", "0", "9+")]
    noise = _noise(1) * 3
    drawn = engine.generate(image, thoughts, SAMPLING, noise)
    assert np.array_equal(drawn[0], drawn[2])
    assert np.abs(drawn[0] - drawn[1]).max() > 1e-4


def test_a_subclass_may_alter_the_condition(unet_folder, tiles):
    """Without the thinker's states all words draw the same."""

    class Deaf(S1OmniEngine):
        def connect(self, raw):
            return super().connect(Condition(torch.zeros_like(raw.states), raw.mask))

    thoughts = [_saying(f"<think>{word}</think>\nok<image_edit>") for word in ("9+", "00")]
    drawn = Deaf.load(str(unet_folder)).generate(tiles[[1, 1]], thoughts, SAMPLING, _noise(1) * 2)
    assert np.array_equal(drawn[0], drawn[1])


def test_seed_and_place_decide_the_noise(engine, tiles):
    thoughts = [_saying("<think>9+</think>\nok<image_edit>", "modality_translation")]
    one, two, far = (
        engine.generate(tiles[1:2], thoughts, SAMPLING, noise)
        for noise in (_noise(1), _noise(1, seed=6), [NoiseField(5, (0, 0), (64, 0), (32, 32))])
    )
    assert np.abs(one - two).max() > 1e-4
    assert np.abs(one - far).max() > 1e-4


def _set(engine, monkeypatch, noise_scale=0.1, **denoising):
    config = engine._config
    changed = {
        "denoising": config.denoising.model_copy(update=denoising),
        "scheduler_config": {**config.scheduler_config, "noise_scale": noise_scale},
    }
    monkeypatch.setattr(engine, "_config", config.model_copy(update=changed))


@pytest.mark.parametrize("how", ["bicubic", "restored"])
def test_super_resolution_adds_to_the_upsampled_source(engine, tiles, monkeypatch, how):
    """With a silent network the result is that source, of values outside the clamp too."""
    _set(engine, monkeypatch, enlargement=how)
    denoiser = engine._models.denoiser
    monkeypatch.setattr(type(denoiser), "predict", lambda self, noisy, *_: torch.zeros_like(noisy))
    source = tiles[1:3] * 3 - 1
    thoughts = [_saying("<image_edit>", "super_resolution")] * 2
    drawn = engine.generate(source, thoughts, SAMPLING, _noise(2, 64))
    expected = upsample(torch.from_numpy(source), (64, 64), how)
    expected = match_source(torch.from_numpy(source), expected) if how == "restored" else expected
    np.testing.assert_allclose(drawn, expected.numpy(), atol=1e-6)


def test_the_editor_sees_clamped_pixels(engine, tiles, monkeypatch):
    denoiser = engine._models.denoiser
    seen = []

    def predict(self, noisy, level, source, states, mask):
        seen.append(source)
        return torch.zeros_like(noisy)

    monkeypatch.setattr(type(denoiser), "predict", predict)
    engine.generate(tiles[1:2] * 9 - 4, [_saying("<image_edit>")], SAMPLING, _noise(1))
    assert float(seen[0].min()) == 0
    assert float(seen[0].max()) == 1


def test_a_mixed_batch_is_drawn_as_its_parts(engine, tiles):
    tasks = ("segmentation", "modality_translation", "segmentation", "super_resolution")
    thoughts = [_saying("<think>~</think>\nok<image_edit>", task) for task in tasks]
    noise = _noise(4)
    together = engine.generate(tiles, thoughts, SAMPLING, noise)
    for i in range(4):
        alone = engine.generate(tiles[i : i + 1], [thoughts[i]], SAMPLING, noise[i : i + 1])
        assert np.array_equal(alone[0], together[i])


@pytest.mark.parametrize(("task", "size"), [("modality_translation", 32), ("super_resolution", 64)])
def test_a_self_ensemble_commutes_with_flips(engine, tiles, monkeypatch, task, size):
    """Without noise the mirrored tile is drawn mirrored, which a network alone does not do."""

    def twice():
        one, other = (
            engine.generate(np.ascontiguousarray(source), [_saying("<image_edit>", task)], SAMPLING, _noise(1, size))
            for source in (tiles[1:2], tiles[1:2, ..., ::-1])
        )
        return np.abs(one - other[..., ::-1]).max()

    _set(engine, monkeypatch, noise_scale=0.0)
    assert twice() > 1e-3
    _set(engine, monkeypatch, noise_scale=0.0, self_ensemble=4)
    assert twice() < 1e-5


@pytest.mark.parametrize("copies", [2, 4])
def test_a_self_ensemble_does_not_mix_tiles(engine, tiles, monkeypatch, copies):
    """A tile's copies share its words and its noise, whichever tiles lie beside it."""
    _set(engine, monkeypatch, self_ensemble=copies)
    thoughts = [_saying(f"<think>{word}</think>\nok<image_edit>") for word in ("9+", "0", "9+", "~")]
    noise = _noise(4)
    together = engine.generate(tiles, thoughts, SAMPLING, noise)
    for i in range(4):
        alone = engine.generate(tiles[i : i + 1], [thoughts[i]], SAMPLING, noise[i : i + 1])
        assert np.array_equal(alone[0], together[i])
    assert np.abs(together[1] - together[2]).max() > 1e-4


def test_thinking_off_draws_from_the_instruction(engine, tiles):
    drawn = engine.generate(tiles, [Thought(instruction().text)] * 4, SAMPLING, _noise(4))
    assert drawn.shape == (4, 3, 32, 32)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    other = engine.generate(tiles, [Thought(instruction(request="cells").text)] * 4, SAMPLING, _noise(4))
    assert np.abs(drawn - other).max() > 1e-5


def test_drawing_from_words_alone(mmdit, tiles):
    """The generation route ignores the source and is guided against the empty request."""
    thought = Thought("<think>~</think>\nok<image_gen>", (), "<image_gen>", "Draw a diagram of a cell.")
    strong = mmdit.generate(tiles[:1], [thought], SAMPLING, _noise(1))
    assert np.array_equal(strong, mmdit.generate(tiles[1:2], [thought], SAMPLING, _noise(1)))
    weak = mmdit.generate(tiles[:1], [thought], SAMPLING.replace(true_cfg_scale=1.0), _noise(1))
    assert np.abs(strong - weak).max() > 1e-4


def test_the_source_posterior_is_sampled_by_position(mmdit, tiles):
    """The posterior's noise depends on seed and place, so equal calls are equal to the bit."""
    thought = _saying("<think>~</think>\nok<image_edit>", "modality_translation")
    drawn = [mmdit.generate(tiles[1:2], [thought], SAMPLING, _noise(1)) for _ in range(2)]
    assert np.array_equal(*drawn)


# Bad input


def test_a_text_answer_cannot_be_drawn(engine, tiles):
    thoughts = [_saying("<image_edit>"), Thought("All is well.", (1, 2), None, "How are you?")]
    with pytest.raises(RouteError, match="no route") as caught:
        engine.generate(tiles[:2], thoughts, SAMPLING, _noise(2))
    assert caught.value.facts["tile"] == 1


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("<think>a</think>\nfine<prot_st>", "<prot_st>"),
        ("<think>a</think>\nfine<image_gen>", "<image_gen>"),
        ("fine<|im_end|>", None),
    ],
)
def test_a_thought_on_another_route(engine, tiles, monkeypatch, text, route):
    prompting = engine._models.thinker.prompting
    ids = prompting.encode(text)
    real = engine._models.thinker._write

    def write(images, start, *arguments):
        rows, endings = real(images, start, *arguments)
        return [rows[0], list(ids), *rows[2:]], endings

    monkeypatch.setattr(engine._models.thinker, "_write", write)
    with pytest.raises(RouteError) as caught:
        engine.think(tiles, instruction(), SAMPLING)
    assert caught.value.facts["route"] == route
    assert caught.value.facts["tile"] == 1


def test_a_question_may_be_answered_in_words(engine, tiles):
    assert len(engine.think(tiles, Instruction("", "What do you see?"), Sampling(max_new_tokens=100))) == 4


def test_values_that_are_not_finite_are_an_error(engine, tiles, monkeypatch):
    def predict(self, noisy, *_):
        out = torch.zeros_like(noisy)
        out[1, 0, 0, 0] = float("nan")
        return out

    monkeypatch.setattr(type(engine._models.denoiser), "predict", predict)
    with pytest.raises(GenerationError, match="tile 1 of the batch") as caught:
        engine.generate(tiles[:2], [_saying("<image_edit>", "modality_translation")] * 2, SAMPLING, _noise(2))
    assert caught.value.facts["tile"] == 1


@pytest.mark.parametrize(
    ("shape", "origin"), [((36, 32), (0, 0)), ((8, 8), (0, 0)), ((512, 512), (0, 0)), ((32, 32), (0, 3))]
)
def test_impossible_sizes_are_refused(engine, tiles, shape, origin):
    field = NoiseField(0, (0, 0), origin, shape)
    with pytest.raises(GenerationError, match="ultiples of 8 px"):
        engine.generate(tiles[:1], [_saying("<image_edit>")], SAMPLING, [field])


def test_unknown_dtype(unet_folder):
    with pytest.raises(EngineUnavailable, match="float32"):
        load(str(unet_folder), dtype="int4")


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), MemoryError("none"), RuntimeError("can't allocate memory: 9")],
)
def test_out_of_memory_lowers_the_micro_batch(unet_folder, tiles, monkeypatch, error):
    engine = load(str(unet_folder))
    rows = []

    def predict(self, noisy, *_):
        rows.append(len(noisy))
        if len(noisy) > 1:
            raise error
        return torch.zeros_like(noisy)

    monkeypatch.setattr(type(engine._models.denoiser), "predict", predict)
    thoughts, noise = [_saying("<image_edit>")] * 4, _noise(4)
    with pytest.raises(EngineOutOfMemory, match="4 tiles at once") as caught:
        engine.generate(tiles, thoughts, SAMPLING, noise)
    assert caught.value.facts["micro_batch"] == 4
    with pytest.raises(EngineOutOfMemory, match="2 tiles at once"):
        engine.generate(tiles[:2], thoughts[:2], SAMPLING, noise[:2])
    assert engine.generate(tiles[:1], thoughts[:1], SAMPLING, noise[:1]).shape == (1, 3, 32, 32)
    assert rows == [4, 2, 1, 1]


def test_other_runtime_errors_are_not_hidden(engine, tiles, monkeypatch):
    def predict(self, *_):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(type(engine._models.denoiser), "predict", predict)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        engine.generate(tiles[:1], [_saying("<image_edit>")], SAMPLING, _noise(1))


# Processes


@pytest.mark.slow
def test_two_processes_draw_the_same(unet_folder, tiles, tmp_path):
    np.save(tmp_path / "tiles.npy", tiles)
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
from tiny_checkpoints import instruction
from napari_s1omni.engine.s1omni import load
from napari_s1omni.engine.s1omni.engine import S1OmniEngine
from napari_s1omni.engine.s1omni.thinker.thinker import Condition
from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling
engine = load({str(unet_folder)!r}, threads=1)
tiles = np.load({str(tmp_path / "tiles.npy")!r})
sampling = Sampling(seed=5, num_inference_steps=2)
thoughts = engine.think(tiles, instruction(), sampling)
noise = [NoiseField(5, (0, 0), (0, i * 32), (32, 32)) for i in range(4)]
np.save({str(tmp_path / "drawn.npy")!r}, engine.generate(tiles, thoughts, sampling, noise))
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    # The number of threads changes bits.
    alike = load(str(unet_folder), threads=1)
    thoughts = alike.think(tiles, instruction(), SAMPLING)
    drawn = alike.generate(tiles, thoughts, SAMPLING, _noise(4))
    assert np.array_equal(np.load(tmp_path / "drawn.npy"), drawn)


def test_it_computes_with_the_threads_of_the_plan_in_any_thread(unet_folder, tiles, monkeypatch):
    """torch keeps the number for each thread; what others set is given back."""
    seen = []
    real = Thinker.think

    def think(self, *arguments):
        seen.append(torch.get_num_threads())
        return real(self, *arguments)

    monkeypatch.setattr(Thinker, "think", think)
    engine = load(str(unet_folder), threads=3)
    assert engine.description.threads == 3

    def work():
        torch.set_num_threads(1)
        engine.think(tiles[:1], instruction(), SAMPLING)
        seen.append(torch.get_num_threads())

    other = threading.Thread(target=work)
    other.start()
    other.join()
    engine.close()
    assert seen == [3, 1]
