"""The pieces of one training, each made once and kept: pool, tokenizer, thinker, thoughts, editor."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_s1omni.engine.s1omni.checkpoint.config import CheckpointConfig, PromptingConfig
from napari_s1omni.engine.s1omni.checkpoint.loading import Checkpoint
from napari_s1omni.engine.s1omni.thinker.patches import PatchGeometry
from napari_s1omni.engine.s1omni.thinker.prompting import TOKENIZER_NAME, Prompting
from napari_s1omni.engine.s1omni.thinker.thinker import Thinker
from napari_s1omni.training.batches.editor_batches import EditorBatch
from napari_s1omni.training.batches.editor_dataset import EditorDataset, editor_mixture, sample_with_thought
from napari_s1omni.training.batches.replay_buffer import ReplayBuffer, replay_batches
from napari_s1omni.training.batches.thinker_batches import BatchMaker, ThinkerBatch, ThinkerCollate, load_batches
from napari_s1omni.training.data.pool import (
    PreparedField,
    prepare,
    read_pool,
    real_fields,
    write_pool,
    write_simulated_pool,
)
from napari_s1omni.training.data.samples import Mixture, Sampler
from napari_s1omni.training.export import VISION, checkpoint_facts
from napari_s1omni.training.prompts.tokenizer import train_tokenizer
from napari_s1omni.training.recipe import Recipe, ThinkerRecipe
from napari_s1omni.training.stages.data_dependent_init import data_dependent_init
from napari_s1omni.training.stages.editor_stage import (
    Editor,
    copy_for_average,
    editor_config,
    encode_condition,
    train_editor,
)
from napari_s1omni.training.stages.init_from_checkpoint import load_start
from napari_s1omni.training.stages.loop import TrainingEnvironment, choose_device
from napari_s1omni.training.stages.progress import Progress
from napari_s1omni.training.stages.thinker_stage import (
    ThinkerTrainingModel,
    backbone_config,
    reset_vision,
    train_thinker,
)

_HEARD = 128
"""Lessons to which an editor that begins from nothing is attuned."""


class TrainingRun:
    """The pieces of one training, made on demand and kept in the recipe's folder.

    Parameters
    ----------
    recipe : Recipe
    """

    def __init__(self, recipe: Recipe, until: float | None = None) -> None:
        self.recipe = recipe
        self.folder = Path(recipe.work)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.bench = TrainingEnvironment(choose_device(recipe.device), recipe.seed, until)
        self._fields: tuple[list[PreparedField], list[PreparedField]] | None = None

    def fields(self) -> tuple[list[PreparedField], list[PreparedField]]:
        """Return the real and the simulated training fields; those that are missing are made."""
        if self._fields is None:
            pool = self.recipe.pool
            paths = {self.folder / "pool" / f"simulated_{seed}.npz": (seed, n) for seed, n in pool.simulated}
            missing = {path: drawn for path, drawn in paths.items() if not path.is_file()}
            if len(missing) > 1 and self.recipe.workers > 1:
                with ProcessPoolExecutor(self.recipe.workers, get_context("spawn")) as processes:
                    list(processes.map(write_simulated_pool, missing, missing.values()))
            else:
                for path, drawn in missing.items():
                    write_simulated_pool(path, drawn)
            self._fields = self._real(), [field for path in paths for field in read_pool(path)]
        return self._fields

    def pack(self) -> Path | None:
        """Write the real fields to the recipe's packed file, to be taken to a machine without the data."""
        if self.recipe.pool.packed is None:
            return None
        path = Path(self.recipe.pool.packed)
        if not path.is_file():
            write_pool(path, self._real(), packed=True)
        return path

    def _real(self) -> list[PreparedField]:
        packed = self.recipe.pool.packed
        if packed is not None and Path(packed).is_file():
            return read_pool(Path(packed))
        return [prepare(field) for field in real_fields(Path(self.recipe.pool.data), "train")]

    def prompting(self) -> Prompting:
        """Return the tokenizer, trained on instructions and traces of the pool."""
        path = self.folder / TOKENIZER_NAME
        if not path.is_file() and self.recipe.start is not None:
            shutil.copy(Path(self.recipe.start) / TOKENIZER_NAME, path)
        if not path.is_file():
            sampler = self.sampler(Mixture(simulated=0.6, super_resolution=0.12, translation=0.12), 7)
            backbone = self.recipe.backbone
            samples = (sampler.draw(64) for _ in range(backbone.texts))
            texts = (s.instruction + "\n" + s.truth.text for s in samples)
            train_tokenizer(texts, backbone.vocabulary).save(str(path))
        return Prompting.read(self.folder, PromptingConfig())

    def sampler(self, mixture: Mixture, stream_seed: int) -> Sampler:
        """Return a sampler of the training fields with its own random numbers."""
        real, simulated = self.fields()
        return Sampler(real, simulated, mixture, self.recipe.seed * 1000 + stream_seed)

    def start(self) -> Checkpoint | None:
        """Return the checkpoint that the recipe begins from, if it names one."""
        folder, own = self.recipe.start, editor_config(self.recipe.editor)
        return None if folder is None else load_start(Path(folder), own if self.recipe.start_editor else {})

    def backbone(self) -> Any:
        """Return a thinker with the weights that training begins from: fresh ones, or those of `start`."""
        from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

        start = self.start()
        if start is not None:
            return start.backbone.requires_grad_(True)
        torch.manual_seed(self.recipe.seed)
        return Qwen3VLForConditionalGeneration(Qwen3VLConfig(**backbone_config(self.recipe.backbone, self.prompting())))

    def progress(self, stage: str) -> Progress:
        """Return the log of one stage."""
        return Progress(self.folder / "train.log", stage)

    def thinker(self) -> Any:
        """Return the trained thinker; trains the phases that are not finished."""
        apprentice = ThinkerTrainingModel(self.backbone(), self.prompting()).to(self.bench.device)
        geometry = PatchGeometry(self.recipe.backbone.patch, 2, 1)
        for i, phase in enumerate(self.recipe.thinker):
            done = self.folder / f"thinker-{i}.pt"
            if not done.is_file():
                make = self._thinker_lessons(phase, geometry, 10 + i)
                state = self.folder / f"thinker-{i}-state.pt"
                if phase.renew_vision and not state.is_file():
                    patches = torch.cat([make(step).pixel_values for step in range(8)])
                    reset_vision(apprentice, self.backbone(), patches)
                train_thinker(
                    apprentice,
                    partial(load_batches, make, self.recipe.workers),
                    phase,
                    state,
                    self.progress(f"thinker {phase.tile} px"),
                    self.bench,
                )
                torch.save(apprentice.state_dict(), done)
            apprentice.load_state_dict(torch.load(done, map_location=self.bench.device, weights_only=True))
        return apprentice.backbone.eval().requires_grad_(False)

    def latest_thinker(self) -> Any:
        """Return the finished thinker, or what there is of it: the editor may begin while the thinker still learns."""
        phases = reversed(range(len(self.recipe.thinker)))
        kept = [self.folder / f"thinker-{i}{end}.pt" for i in phases for end in ("", "-state")]
        apprentice = ThinkerTrainingModel(self.backbone(), self.prompting())
        for path in kept:
            if path.is_file():
                stored = torch.load(path, map_location="cpu", weights_only=True)
                apprentice.load_state_dict(stored.get("model", stored))
                break
        return apprentice.backbone.eval().requires_grad_(False)

    def editor(self) -> Editor:
        """Train connector and editor; returns their moving average."""
        recipe, device = self.recipe.editor, self.bench.device
        torch.manual_seed(self.recipe.seed + 1)
        editor = Editor(recipe, self.recipe.backbone.hidden)
        start = self.start() if self.recipe.start_editor else None
        state = self.folder / "editor-state.pt"
        if start is not None:
            editor.begin(start)
        elif recipe.words == "thought" and not state.is_file():
            data_dependent_init(editor, self._heard())
        editor.to(device)
        average = copy_for_average(editor)
        train_editor(
            editor,
            average,
            lambda: self.latest_thinker().to(device),
            self._editor_lessons,
            state,
            self.progress("editor"),
            self.bench,
        )
        return average

    def _heard(self) -> Iterator[tuple[EditorBatch, torch.Tensor]]:
        """Make the first lessons, and the thinker's states of them; nothing is read before the first is asked for."""
        recipe = self.recipe.editor
        lessons, thinker = EditorDataset(self, 20, recipe.tile, recipe.batch), self.latest_thinker()
        for batch in map(lessons, range(_HEARD // recipe.batch)):
            yield batch, encode_condition(thinker, batch)

    def _editor_lessons(self, first: int) -> Iterator[EditorBatch]:
        recipe = self.recipe.editor
        if not recipe.bank:
            return load_batches(EditorDataset(self, 20, recipe.tile, recipe.batch), self.recipe.workers, first)
        per = 16
        fresh = max(1, recipe.fresh // per)
        lessons = load_batches(EditorDataset(self, 20, recipe.bank_tile, per), self.recipe.workers, first * fresh)
        bank = ReplayBuffer(recipe.bank, self.bench.device)
        return replay_batches(
            lessons, bank, recipe.bank // per // 8, fresh, recipe.batch, recipe.tile, recipe.proportion_empty_prompts
        )

    def thoughts(self) -> Path:
        """Let the finished thinker write thoughts for tiles, so that the editor meets its real errors."""
        path = self.folder / "thoughts.pt"
        if not path.is_file():
            recipe = self.recipe.editor
            # Tiles as they are: the thought about one decides on which grid it is drawn.
            mixture = replace(editor_mixture(recipe), super_resolution=recipe.super_resolution / 2, object_size=None)
            sampler = self.sampler(mixture, 30)
            config = CheckpointConfig.model_validate(checkpoint_facts(self.recipe, micro_batch=1))
            geometry = PatchGeometry(self.recipe.backbone.patch, 2, 1)
            thinker = Thinker(self.latest_thinker(), self.prompting(), config, geometry)
            torch.save(
                [sample_with_thought(thinker, sampler.draw(recipe.thought_tile)) for _ in range(recipe.thoughts)], path
            )
        return path

    def _thinker_lessons(self, phase: ThinkerRecipe, geometry: PatchGeometry, seed: int) -> BatchMaker:
        kinds = tuple(phase.kinds.items())
        mixture = Mixture(phase.simulated, super_resolution=0.0, translation=phase.translation, kinds=kinds)
        sampler = self.sampler(mixture, seed)
        collate = ThinkerCollate(self.prompting(), geometry, VISION, phase.sigma)

        def make(step: int) -> ThinkerBatch:
            sampler.at_step(step)
            rng = np.random.default_rng((seed, step))
            # One batch has tiles of one size.
            dice, look = rng.random(), sampler.draw
            edge = phase.tile // 2 if dice < phase.halved else phase.tile
            if phase.halved <= dice < phase.halved + phase.restoration:
                edge, look = phase.tile // int(rng.choice((1, 2, 2, 4))), sampler.look
            return collate([look(edge) for _ in range(phase.batch)])

        return make
