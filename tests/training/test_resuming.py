"""A killed training continues to exactly the same weights as an uninterrupted one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from napari_s1omni.errors import CheckpointError, EngineUnavailable, JobError, RunInterrupted
from napari_s1omni.frontends.cli.main import app
from napari_s1omni.training import nano
from napari_s1omni.training.data.pool import prepare, simulated_fields, write_pool
from napari_s1omni.training.recipe import Recipe
from napari_s1omni.training.stages.loop import choose_device

_RECIPE = """
work: {folder}
output: {folder}/checkpoint
seed: 3
threads: 1
workers: {workers}
shard_mib: 0.5
pool: {{simulated: [[1, 8]], packed: {packed}}}
backbone: {{hidden: 64, layers: 2, heads: 2, vision_hidden: 64, vision_layers: 2, vocabulary: 900, texts: 300}}
thinker: [{{tile: 64, batch: 2, steps: 3, translation: 0, save_every: 0}}]
editor: {{tile: 64, batch: 2, steps: {steps}, blocks: [32, 32, 64, 64], depth: 1, condition: 32, thoughts: 2,
         super_resolution: 0, save_every: 0}}
"""


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    """A pool without real fields, so that no data is needed."""
    path = tmp_path_factory.mktemp("pool") / "packed.npz"
    write_pool(path, [prepare(field) for field in simulated_fields(9, 3)], packed=True)
    return path


def _recipe(folder: Path, packed: Path, steps: int, workers: int = 0) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(_RECIPE.format(folder=folder, packed=packed, steps=steps, workers=workers))
    return path


def _train(config: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "napari_s1omni.training", "--config", str(config), *options]
    with config.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=log)


def _average(folder: Path) -> dict[str, torch.Tensor]:
    stored = torch.load(folder / "editor-state.pt", weights_only=True)
    assert stored["step"] == 6
    return stored["average"]


def _wait_for(path: Path, step: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(1200):
        if path.is_file() and torch.load(path, weights_only=True)["step"] >= step:
            return
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"{path} never reached step {step}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, packed: Path) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    nano.main(_recipe(folder, packed, 6))
    return folder


@pytest.mark.slow
def test_killed_in_the_middle_and_started_again(whole: Path, packed: Path, tmp_path: Path):
    config = _recipe(tmp_path, packed, 6, workers=1)
    # Existing files are not made again.
    shutil.copytree(whole / "pool", tmp_path / "pool")
    shutil.copy(whole / "tokenizer.json", tmp_path)
    process = _train(config)
    _wait_for(tmp_path / "editor-state.pt", 2, process, config.with_suffix(".log"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "checkpoint" / "config.json").is_file()
    nano.main(config)
    first, second = _average(whole), _average(tmp_path)
    assert all(torch.equal(first[name], second[name]) for name in first)
    shards = sorted((tmp_path / "checkpoint").glob("*.safetensors"))
    assert len(shards) > 1
    assert [s.read_bytes() for s in shards] == [
        s.read_bytes() for s in sorted((whole / "checkpoint").glob("*.safetensors"))
    ]


@pytest.mark.slow
def test_a_time_limit_stops_the_training_and_says_how_to_continue(packed: Path, tmp_path: Path):
    config = _recipe(tmp_path, packed, 1000)
    with pytest.raises(RunInterrupted, match="Run the same command again"):
        nano.main(config, "thinker", limit=0.0)
    assert torch.load(tmp_path / "thinker-0-state.pt", weights_only=True)["step"] == 1


@pytest.mark.slow
def test_a_start_gives_weights_and_tokenizer(whole: Path, packed: Path, tmp_path: Path):
    """With a start weight of 1, the start checkpoint is exported unchanged."""
    recipe = Recipe.open(_recipe(tmp_path, packed, 1))
    kept = recipe.editor.replace(start_weight=1.0).model_dump()
    nano.main(recipe.replace(start=str(whole / "checkpoint"), thinker=(), editor=kept))
    before, after = (sorted((f / "checkpoint").glob("*.safetensors")) for f in (whole, tmp_path))
    for one, other in zip(before, after, strict=True):
        first, second = load_file(one), load_file(other)
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)
    assert (tmp_path / "tokenizer.json").read_bytes() == (whole / "tokenizer.json").read_bytes()


@pytest.mark.slow
def test_a_start_of_another_shape_is_refused(whole: Path, packed: Path, tmp_path: Path):
    recipe = Recipe.open(_recipe(tmp_path, packed, 1)).replace(start=str(whole / "checkpoint"), thinker=())
    wider = recipe.replace(editor=recipe.editor.replace(blocks=(32, 64, 64, 64)).model_dump())
    with pytest.raises(CheckpointError, match="block_out_channels"):
        nano.main(wider, "editor")
    nano.main(wider.replace(start_editor=False), "editor")


def _muon(folder: Path, packed: Path, **changes) -> Recipe:
    """Six steps with Muon and an untrained thinker."""
    recipe = Recipe.open(_recipe(folder, packed, 6))
    return recipe.replace(thinker=(), editor=recipe.editor.replace(optimiser="Muon", **changes).model_dump())


@pytest.mark.slow
def test_with_muon_it_also_continues_to_the_same_weights(packed: Path, tmp_path: Path):
    folders = [tmp_path / name for name in ("once", "often", "further")]
    for folder in folders:
        folder.mkdir()
    once, often, further = folders
    nano.main(_muon(once, packed))
    stops = 0
    while not (often / "checkpoint" / "config.json").is_file():
        try:
            nano.main(_muon(often, packed), limit=0.0)
        except RunInterrupted:
            stops += 1
    assert stops == 6
    assert all(torch.equal(value, _average(once)[name]) for name, value in _average(often).items())
    still = _muon(further, packed, learning_rate=0.0).replace(start=str(once / "checkpoint"))
    nano.main(still)
    before, after = (load_file(next((f / "checkpoint").glob("*.safetensors"))) for f in (once, further))
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    with pytest.raises(CheckpointError, match="layers_per_block"):
        nano.main(still.replace(editor=still.editor.replace(depth=2).model_dump(), work=str(tmp_path / "deeper")))


@pytest.mark.slow
def test_an_endless_training_gives_a_checkpoint_when_asked(packed: Path, tmp_path: Path):
    recipe = Recipe.open(_recipe(tmp_path, packed, 1_000_000))
    endless = {"schedule": "constant", "minutes": float("inf"), "hint_planes": 9, "trust_planes": 3}
    recipe = recipe.replace(thinker=(), editor=recipe.editor.replace(**endless).model_dump())
    with pytest.raises(JobError, match="no saved state"):
        nano.main(recipe, decay=0.01)
    with pytest.raises(RunInterrupted):
        nano.main(recipe, limit=0.0)
    before = torch.load(tmp_path / "editor-state.pt", weights_only=True)
    nano.main(recipe, decay=0.01)
    assert (tmp_path / "checkpoint/config.json").is_file()
    after = torch.load(tmp_path / "editor-state.pt", weights_only=True)
    assert after["step"] == before["step"] == 1
    assert all(torch.equal(value, after["model"][name]) for name, value in before["model"].items())
    assert not (tmp_path / "decay").exists()
    lines = CliRunner().invoke(app, ["train", "status", str(tmp_path)])
    assert lines.exit_code == 0, lines.output
    assert "editor:" in lines.output


def test_an_unavailable_device_is_refused():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(EngineUnavailable, match="device: auto"):
        choose_device("cuda")
    assert choose_device("auto").type == "cpu"


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{"replay_buffer": 32, "replay_tile": 96, "replay_new": 16, "batch": 4}, {"condition_on": "task"}]
)
def test_the_editor_trains_from_a_replay_buffer_and_from_the_task_alone(packed: Path, tmp_path: Path, changes):
    recipe = Recipe.open(_recipe(tmp_path, packed, 2))
    nano.main(recipe.replace(editor=recipe.editor.replace(**changes).model_dump()), "editor")
    stored = torch.load(tmp_path / "editor-state.pt", weights_only=True)
    assert stored["step"] == 2
    assert all(value.isfinite().all() for value in stored["average"].values())
