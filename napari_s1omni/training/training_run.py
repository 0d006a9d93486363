"""One training: the thinker, its thoughts and the editor, each made once and kept in the recipe's folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from napari_s1omni.engine.s1omni.checkpoint.loading import Checkpoint
from napari_s1omni.engine.s1omni.thinker.patches import PatchGeometry
from napari_s1omni.engine.s1omni.thinker.thinker import Thinker
from napari_s1omni.errors import JobError
from napari_s1omni.training.batches.editor_batches import EditorBatch
from napari_s1omni.training.batches.editor_dataset import EditorDataset, editor_mixture, sample_with_thought
from napari_s1omni.training.batches.loader import load_batches
from napari_s1omni.training.batches.replay_buffer import ReplayBuffer, ReplaySettings, replay_batches
from napari_s1omni.training.batches.thinker_dataset import ThinkerDataset
from napari_s1omni.training.model_configs import backbone_config, checkpoint_config, editor_config
from napari_s1omni.training.recipe import Recipe, StageRecipe
from napari_s1omni.training.stages.data_dependent_init import data_dependent_init
from napari_s1omni.training.stages.editor_model import Editor, copy_for_average, encode_condition
from napari_s1omni.training.stages.editor_stage import train_editor
from napari_s1omni.training.stages.init_from_checkpoint import load_start
from napari_s1omni.training.stages.loop import TrainingEnvironment, TrainingLoop, choose_device
from napari_s1omni.training.stages.progress import LOG, Progress
from napari_s1omni.training.stages.thinker_model import ThinkerTrainingModel, reset_vision
from napari_s1omni.training.stages.thinker_stage import train_thinker
from napari_s1omni.training.training_data import TrainingData

_INIT_SAMPLES = 128
"""Samples for the data-dependent initialisation of an untrained editor."""
_REPLAY_BATCH = 16
"""Samples that enter the replay buffer at once."""


class TrainingRun:
    """The parts of one training, made on demand and kept in the recipe's folder.

    Parameters
    ----------
    recipe : Recipe
    deadline : float, optional
        Reading of the monotonic clock at which to stop.
    """

    def __init__(self, recipe: Recipe, deadline: float | None = None) -> None:
        self.recipe = recipe
        self.data = TrainingData(recipe)
        self.folder = self.data.folder
        self.editor_state = self.folder / "editor-state.pt"
        self.environment = TrainingEnvironment(choose_device(recipe.device), recipe.seed, deadline)

    def start_checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint that the recipe starts from, if it names one."""
        folder, own = self.recipe.start, editor_config(self.recipe.editor)
        return None if folder is None else load_start(Path(folder), own if self.recipe.start_editor else {})

    def initial_thinker(self) -> Any:
        """Return a thinker with initial weights: those of `start`, or random ones."""
        from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

        start = self.start_checkpoint()
        if start is not None:
            return start.backbone.requires_grad_(True)
        torch.manual_seed(self.recipe.seed)
        config = backbone_config(self.recipe.backbone, self.data.prompting())
        return Qwen3VLForConditionalGeneration(Qwen3VLConfig(**config))

    def train_thinker(self) -> Any:
        """Train the phases that are not finished; return the thinker."""
        device = self.environment.device
        model = ThinkerTrainingModel(self.initial_thinker(), self.data.prompting()).to(device)
        for i, phase in enumerate(self.recipe.thinker):
            done = self.folder / f"thinker-{i}.pt"
            if not done.is_file():
                dataset = ThinkerDataset(self.data, phase, 10 + i)
                state = self.folder / f"thinker-{i}-state.pt"
                if phase.reset_vision and not state.is_file():
                    patches = torch.cat([dataset(step).pixel_values for step in range(8)])
                    reset_vision(model, self.initial_thinker(), patches)
                loop = self._loop(phase, state, f"thinker {phase.tile} px")
                train_thinker(model, partial(load_batches, dataset, self.recipe.workers), phase, loop)
                torch.save(model.state_dict(), done)
            model.load_state_dict(torch.load(done, map_location=device, weights_only=True))
        return model.backbone.eval().requires_grad_(False)

    def latest_thinker(self) -> Any:
        """Return the thinker with its latest saved weights; the editor may start while the thinker is in training."""
        phases = reversed(range(len(self.recipe.thinker)))
        saved = [self.folder / f"thinker-{i}{end}.pt" for i in phases for end in ("", "-state")]
        model = ThinkerTrainingModel(self.initial_thinker(), self.data.prompting())
        for path in saved:
            if path.is_file():
                stored = torch.load(path, map_location="cpu", weights_only=True)
                model.load_state_dict(stored.get("model", stored))
                break
        return model.backbone.eval().requires_grad_(False)

    def write_thoughts(self) -> Path:
        """Let the thinker write thoughts about tiles, to train the editor on its real errors; return the file."""
        path = self.folder / "thoughts.pt"
        if not path.is_file():
            recipe = self.recipe.editor
            # Tiles on their own grid: the thought about a tile decides on which grid it is drawn.
            mixture = replace(editor_mixture(recipe), super_resolution=recipe.super_resolution / 2, object_size=None)
            sampler = self.data.sampler(mixture, 30)
            config = checkpoint_config(self.recipe, micro_batch=1)
            geometry = PatchGeometry(self.recipe.backbone.patch, 2, 1)
            thinker = Thinker(self.latest_thinker(), self.data.prompting(), config, geometry)
            samples = (sampler.draw(recipe.thought_tile) for _ in range(recipe.thoughts))
            torch.save([sample_with_thought(thinker, sample) for sample in samples], path)
        return path

    def editor_lessons(self) -> int:
        """Return the number of samples that the saved state of the editor was trained on."""
        return (
            int(torch.load(self.editor_state, map_location="cpu", weights_only=True)["step"]) * self.recipe.editor.batch
        )

    def begin_decay(self, minutes: float) -> None:
        """From now on, train the editor on a copy of its state, at a rate that falls to zero over these minutes.

        A decay that was interrupted goes on. The training itself stays where it is.

        Raises
        ------
        JobError
            If there is no state yet, or the recipe's schedule is not constant.
        """
        editor = self.recipe.editor
        if editor.schedule != "constant" or not self.editor_state.is_file():
            given = f"the schedule '{editor.schedule}'" if editor.schedule != "constant" else "no saved state"
            raise JobError(f"a decay with {given}", "a constant schedule, and a training that has begun", "train first")
        folder = self.folder / "decay"
        end, copied = folder / "end.json", folder / self.editor_state.name
        if not end.is_file():
            folder.mkdir(exist_ok=True)
            shutil.copy(self.editor_state, copied)
            used = torch.load(copied, map_location="cpu", weights_only=True)["used"]
            end.write_text(json.dumps({"minutes": used / 60 + minutes, "decay": minutes}))
        self.editor_state = copied
        self.recipe = self.recipe.replace(editor=editor.replace(**json.loads(end.read_text())).model_dump())

    def end_decay(self) -> None:
        """Remove the copy of a decay that is exported."""
        shutil.rmtree(self.folder / "decay")

    def train_editor(self) -> Editor:
        """Train connector and editor; return their moving average."""
        recipe, device = self.recipe.editor, self.environment.device
        torch.manual_seed(self.recipe.seed + 1)
        editor = Editor(recipe, self.recipe.backbone.hidden)
        start = self.start_checkpoint() if self.recipe.start_editor else None
        state = self.editor_state
        if start is not None:
            editor.load_checkpoint(start)
        elif recipe.condition_on == "thought" and not state.is_file():
            data_dependent_init(editor, self._init_batches())
        editor.to(device)
        average = copy_for_average(editor)
        loop = self._loop(recipe, state, "editor")
        train_editor(editor, average, lambda: self.latest_thinker().to(device), self._editor_batches, loop)
        return average

    def _loop(self, recipe: StageRecipe, state: Path, name: str) -> TrainingLoop:
        return TrainingLoop(recipe, state, Progress(self.folder / LOG, name), self.environment)

    def _init_batches(self) -> Iterator[tuple[EditorBatch, torch.Tensor]]:
        """Yield the first batches and the thinker's states of them; nothing is loaded before the first is requested."""
        recipe = self.recipe.editor
        dataset, thinker = self._editor_dataset(recipe.tile, recipe.batch), self.latest_thinker()
        for batch in map(dataset, range(_INIT_SAMPLES // recipe.batch)):
            yield batch, encode_condition(thinker, batch)

    def _editor_batches(self, first_step: int) -> Iterator[EditorBatch]:
        """Yield the batches from a step on."""
        recipe, workers = self.recipe.editor, self.recipe.workers
        if not recipe.replay_buffer:
            return load_batches(self._editor_dataset(recipe.tile, recipe.batch), workers, first_step)
        new = max(1, recipe.replay_new // _REPLAY_BATCH)
        fresh = load_batches(self._editor_dataset(recipe.replay_tile, _REPLAY_BATCH), workers, first_step * new)
        settings = ReplaySettings(
            first=recipe.replay_buffer // _REPLAY_BATCH // 8,
            new=new,
            batch=recipe.batch,
            edge=recipe.tile,
            empty=recipe.proportion_empty_prompts,
        )
        return replay_batches(fresh, ReplayBuffer(recipe.replay_buffer, self.environment.device), settings)

    def _editor_dataset(self, tile: int, batch: int) -> EditorDataset:
        return EditorDataset(self.data, 20, tile, batch)
