"""A whole training in miniature: it runs, continues, and writes a checkpoint that the engine opens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

import torch

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.engine.registry import create_engine, describe
from napari_s1omni.errors import JobError
from napari_s1omni.training import nano, training_data
from napari_s1omni.training.batches.editor_batches import EditorCollate
from napari_s1omni.training.data.samples import Mixture
from napari_s1omni.training.recipe import BackboneRecipe, EditorRecipe, PoolRecipe, Recipe, ThinkerRecipe
from napari_s1omni.training.stages.editor_model import Editor


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Recipe:
    folder = tmp_path_factory.mktemp("nano")
    return Recipe(
        work=str(folder),
        output=str(folder / "checkpoint"),
        threads=1,
        workers=0,
        pool=PoolRecipe(data=str(folder), simulated=((1, 12),)),
        backbone=BackboneRecipe(
            hidden=64, layers=2, heads=2, vision_hidden=64, vision_layers=2, vocabulary=900, texts=300
        ),
        thinker=(
            ThinkerRecipe(tile=64, batch=4, steps=2, translation=0, vision_only=True, renew_vision=True),
            ThinkerRecipe(tile=64, batch=4, steps=2, translation=0),
        ),
        editor=EditorRecipe(
            tile=64,
            batch=2,
            steps=2,
            blocks=(32, 32, 64, 64),
            depth=1,
            condition=32,
            thoughts=4,
            self_sampled=0.7,
            super_resolution=0,
            object_size=16.0,
        ),
    )


@pytest.fixture(scope="module")
def checkpoint(recipe: Recipe) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_data, "real_fields", lambda data, side: [])
        return nano.main(recipe)


def test_the_engine_opens_a_trained_checkpoint(checkpoint: Path):
    description = describe(str(checkpoint))
    assert description.encoding == "fields"
    assert description.limits.multiple_of == 16
    engine = create_engine(str(checkpoint))
    prompt = "Task: segmentation\nTile: 64 x 64 px\nRequest: segment the nuclei"
    thought = Thought("<think>bright</think><image_edit>", (), "<image_edit>", prompt)
    images = np.random.default_rng(0).random((2, 3, 64, 64), np.float32)
    noise = [NoiseField(0, (0, 0), (0, 64 * i), (64, 64)) for i in range(2)]
    first = engine.generate(images, [thought] * 2, Sampling(), noise)
    assert first.shape == (2, 3, 64, 64)
    assert np.array_equal(first, engine.generate(images, [thought] * 2, Sampling(), noise))
    engine.close()


def test_a_finished_training_is_not_repeated(recipe: Recipe, checkpoint: Path):
    before = {path.name: path.stat().st_mtime_ns for path in Path(recipe.work).glob("thinker-*")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_data, "real_fields", lambda data, side: [])
        nano.main(recipe, "thinker")
    assert before == {path.name: path.stat().st_mtime_ns for path in Path(recipe.work).glob("thinker-*")}


def test_an_interrupted_editor_continues_where_it_stopped(recipe: Recipe, checkpoint: Path):
    longer = recipe.replace(editor=recipe.editor.replace(steps=4).model_dump())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_data, "real_fields", lambda data, side: [])
        nano.main(longer, "editor")
    assert torch.load(Path(recipe.work) / "editor-state.pt", weights_only=True)["step"] == 4


def test_rows_of_a_batch_have_different_thoughts(recipe: Recipe, checkpoint: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_data, "real_fields", lambda data, side: [])
        data = training_data.TrainingData(recipe)
        samples = [data.sampler(Mixture(simulated=1), 3).draw(64) for _ in range(4)]
    quiet = recipe.editor.replace(instruction_only=0.0, proportion_empty_prompts=0.0)
    batch = EditorCollate(data.prompting(), quiet, 0)(samples, [None] * 4)
    body = data.prompting().encode(samples[0].truth.trace)
    row = batch.ids[0, batch.drop :][batch.mask[0]].tolist()
    assert tuple(row[-len(body) - 1 : -1]) == body
    assert row[-1] == data.prompting().ids["turn_end"]
    assert not batch.null.any()
    loss = Editor(quiet, 64)(batch, torch.zeros(4, batch.mask.shape[1], 64))
    assert loss.shape == (4,)
    assert torch.isfinite(loss).all()


@pytest.mark.parametrize(
    "path", sorted((Path(nano.__file__).parent / "configs").glob("*.yaml")), ids=lambda path: path.stem
)
def test_the_recipes_are_valid(path: Path):
    assert Recipe.open(path).backbone.hidden == 192


def test_a_thought_tile_too_small_for_half_scale_is_refused():
    with pytest.raises(JobError, match="thought_tile 128"):
        Recipe.read({"editor": {"tile": 96, "thought_tile": 128, "object_size": 16}})


def test_the_recipe_for_a_gpu_ships_at_most_18_million_parameters_in_small_files():
    recipe = Recipe.open(Path(nano.__file__).parent / "configs" / "nano_gpu.yaml")
    with torch.device("meta"):
        editor = Editor(recipe.editor, recipe.backbone.hidden)
    thinker = 3_400_000
    assert sum(p.numel() for p in editor.parameters()) + thinker <= 18_000_000
    assert recipe.shard_mib <= 15


def test_former_names_of_keys_are_read():
    former = {"crowded": 0.3, "borders": 6.0, "at_one": 0.9, "misjudged": 0.4, "listening": 0.04, "kept": 0.5}
    former |= {"real": {"maize_clsm": 1.0}, "bank": 64, "bank_tile": 96, "fresh": 16, "words": "task"}
    phase = {"renew_vision": True, "vision_through_language": True, "auxiliary": 0.2, "sigma": 1.0, "halved": 0.1}
    phase["kinds"] = {"axons": 3.0}
    given = {"editor": former, "thinker": [phase], "backbone": {"texts": 300}}
    recipe = Recipe.read(given)
    for part, values in ((recipe.editor, former), (recipe.thinker[0], phase), (recipe.backbone, given["backbone"])):
        assert {key: getattr(part, type(part).former_keys[key]) for key in values} == values
        assert set(type(part).former_keys) == set(values)
    assert Recipe.read(recipe.model_dump()) == recipe


def test_the_shipped_recipe_is_valid_and_a_misspelled_key_is_named(tmp_path: Path):
    shipped = Path(nano.__file__).parent / "configs" / "nano.yaml"
    assert Recipe.open(shipped).backbone.hidden == 192
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("editor: {tyle: 64}\n")
    with pytest.raises(JobError, match="tile"):
        Recipe.open(wrong)
