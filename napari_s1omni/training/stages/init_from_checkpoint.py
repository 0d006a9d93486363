"""Start a training from a finished checkpoint instead of random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from napari_s1omni.engine.s1omni.checkpoint.layout import COMPONENTS, open_layout
from napari_s1omni.engine.s1omni.checkpoint.loading import Checkpoint, load_checkpoint
from napari_s1omni.errors import CheckpointError

ADDED = ("hint_channels", "trust_channels")
"""Parts of an editor that one trained without them may be given; they start at zero."""


def load_start(folder: Path, editor_config: dict[str, Any]) -> Checkpoint:
    """Load the checkpoint that training starts from, in float32 on the CPU.

    Parameters
    ----------
    folder : Path
        Folder in the released layout.
    editor_config : dict
        Configuration of the recipe's editor.

    Raises
    ------
    CheckpointError
        If the folder is not a checkpoint, or its editor differs from the recipe's.
    """
    layout = open_layout(folder)
    stored = layout.config.transformer_config
    shape = {key: value for key, value in editor_config.items() if key in stored or key not in ADDED}
    differing = sorted(key for key, value in shape.items() if _as_list(stored.get(key)) != _as_list(value))
    if differing:
        raise CheckpointError(
            f"the editor in {folder} differs from the recipe's in {', '.join(differing)}",
            "a recipe whose editor has the shape of the start checkpoint",
            "correct `editor` in the recipe, or set `start_editor: false`",
            file=str(folder),
            keys=differing,
        )
    cpu = torch.device("cpu")
    return load_checkpoint(layout, dict.fromkeys(COMPONENTS, cpu), torch.float32)


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
