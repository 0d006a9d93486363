"""Classes that the configurations of a checkpoint may name.

They are checked when a folder is opened; nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_s1omni.errors import CheckpointError

UNETS = ("UNet2DConditionModel", "FilmUNet2DModel")
"""Those editor networks that halve the latent from level to level."""
DENOISERS = ("QwenImageTransformer2DModel", *UNETS)
"""Editor networks that ``transformer_config._class_name`` may name; the first where it is absent."""
CODECS = ("AutoencoderKLQwenImage", "PixelUnshuffleCodec")
"""Codecs that ``vae_config._class_name`` may name; the first where it is absent."""
SCHEDULERS = ("FlowMatchEulerDiscreteScheduler",)
"""What ``scheduler_config._class_name`` may name."""
BACKBONE_TYPES = ("qwen3_vl", "s1-omni-image")
"""What ``model_type`` of the backbone, or of the whole that holds its two configurations, may be."""


def class_name(
    section: str,
    config: Mapping[str, Any],
    allowed: tuple[str, ...],
    file: Path | None = None,
    key: str = "_class_name",
) -> str:
    """Read the class that a configuration names; where it names none, the first of `allowed`.

    Parameters
    ----------
    section : str
        Where the configuration stands, for the error.
    config : mapping
    allowed : tuple of str
    file : Path, optional
        File that holds it, for the error.
    key : str

    Raises
    ------
    CheckpointError
        If it names a class that is not allowed.
    """
    name = config.get(key, allowed[0])
    if name not in allowed:
        raise CheckpointError(
            f"{section}.{key} = {name!r}{'' if file is None else f' in {file}'}",
            " or ".join(allowed),
            "correct the configuration or use another checkpoint",
            class_name=name,
            **({} if file is None else {"file": str(file)}),
        )
    return str(name)
