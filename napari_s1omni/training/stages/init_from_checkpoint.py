"""Beginning from a finished checkpoint instead of from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from napari_s1omni.engine.s1omni.checkpoint.layout import COMPONENTS, open_layout
from napari_s1omni.engine.s1omni.checkpoint.loading import Checkpoint, load
from napari_s1omni.errors import CheckpointError


def load_start(folder: Path, editor_config: dict[str, Any]) -> Checkpoint:
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
        If the folder is no checkpoint, or its editor is not the one that the recipe describes.
    """
    layout = open_layout(folder)
    stored = layout.config.transformer_config
    differing = sorted(key for key, value in editor_config.items() if _plain(stored.get(key)) != _plain(value))
    if differing:
        raise CheckpointError(
            f"the editor in {folder} differs from the recipe's in {', '.join(differing)}",
            "a recipe whose editor has the shape of the checkpoint it starts from",
            "correct `editor` in the recipe, or set `start_editor: false`",
            file=str(folder),
            keys=differing,
        )
    cpu = torch.device("cpu")
    return load(layout, dict.fromkeys(COMPONENTS, cpu), torch.float32)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
