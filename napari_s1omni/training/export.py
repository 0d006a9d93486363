"""What was learned, written as a checkpoint in the released layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from napari_s1omni.engine.protocol import Division
from napari_s1omni.engine.s1omni.checkpoint.config import CheckpointConfig, VisionConfig
from napari_s1omni.engine.s1omni.checkpoint.loading import Checkpoint, save
from napari_s1omni.engine.s1omni.editor.codec import PixelUnshuffleCodec
from napari_s1omni.training.batches.editor_batches import PREDICTION
from napari_s1omni.training.recipe import Recipe
from napari_s1omni.training.stages.editor_stage import Editor, connector_config, editor_config

if TYPE_CHECKING:
    from napari_s1omni.training.training_run import TrainingRun

VISION = VisionConfig(min_pixels=32 * 32, max_pixels=512 * 512, clamp=(0.0, 1.0))
"""How tiles enter nano's thinker: as they are."""
DIVISION = Division(distance=0.55, rise=0.25, least=0.6)
"""Chosen for the bundled weights on their training fields of nuclei; other weights may want another."""


def export(workshop: TrainingRun, output: Path) -> Path:
    """Write the newest thinker and the averaged editor as a checkpoint in the released layout, in float16."""
    recipe = workshop.recipe
    state = torch.load(workshop.folder / "editor-state.pt", map_location="cpu", weights_only=True)
    editor = Editor(recipe.editor, recipe.backbone.hidden)
    editor.load_state_dict(state["average"])
    start = workshop.start() if recipe.start_editor and recipe.editor.kept else None
    if start is not None:
        before = Editor(recipe.editor, recipe.backbone.hidden)
        before.begin(start)
        for new, old in zip(editor.parameters(), before.parameters(), strict=True):
            new.data.lerp_(old.data, recipe.editor.kept)
    config = CheckpointConfig.model_validate(checkpoint_facts(recipe))
    codec = PixelUnshuffleCodec(recipe.editor.factor)
    parts = Checkpoint(config, workshop.latest_thinker(), editor.connector, editor.unet, codec)
    shard = int(recipe.shard_mib * 2**20)
    return save(output, parts, workshop.prompting().tokenizer, shard_bytes=shard)


def checkpoint_facts(recipe: Recipe, micro_batch: int = 8) -> dict[str, Any]:
    """Return the content of nano's ``s1_omni_image_config.json``."""
    return {
        "alignment_layer": connector_config(recipe.editor, recipe.backbone.hidden).model_dump(),
        "transformer_config": editor_config(recipe.editor),
        "vae_config": {"_class_name": "PixelUnshuffleCodec", "factor": recipe.editor.factor},
        "scheduler_config": {
            "_class_name": "FlowMatchEulerDiscreteScheduler",
            "noise_scale": recipe.editor.noise_scale,
            "shift": 1.0,
        },
        "condition": {"mode": "reencode", "image_pads": False},
        "denoising": {
            "schedule": "stock",
            "prediction": PREDICTION,
            "enlargement": recipe.editor.enlargement,
            "object_size": recipe.editor.grid,
        },
        "vision": VISION.model_dump(),
        "sampling": {"max_new_tokens": 48, "edit_steps": 1, "generation_steps": 1, "true_cfg_scale": 1.0},
        "engine": {
            "name": "nano",
            "title": "nano: the bundled S1-Omni checkpoint for a CPU",
            "targets": ("nuclei", "hematoxylin", "eosin"),
            "encoding": "fields",
            "division": DIVISION,
            "tile_size": 256,
            "overlap": 64,
            "micro_batch": micro_batch,
            "min_size": 32,
            "max_size": 1024,
            "think": "per_tile",
            "dtype": "float32",
            "devices": ("cpu",),
            "threads": 2,
            "bytes_per_tile_pixel": 600.0,
            "weights_license": "BSD-3-Clause; see MODEL_CARD.md for the data",
            "citation": "the napari_s1omni authors, nano",
        },
    }
