"""The parts of the tiny checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.s1omni.checkpoint.config import CheckpointConfig, VisionConfig
from napari_s1omni.engine.s1omni.editor.connector import Connector
from napari_s1omni.engine.s1omni.thinker.patches import PatchGeometry, patchify
from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer

SPECIAL = (
    "<|im_start|> <|im_end|> <|vision_start|> <|vision_end|> <|image_pad|> <think> </think> <image_edit> <image_gen> <prot_st>"
).split()
VISION = {"min_pixels": 64, "max_pixels": 4096, "clamp": [0.0, 1.0]}
PROMPTING = {"system_prompt": "You look and draw.", "other_routes": ["<prot_st>"]}
TRACES = {
    "empty": "<think>0</think>\nno<image_edit>",
    "noise": "<think>9+</think>\nok<image_edit>",
    "ramp": "<think>~</think>\nok<image_edit>",
}
TASKS = ("segmentation", "super_resolution", "modality_translation")


def instruction(task: str = "segmentation", request: str = "nuclei") -> Instruction:
    return Instruction(task=task, request=request, tile=(32, 32))


def tiny_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def backbone_config() -> dict[str, Any]:
    tokenizer = tiny_tokenizer()
    return {
        "model_type": "qwen3_vl",
        "image_token_id": tokenizer.token_to_id("<|image_pad|>"),
        "vision_start_token_id": tokenizer.token_to_id("<|vision_start|>"),
        "vision_end_token_id": tokenizer.token_to_id("<|vision_end|>"),
        "video_token_id": 299,
        "tie_word_embeddings": True,
        "text_config": {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "vocab_size": 300,
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5e6,
                "mrope_section": [2, 1, 1],
                "mrope_interleaved": True,
            },
        },
        "vision_config": {
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_heads": 2,
            "patch_size": 8,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": 32,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
        },
    }


def taught_backbone(kept: Path) -> Any:
    """A tiny thinker that tells an empty tile, a ramp and noise apart; what it learnt is kept in a file."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    torch.manual_seed(0)
    model = Qwen3VLForConditionalGeneration(Qwen3VLConfig(**backbone_config()))
    if kept.exists():
        model.load_state_dict(torch.load(kept, weights_only=True))
        return model.eval().requires_grad_(False)
    prompting = PromptTokenizer(tiny_tokenizer(), CheckpointConfig.model_validate(parts_config()).prompting)
    geometry, vision = PatchGeometry(8, 2, 2), VisionConfig.model_validate(VISION)
    rng = np.random.default_rng(1)
    optimizer = torch.optim.AdamW(model.parameters(), 6e-3)
    ramp = np.linspace(0, 1, 32, dtype=np.float32)[None, None, :].repeat(3, 0).repeat(32, 1)
    for step in range(160):
        optimizer.param_groups[0]["lr"] = 6e-3 * min(1, (160 - step) / 60)
        kinds = ["empty", "noise", "ramp", "noise"]
        pictures = {"empty": np.zeros((3, 32, 32), np.float32), "ramp": ramp}
        images = torch.from_numpy(
            np.stack([pictures.get(kind, rng.random((3, 32, 32), dtype=np.float32)) for kind in kinds])
        )
        prompt = prompting.prompt(instruction(TASKS[step % 3]).text, 4)
        bodies = [prompting.encode(TRACES[kind] + "<|im_end|>") for kind in kinds]
        width = max(map(len, bodies))
        end = prompting.ids["turn_end"]
        ids = torch.tensor([[*prompt.ids, *body, *[end] * (width - len(body))] for body in bodies])
        values, grid = patchify(images, geometry, vision)
        kinds_of = (ids == prompting.ids["image_pad"]).int()
        logits = model(
            input_ids=ids,
            pixel_values=values,
            image_grid_thw=grid,
            mm_token_type_ids=kinds_of,
            logits_to_keep=width + 1,
        ).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, -width:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1, "the tiny thinker did not learn its three words"
    torch.save(model.state_dict(), kept)
    return model.eval().requires_grad_(False)


