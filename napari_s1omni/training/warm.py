"""Beginning from a finished checkpoint instead of from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from napari_s1omni.engine.s1omni.checkpoint import Checkpoint, load
from napari_s1omni.engine.s1omni.layout import COMPONENTS, open_layout
from napari_s1omni.errors import CheckpointError


def read_start(folder: Path, editor_config: dict[str, Any]) -> Checkpoint:
    """Load the checkpoint that training begins from, in float32 on the CPU.

    Parameters
    ----------
    folder : Path
        In the released layout.
    editor_config : dict
        Of the editor that the recipe describes.

    Raises
    ------
    CheckpointError
        If the folder is no checkpoint, or its editor is not the one that the recipe describes, nor a
        ``UNet2DConditionModel`` of fewer residual blocks.
    """
    layout = open_layout(folder)
    stored = layout.config.transformer_config
    differing = sorted(key for key, value in editor_config.items() if _plain(stored.get(key)) != _plain(value))
    if differing == ["layers_per_block"] and _grown(stored, editor_config):
        differing = []
    if differing:
        raise CheckpointError(
            f"the editor in {folder} differs from the recipe's in {', '.join(differing)}",
            "a recipe whose editor has the shape of the checkpoint it starts from",
            "correct `editor` in the recipe, or leave out `start`",
            file=str(folder),
            keys=differing,
        )
    cpu = torch.device("cpu")
    return load(layout, dict.fromkeys(COMPONENTS, cpu), torch.float32)


def _grown(stored: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether an editor is of the class that ``deepen`` knows, and none of its levels shrinks."""
    old, new = _depths(stored), _depths(wanted)
    deeper = len(old) == len(new) and all(before <= after for before, after in zip(old, new, strict=True))
    return deeper and wanted["_class_name"] == "UNet2DConditionModel"


def _depths(config: dict[str, Any]) -> list[int]:
    """Residual blocks of each level."""
    depth = config.get("layers_per_block", 2)
    return [depth] * len(config["block_out_channels"]) if isinstance(depth, int) else list(depth)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
