"""Checkpoints with random weights in the released layout: as large as the device's memory allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from napari_s1omni.engine.s1omni.checkpoint.config import CheckpointConfig
from napari_s1omni.engine.s1omni.checkpoint.loading import Checkpoint, assign, build_modules, restore_rotary_tables
from napari_s1omni.engine.s1omni.checkpoint.model_store import locate
from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer
from napari_s1omni.errors import EngineUnavailable

DTYPE = torch.bfloat16
"""Type of the weights, as released."""
_RESERVE = 16 * 2**30
"""Bytes of a device that are left for activations."""
_DEVIATION = 0.02
"""Standard deviation of the random weights."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Sizes that are left out here are those of the released models."""

    thinker_layers: int = 64
    """Layers of the language model."""
    editor_layers: int = 60
    """Blocks of the editor."""
    text: dict[str, Any] | None = None
    """Fields of the language model's configuration that differ from the released ones."""
    vision: dict[str, Any] | None = None
    """The same of the vision encoder."""
    editor: dict[str, Any] | None = None
    """The same of the editor."""
    codec: dict[str, Any] | None = None
    """The same of the codec."""


RELEASED = ModelSize()
"""S1-Omni-Image: Qwen3-VL-32B and the MMDiT of Qwen-Image-Edit."""
TINY = ModelSize(
    thinker_layers=2,
    editor_layers=2,
    text={
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "vocab_size": 2048,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5e6,
            "mrope_section": [4, 2, 2],
            "mrope_interleaved": True,
        },
    },
    vision={"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "deepstack_visual_indexes": [0]},
    editor={"attention_head_dim": 16, "num_attention_heads": 2, "axes_dims_rope": [8, 4, 4], "joint_attention_dim": 64},
    codec={"base_dim": 8, "num_res_blocks": 1},
)
"""A model of the same classes that a CPU runs in seconds: it tries the command, and says nothing of costs."""


def fitting_size(device: torch.device) -> tuple[ModelSize, float]:
    """Return the released model with as many layers as the device holds, and the share of layers that this is.

    Raises
    ------
    EngineUnavailable
        If not even one layer of each fits.
    """
    free = torch.cuda.mem_get_info(device)[0]
    whole = _bytes(RELEASED)
    without = _bytes(ModelSize(0, 0))
    share = min(1.0, (free - _RESERVE - without) / (whole - without))
    size = ModelSize(int(share * RELEASED.thinker_layers), int(share * RELEASED.editor_layers))
    if share <= 0 or not size.thinker_layers or not size.editor_layers:
        raise EngineUnavailable(
            f"{device} has {free / 2**30:.0f} GiB of free memory",
            f"at least {(without + _RESERVE) / 2**30 + 4:.0f} GiB",
            "use a larger GPU, or --tiny",
        )
    return size, share


def random_checkpoint(size: ModelSize, device: torch.device) -> tuple[Checkpoint, PromptTokenizer]:
    """Build a checkpoint on a device, with a tokenizer that fits it."""
    checkpoint, prompting = build(size)
    generator = torch.Generator(device).manual_seed(0)
    for module in checkpoint.modules().values():
        for name, tensor in list(module.state_dict(keep_vars=True).items()):
            assign(module, name, _random(name, tensor, device, generator))
        if hasattr(module, "tie_weights"):
            module.tie_weights()
        restore_rotary_tables(module)
        module.to(device).eval().requires_grad_(False)
    return checkpoint, prompting


def parameters(checkpoint: Checkpoint) -> dict[str, int]:
    """Return the number of weights of each component."""
    return {name: sum(p.numel() for p in module.parameters()) for name, module in checkpoint.modules().items()}


def build(size: ModelSize) -> tuple[Checkpoint, PromptTokenizer]:
    """Build the modules on the meta device."""
    text = {**_TEXT, **(size.text or {}), "num_hidden_layers": size.thinker_layers}
    vision = {**_VISION, **(size.vision or {}), "out_hidden_size": text["hidden_size"]}
    editor = {**_EDITOR, **(size.editor or {}), "num_layers": size.editor_layers}
    connector = {"input_dim": text["hidden_size"], "output_dim": editor["joint_attention_dim"]}
    config = CheckpointConfig.model_validate(
        {
            "alignment_layer": connector,
            "transformer_config": {"_class_name": "QwenImageTransformer2DModel", **editor},
            "vae_config": {"_class_name": "AutoencoderKLQwenImage", **(size.codec or {})},
            "scheduler_config": _SCHEDULER,
        }
    )
    prompting = PromptTokenizer.read(locate("nano"), config.prompting)
    ids = {
        name: prompting.ids[name.removesuffix("_token_id")] for name in ("vision_start_token_id", "vision_end_token_id")
    }
    backbone = {
        "image_token_id": prompting.ids["image_pad"],
        "video_token_id": text["vocab_size"] - 1,
        "tie_word_embeddings": False,
        "text_config": text,
        "vision_config": vision,
        **ids,
    }
    before = torch.get_default_dtype()
    torch.set_default_dtype(DTYPE)
    try:
        with torch.device("meta"):
            return build_modules(config, backbone), prompting
    finally:
        torch.set_default_dtype(before)


def _bytes(size: ModelSize) -> int:
    modules = build(size)[0].modules().values()
    return sum(tensor.numel() * tensor.element_size() for module in modules for tensor in module.state_dict().values())


def _random(name: str, tensor: torch.Tensor, device: torch.device, generator: torch.Generator) -> torch.Tensor:
    """Return a weight: scales of normalisations are 1, offsets 0, all else is random."""
    out = torch.empty(tensor.shape, dtype=tensor.dtype, device=device)
    if isinstance(tensor, nn.Parameter) and tensor.ndim > 1 and "norm" not in name:
        return out.normal_(0, _DEVIATION, generator=generator)
    return out.fill_(0.0 if name.endswith("bias") else 1.0)


_TEXT: dict[str, Any] = {
    "hidden_size": 5120,
    "intermediate_size": 25600,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 5e6,
        "mrope_section": [24, 20, 20],
        "mrope_interleaved": True,
    },
}
_VISION: dict[str, Any] = {
    "depth": 27,
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_heads": 16,
    "patch_size": 16,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "num_position_embeddings": 2304,
    "deepstack_visual_indexes": [8, 16, 24],
}
_EDITOR: dict[str, Any] = {
    "patch_size": 2,
    "in_channels": 64,
    "out_channels": 16,
    "attention_head_dim": 128,
    "num_attention_heads": 24,
    "joint_attention_dim": 3584,
    "axes_dims_rope": [16, 56, 56],
}
_SCHEDULER = {
    "num_train_timesteps": 1000,
    "use_dynamic_shifting": True,
    "base_shift": 0.5,
    "max_shift": 0.9,
    "base_image_seq_len": 256,
    "max_image_seq_len": 8192,
    "shift_terminal": 0.02,
    "time_shift_type": "exponential",
}