def parts_config(**changes: Any) -> dict[str, Any]:
    """Configuration of a tiny checkpoint around a UNet editor."""
    config = {
        "alignment_layer": {"input_dim": 32, "output_dim": 16, "hidden_dim": 24, "type": "mlp"},
        "transformer_config": {
            "_class_name": "UNet2DConditionModel",
            "in_channels": 96,
            "out_channels": 48,
            "block_out_channels": [16, 16],
            "layers_per_block": 1,
            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
            "mid_block_type": "UNetMidBlock2DCrossAttn",
            "cross_attention_dim": 16,
            "attention_head_dim": 2,
            "norm_num_groups": 4,
            "sample_size": 8,
        },
        "vae_config": {"_class_name": "PixelUnshuffleCodec", "factor": 4},
        "scheduler_config": {"num_train_timesteps": 1000, "shift": 1.0, "noise_scale": 0.1},
        "condition": {"mode": "reencode"},
        "denoising": {
            "schedule": "stock",
            "prediction": {"default": "x0", "super_resolution": "residual"},
        },
        "prompting": PROMPTING,
        "vision": VISION,
        "sampling": {"max_new_tokens": 24, "edit_steps": 2, "generation_steps": 2, "true_cfg_scale": 4.0},
        "engine": {
            "name": "tiny",
            "encoding": "fields",
            "tile_size": 32,
            "overlap": 8,
            "micro_batch": 4,
            "min_size": 16,
            "max_size": 256,
            "dtype": "float32",
            "devices": ["cpu"],
        },
    }
    return {**config, **changes}


def unet_parts() -> tuple[dict[str, Any], dict[str, Any]]:
    from diffusers import UNet2DConditionModel

    torch.manual_seed(1)
    config = parts_config()
    unet = UNet2DConditionModel.from_config(config["transformer_config"])
    alignment = Connector(CheckpointConfig.model_validate(config).alignment_layer)
    return config, {"alignment": alignment, "transformer": unet}


def mmdit_parts() -> tuple[dict[str, Any], dict[str, Any]]:
    from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel

    torch.manual_seed(2)
    config = parts_config(
        transformer_config={
            "_class_name": "QwenImageTransformer2DModel",
            "patch_size": 2,
            "in_channels": 64,
            "out_channels": 16,
            "num_layers": 2,
            "attention_head_dim": 16,
            "num_attention_heads": 3,
            "joint_attention_dim": 16,
            "axes_dims_rope": [8, 4, 4],
        },
        vae_config={
            "_class_name": "AutoencoderKLQwenImage",
            "base_dim": 8,
            "z_dim": 16,
            "dim_mult": [1, 2, 4, 4],
            "num_res_blocks": 1,
            "latents_mean": np.linspace(-0.5, 0.5, 16).tolist(),
            "latents_std": np.linspace(0.8, 1.2, 16).tolist(),
        },
        scheduler_config={
            "num_train_timesteps": 1000,
            "use_dynamic_shifting": True,
            "base_shift": 0.5,
            "max_shift": 0.9,
            "base_image_seq_len": 256,
            "max_image_seq_len": 8192,
            "shift_terminal": 0.02,
            "time_shift_type": "exponential",
        },
        denoising={"schedule": "released"},
    )
    config["engine"] = {**config["engine"], "encoding": "overlay", "micro_batch": 2}
    transformer = QwenImageTransformer2DModel.from_config(config["transformer_config"], zero_cond_t=True)
    vae = AutoencoderKLQwenImage.from_config(config["vae_config"])
    alignment = Connector(CheckpointConfig.model_validate(config).alignment_layer)
    return config, {"alignment": alignment, "transformer": transformer, "vae": vae}


def write_folder(
    folder: Path, backbone: Any, config: dict[str, Any], modules: dict[str, Any], named_family: bool
) -> Path:
    """Write the released layout with two shards and an index, in either family of prefixes."""
    family = {"backbone": "", "alignment": "alignment_mlp.", "transformer": "dit.", "vae": "vae."}
    if named_family:
        family = {"backbone": "qwen3_vl.", "alignment": "alignment_mlp.", "transformer": "transformer.", "vae": "vae."}
    tensors = {
        family[part] + name: tensor.detach().clone().contiguous()
        for part, module in {"backbone": backbone, **modules}.items()
        for name, tensor in module.state_dict().items()
        if name != "lm_head.weight"
    }
    names = sorted(tensors)
    halves = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for shard, keys in halves.items():
        save_file({key: tensors[key] for key in keys}, folder / shard)
    weight_map = {key: shard for shard, keys in halves.items() for key in keys}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (folder / "s1_omni_image_config.json").write_text(json.dumps(config))
    own = backbone_config()
    embedded = {"model_type": "s1-omni-image", "qwen3_vl_config": own} if named_family else own
    (folder / "config.json").write_text(json.dumps(embedded))
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    return folder
