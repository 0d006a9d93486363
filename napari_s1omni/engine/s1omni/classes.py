"""Classes that the configurations of a checkpoint may name.

They are checked when a folder is opened; nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_s1omni.errors import CheckpointError

DENOISERS = ("QwenImageTransformer2DModel", "UNet2DConditionModel")
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
        raise _unknown(f"{section}.{key} = {name!r}", allowed, file, name)
    return str(name)


def check_backbone(config: Mapping[str, Any], file: Path) -> None:
    """Check the type that the backbone's configuration names, where it does.

    Raises
    ------
    CheckpointError
        If it is another model.
    """
    class_name("backbone", config, BACKBONE_TYPES, file, "model_type")


def _unknown(given: str, allowed: tuple[str, ...], file: Path | None, name: object) -> CheckpointError:
    facts = {} if file is None else {"file": str(file)}
    return CheckpointError(
        f"{given}{'' if file is None else f' in {file}'}",
        " or ".join(allowed),
        "correct the configuration or use another checkpoint",
        class_name=name,
        **facts,
    )
