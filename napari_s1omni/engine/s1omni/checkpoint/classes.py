"""Names of the classes that the configurations of a checkpoint may use.

They are checked when a folder is opened; this needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_s1omni.errors import CheckpointError

UNETS = ("UNet2DConditionModel", "FilmUNet2DModel")
"""Editor networks that halve the latent from level to level."""
DENOISERS = ("QwenImageTransformer2DModel", *UNETS)
"""Allowed values of ``transformer_config._class_name``; the first is the default."""
CODECS = ("AutoencoderKLQwenImage", "PixelUnshuffleCodec")
"""Allowed values of ``vae_config._class_name``; the first is the default."""
SCHEDULERS = ("FlowMatchEulerDiscreteScheduler",)
"""Allowed values of ``scheduler_config._class_name``."""
BACKBONE_TYPES = ("qwen3_vl", "s1-omni-image")
"""Allowed values of ``model_type`` of the backbone, or of the configuration that embeds it."""


def class_name(
    section: str,
    config: Mapping[str, Any],
    allowed: tuple[str, ...],
    file: Path | None = None,
    key: str = "_class_name",
) -> str:
    """Return the class that a configuration names, or the first of `allowed` if it names none.

    Parameters
    ----------
    section : str
        Name of the configuration, for the error.
    config : mapping
    allowed : tuple of str
    file : Path, optional
        File that holds it, for the error.
    key : str
        Key of the class name.

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
