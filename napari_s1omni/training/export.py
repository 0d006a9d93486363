"""Write the trained networks as a checkpoint in the released layout."""

from __future__ import annotations

from pathlib import Path

import torch

from napari_s1omni.engine.s1omni.checkpoint.loading import Checkpoint
from napari_s1omni.engine.s1omni.checkpoint.saving import save_checkpoint
from napari_s1omni.engine.s1omni.editor.codec import PixelUnshuffleCodec
from napari_s1omni.training.model_configs import checkpoint_config
from napari_s1omni.training.stages.editor_model import Editor
from napari_s1omni.training.training_run import TrainingRun


def export(run: TrainingRun, output: Path) -> Path:
    """Write the latest thinker and the averaged editor as a checkpoint in float16; return its folder."""
    recipe = run.recipe
    state = torch.load(run.editor_state, map_location="cpu", weights_only=True)
    editor = Editor(recipe.editor, recipe.backbone.hidden)
    editor.load_state_dict(state["average"])
    start = run.start_checkpoint() if recipe.start_editor and recipe.editor.start_weight else None
    if start is not None:
        before = Editor(recipe.editor, recipe.backbone.hidden)
        before.load_checkpoint(start)
        for new, old in zip(editor.parameters(), before.parameters(), strict=True):
            new.data.lerp_(old.data, recipe.editor.start_weight)
    config = checkpoint_config(recipe)
    codec = PixelUnshuffleCodec(recipe.editor.factor)
    parts = Checkpoint(config, run.latest_thinker(), editor.connector, editor.unet, codec)
    shard = int(recipe.shard_mib * 2**20)
    return save_checkpoint(output, parts, run.data.prompting().tokenizer, shard_bytes=shard)
