"""nano, from nothing to a checkpoint: pool, tokenizer, thinker, editor, export. Each step is kept and not repeated."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_s1omni.engine.s1omni.checkpoint import Checkpoint, save
from napari_s1omni.engine.s1omni.codec import PixelUnshuffleCodec
from napari_s1omni.engine.s1omni.config import CheckpointConfig, PromptingConfig, VisionConfig
from napari_s1omni.engine.s1omni.patches import PatchGeometry
from napari_s1omni.engine.s1omni.prompting import TOKENIZER_NAME, Prompting
from napari_s1omni.engine.s1omni.thinker import Thinker
from napari_s1omni.errors import ThoughtError
from napari_s1omni.sampling import Sampling
from napari_s1omni.training.batches import Make, ThinkerBatch, ThinkerCollate, stream
from napari_s1omni.training.editor_stage import (
    FACTOR,
    PREDICTION,
    Editor,
    EditorBatch,
    EditorCollate,
    averaged,
    connector_config,
    editor_config,
    train_editor,
)
from napari_s1omni.training.pool import Prepared, prepare, read_pool, real_fields, simulated_fields, write_pool
from napari_s1omni.training.progress import Progress
from napari_s1omni.training.recipe import Recipe, ThinkerRecipe
from napari_s1omni.training.samples import Mixture, Sample, Sampler, turned, window_of
from napari_s1omni.training.thinker_stage import Apprentice, backbone_config, renew_vision, train_thinker
from napari_s1omni.training.tokenizer import train_tokenizer
from napari_s1omni.training.traces import Truth
from napari_s1omni.training.warm import read_start

VISION = VisionConfig(min_pixels=32 * 32, max_pixels=512 * 512, clamp=(0.0, 1.0))
"""How tiles enter nano's thinker: as they are."""


