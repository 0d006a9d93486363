"""The whole training in miniature: it runs, it continues, and what it writes is a checkpoint the engine opens."""

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
from napari_s1omni.training import nano
from napari_s1omni.training import training_run as workshop
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
        pool=PoolRecipe(simulated=((1, 12),)),
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
        patch.setattr(workshop, "real_fields", lambda data, side: [])
        return nano.main(recipe)


def test_the_engine_opens_what_training_wrote(checkpoint: Path):
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
        patch.setattr(workshop, "real_fields", lambda data, side: [])
        nano.main(recipe, "thinker")
    assert before == {path.name: path.stat().st_mtime_ns for path in Path(recipe.work).glob("thinker-*")}


def test_an_interrupted_editor_goes_on_where_it_stopped(recipe: Recipe, checkpoint: Path):
    longer = recipe.replace(editor=recipe.editor.replace(steps=4).model_dump())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workshop, "real_fields", lambda data, side: [])
        nano.main(longer, "editor")
    assert torch.load(Path(recipe.work) / "editor-state.pt", weights_only=True)["step"] == 4


def test_rows_of_a_batch_see_different_thoughts(recipe: Recipe, checkpoint: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workshop, "real_fields", lambda data, side: [])
        shop = workshop.TrainingRun(recipe)
        samples = [shop.sampler(Mixture(simulated=1), 3).draw(64) for _ in range(4)]
    quiet = recipe.editor.replace(instruction_only=0.0, proportion_empty_prompts=0.0)
    batch = EditorCollate(shop.prompting(), quiet, 0)(samples, [None] * 4)
    body = shop.prompting().encode(samples[0].truth.trace)
    row = batch.ids[0, batch.drop :][batch.mask[0]].tolist()
    assert tuple(row[-len(body) - 1 : -1]) == body
    assert row[-1] == shop.prompting().ids["turn_end"]
    assert not batch.null.any()
    loss = Editor(quiet, 64)(batch, torch.zeros(4, batch.mask.shape[1], 64))
    assert loss.shape == (4,)
    assert torch.isfinite(loss).all()


@pytest.mark.parametrize(
    "path", sorted((Path(nano.__file__).parent / "configs").glob("*.yaml")), ids=lambda path: path.stem
)
def test_the_recipes_are_valid(path: Path):
    assert Recipe.open(path).backbone.hidden == 192


def test_a_tile_too_small_to_be_drawn_at_half_its_size_is_refused():
    with pytest.raises(JobError, match="thought_tile 128"):
        Recipe.read({"editor": {"tile": 96, "thought_tile": 128, "object_size": 16}})


def test_the_recipe_for_a_gpu_ships_at_most_18_million_parameters_in_small_files():
    recipe = Recipe.open(Path(nano.__file__).parent / "configs" / "nano_gpu.yaml")
    with torch.device("meta"):
        editor = Editor(recipe.editor, recipe.backbone.hidden)
    thinker = 3_400_000
    assert sum(p.numel() for p in editor.parameters()) + thinker <= 18_000_000
    assert recipe.shard_mib <= 15


def test_the_shipped_recipe_is_valid_and_a_misspelled_key_is_named(tmp_path: Path):
    shipped = Path(nano.__file__).parent / "configs" / "nano.yaml"
    assert Recipe.open(shipped).backbone.hidden == 192
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("editor: {tyle: 64}\n")
    with pytest.raises(JobError, match="tile"):
        Recipe.open(wrong)