class Workshop:
    """The pieces of one training, made on demand and kept in the recipe's folder.

    Parameters
    ----------
    recipe : Recipe
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.folder = Path(recipe.work)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._fields: tuple[list[Prepared], list[Prepared]] | None = None

    def fields(self) -> tuple[list[Prepared], list[Prepared]]:
        """Return the real and the simulated training fields."""
        if self._fields is None:
            simulated = []
            for seed, count in self.recipe.pool.simulated:
                path = self.folder / "pool" / f"simulated_{seed}.npz"
                if not path.is_file():
                    write_pool(path, [prepare(field) for field in simulated_fields(seed, count)])
                simulated += read_pool(path)
            real = [prepare(field) for field in real_fields(Path(self.recipe.pool.data), "train")]
            self._fields = real, simulated
        return self._fields

    def prompting(self) -> Prompting:
        """Return the tokenizer, trained on instructions and traces of the pool."""
        path = self.folder / TOKENIZER_NAME
        if not path.is_file() and self.recipe.start is not None:
            shutil.copy(Path(self.recipe.start) / TOKENIZER_NAME, path)
        if not path.is_file():
            sampler = self.sampler(Mixture(simulated=0.6, super_resolution=0.12, translation=0.12), 7)
            samples = (sampler.draw(64) for _ in range(6000))
            train_tokenizer(
                (s.instruction + "\n" + s.truth.text for s in samples), self.recipe.backbone.vocabulary
            ).save(str(path))
        return Prompting.read(self.folder, PromptingConfig())

    def sampler(self, mixture: Mixture, stream_seed: int) -> Sampler:
        """Return a sampler of the training fields with its own random numbers."""
        real, simulated = self.fields()
        return Sampler(real, simulated, mixture, self.recipe.seed * 1000 + stream_seed)

    def start(self) -> Checkpoint | None:
        """Return the checkpoint that the recipe begins from, if it names one."""
        folder = self.recipe.start
        return None if folder is None else read_start(Path(folder), editor_config(self.recipe.editor))

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
        apprentice = Apprentice(self.backbone(), self.prompting())
        geometry = PatchGeometry(self.recipe.backbone.patch, 2, 1)
        for i, phase in enumerate(self.recipe.thinker):
            done = self.folder / f"thinker-{i}.pt"
            if not done.is_file():
                make = self._thinker_lessons(phase, geometry, 10 + i)
                state = self.folder / f"thinker-{i}-state.pt"
                if phase.renew_vision and not state.is_file():
                    patches = torch.cat([make(step).pixel_values for step in range(8)])
                    renew_vision(apprentice, self.backbone(), patches)
                train_thinker(
                    apprentice,
                    partial(stream, make, self.recipe.workers),
                    phase,
                    state,
                    self.progress(f"thinker {phase.tile} px"),
                    self.recipe.seed,
                )
                torch.save(apprentice.state_dict(), done)
            apprentice.load_state_dict(torch.load(done, weights_only=True))
        return apprentice.backbone.eval().requires_grad_(False)

    def latest_thinker(self) -> Any:
        """Return the finished thinker, or what there is of it: the editor may begin while the thinker still learns."""
        phases = reversed(range(len(self.recipe.thinker)))
        kept = [self.folder / f"thinker-{i}{end}.pt" for i in phases for end in ("", "-state")]
        apprentice = Apprentice(self.backbone(), self.prompting())
        for path in kept:
            if path.is_file():
                stored = torch.load(path, weights_only=True)
                apprentice.load_state_dict(stored.get("model", stored))
                break
        return apprentice.backbone.eval().requires_grad_(False)

    def editor(self, on_save: Callable[[], None] | None = None) -> Editor:
        """Train connector and editor; returns their moving average."""
        recipe = self.recipe.editor
        torch.manual_seed(self.recipe.seed + 1)
        editor = Editor(recipe, self.recipe.backbone.hidden)
        start = self.start()
        if start is not None:
            editor.connector.load_state_dict(start.connector.state_dict())
            editor.unet.load_state_dict(start.transformer.state_dict())
        average = averaged(editor)
        lessons = partial(stream, EditorLessons(self, 20), self.recipe.workers)
        state, progress = self.folder / "editor-state.pt", self.progress("editor")
        after = on_save or (lambda: None)
        train_editor(editor, average, self.latest_thinker, lessons, state, progress, after, self.recipe.seed)
        return average

    def thoughts(self) -> Path:
        """Let the finished thinker write thoughts for tiles, so that the editor meets its real errors."""
        path = self.folder / "thoughts.pt"
        if not path.is_file():
            recipe = self.recipe.editor
            mixture = Mixture(recipe.simulated, recipe.super_resolution / 2, recipe.translation)
            sampler = self.sampler(mixture, 30)
            config = CheckpointConfig.model_validate(checkpoint_facts(self.recipe, micro_batch=1))
            geometry = PatchGeometry(self.recipe.backbone.patch, 2, 1)
            thinker = Thinker(self.latest_thinker(), self.prompting(), config, geometry)
            torch.save([_written(thinker, sampler.draw(recipe.thought_tile)) for _ in range(recipe.thoughts)], path)
        return path

    def _thinker_lessons(self, phase: ThinkerRecipe, geometry: PatchGeometry, seed: int) -> Make:
        mixture = Mixture(simulated=phase.simulated, super_resolution=0.0, translation=phase.translation)
        sampler = self.sampler(mixture, seed)
        collate = ThinkerCollate(self.prompting(), geometry, VISION, phase.sigma)

        def make(step: int) -> ThinkerBatch:
            sampler.at_step(step)
            looks = int(np.random.default_rng((seed, step)).binomial(phase.batch, phase.restoration))
            samples = [sampler.draw(phase.tile) for _ in range(phase.batch - looks)]
            return collate([*samples, *(sampler.look(phase.tile) for _ in range(looks))])

        return make


class EditorLessons:
    """Makes batches for the editor: fresh samples, and stored ones for which the thinker wrote the thought."""

    def __init__(self, workshop: Workshop, seed: int) -> None:
        recipe = workshop.recipe.editor
        mixture = Mixture(recipe.simulated, recipe.super_resolution, recipe.translation)
        self._sampler = workshop.sampler(mixture, seed)
        self._collate = EditorCollate(workshop.prompting(), recipe, seed)
        self._recipe, self._path = recipe, workshop.folder / "thoughts.pt"
        self._seed = seed
        self._stored: list[dict[str, Any]] = []

    def __call__(self, step: int) -> EditorBatch:
        """Make the batch of one step."""
        if not self._stored and self._path.is_file():
            self._stored = torch.load(self._path, weights_only=True)
        rng = np.random.default_rng((self._seed, step))
        for part in (self._sampler, self._collate):
            part.at_step(step)
        drawn = [self._one(rng) for _ in range(self._recipe.batch)]
        return self._collate([sample for sample, _ in drawn], [thought for _, thought in drawn])

    def _one(self, rng: np.random.Generator) -> tuple[Sample, tuple[int, ...] | None]:
        if not self._stored or rng.random() >= self._recipe.self_sampled:
            return self._sampler.draw(self._recipe.tile), None
        kept = self._stored[int(rng.integers(len(self._stored)))]
        images = {name: kept[name].float().numpy() for name in ("source", "target", "base")}
        truth = Truth(kept["task"], kept["noun"])
        sample = Sample(instruction=kept["instruction"], truth=truth, **images)
        seen = window_of(sample, self._recipe.tile, rng)
        return turned(seen, int(rng.integers(8))), tuple(kept["ids"])


def _written(thinker: Thinker, sample: Sample) -> dict[str, Any]:
    """One sample and the thought the thinker has of it, as plain tensors."""
    try:
        (thought,) = thinker.think(torch.from_numpy(sample.source)[None], sample.instruction, Sampling())
        ids = list(thought.token_ids)
    except ThoughtError:
        ids = list(thinker.prompting.encode(sample.truth.text))
    images = {name: torch.from_numpy(getattr(sample, name).copy()).half() for name in ("source", "target", "base")}
    facts = {"instruction": sample.instruction, "task": sample.truth.task, "noun": sample.truth.target}
    return {**images, **facts, "ids": ids}


def main(config: Path | Recipe, only: str | None = None) -> Path:
    """Train nano as a recipe says; run again, it continues where it stopped.

    Parameters
    ----------
    config : Path or Recipe
        YAML file, or the recipe itself.
    only : {'thinker', 'thoughts', 'editor', 'export'}, optional
        Do one step. ``editor`` beside a running ``thinker`` begins with the state the thinker has by then.

    Returns
    -------
    Path
        Folder of the finished checkpoint.
    """
    recipe = config if isinstance(config, Recipe) else Recipe.open(Path(config))
    torch.set_num_threads(recipe.threads)
    workshop = Workshop(recipe)
    output = Path(recipe.output)
    if only in (None, "thinker"):
        workshop.thinker()
    if only in (None, "thoughts"):
        workshop.thoughts()
    if only in (None, "editor"):
        workshop.editor()
    if only in (None, "export"):
        export(workshop, output)
    return output


def export(workshop: Workshop, output: Path) -> Path:
    """Write the newest thinker and the averaged editor as a checkpoint in the released layout, in float16."""
    recipe = workshop.recipe
    state = torch.load(workshop.folder / "editor-state.pt", weights_only=True)
    editor = Editor(recipe.editor, recipe.backbone.hidden)
    editor.load_state_dict(state["average"])
    config = CheckpointConfig.model_validate(checkpoint_facts(recipe))
    codec = PixelUnshuffleCodec(FACTOR)
    parts = Checkpoint(config, workshop.latest_thinker(), editor.connector, editor.unet, codec)
    return save(output, parts, workshop.prompting().tokenizer)


def checkpoint_facts(recipe: Recipe, micro_batch: int = 8) -> dict[str, Any]:
    """Return the content of nano's ``s1_omni_image_config.json``."""
    return {
        "alignment_layer": connector_config(recipe.editor, recipe.backbone.hidden).model_dump(),
        "transformer_config": editor_config(recipe.editor),
        "vae_config": {"_class_name": "PixelUnshuffleCodec", "factor": FACTOR},
        "scheduler_config": {
            "_class_name": "FlowMatchEulerDiscreteScheduler",
            "noise_scale": recipe.editor.noise_scale,
            "shift": 1.0,
        },
        "condition": {"mode": "reencode", "image_pads": False},
        "denoising": {"schedule": "stock", "prediction": PREDICTION},
        "vision": VISION.model_dump(),
        "sampling": {"max_new_tokens": 48, "edit_steps": 1, "generation_steps": 1, "true_cfg_scale": 1.0},
        "engine": {
            "name": "nano",
            "title": "nano: the bundled S1-Omni checkpoint for a CPU",
            "targets": ("nuclei", "hematoxylin", "eosin"),
            "encoding": "fields",
            "tile_size": 256,
            "overlap": 64,
            "micro_batch": micro_batch,
            "min_size": 32,
            "max_size": 1024,
            "think": "per_tile",
            "dtype": "float32",
            "devices": ("cpu",),
            "bytes_per_tile_pixel": 600.0,
            "weights_license": "BSD-3-Clause; see MODEL_CARD.md for the data",
            "citation": "the napari_s1omni authors, nano",
        },
    }
