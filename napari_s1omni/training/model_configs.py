"""Configurations of nano: backbone, connector, editor, and the checkpoint that holds them."""

from __future__ import annotations

from typing import Any

from napari_s1omni.engine.description import Division
from napari_s1omni.engine.s1omni.checkpoint.config import AlignmentConfig, CheckpointConfig, VisionConfig
from napari_s1omni.engine.s1omni.editor.film_unet import FilmUNet2DModel
from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer
from napari_s1omni.training.recipe import BackboneRecipe, EditorRecipe, Recipe

PREDICTION = {"segmentation": "x0", "modality_translation": "x0", "super_resolution": "residual"}
"""What the editor predicts, per task."""
TASKS = tuple(PREDICTION)
VISION = VisionConfig(min_pixels=32 * 32, max_pixels=512 * 512, clamp=(0.0, 1.0))
"""How tiles enter nano's thinker: unchanged."""
DIVISION = Division(distance=0.55, rise=0.25, least=0.6)
"""Chosen for the bundled weights on their training fields of nuclei; other weights may need other values."""


def backbone_config(recipe: BackboneRecipe, prompting: PromptTokenizer) -> dict[str, Any]:
    """Return the configuration of nano's ``Qwen3VLForConditionalGeneration``."""
    ids = prompting.ids
    return {
        "image_token_id": ids["image_pad"],
        "video_token_id": prompting.tokenizer.token_to_id("<|video_pad|>"),
        "vision_start_token_id": ids["vision_start"],
        "vision_end_token_id": ids["vision_end"],
        "tie_word_embeddings": True,
        "text_config": {
            "vocab_size": prompting.tokenizer.get_vocab_size(),
            "hidden_size": recipe.hidden,
            "intermediate_size": 3 * recipe.hidden,
            "num_hidden_layers": recipe.layers,
            "num_attention_heads": recipe.heads,
            "num_key_value_heads": recipe.heads // 2,
            "head_dim": 32,
            "max_position_embeddings": 4096,
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": ids["turn_end"],
            "pad_token_id": ids["turn_end"],
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [6, 5, 5]},
        },
        "vision_config": {
            "depth": recipe.vision_layers,
            "hidden_size": recipe.vision_hidden,
            "intermediate_size": 3 * recipe.vision_hidden,
            "num_heads": recipe.vision_hidden // 32,
            "patch_size": recipe.patch,
            "spatial_merge_size": 2,
            "temporal_patch_size": 1,
            "out_hidden_size": recipe.hidden,
            "num_position_embeddings": 1024,
            "deepstack_visual_indexes": [1],
        },
    }


def connector_config(recipe: EditorRecipe, width: int) -> AlignmentConfig:
    """Return the configuration of nano's connector, for a thinker of `width` hidden channels."""
    return AlignmentConfig(input_dim=width, output_dim=recipe.condition, hidden_dim=2 * recipe.condition, type="mlp_ln")


def editor_config(recipe: EditorRecipe) -> dict[str, Any]:
    """Return the configuration of nano's ``FilmUNet2DModel``."""
    latent = 3 * recipe.factor**2
    return {
        "_class_name": FilmUNet2DModel.__name__,
        "in_channels": 2 * latent,
        "out_channels": latent,
        "block_out_channels": recipe.blocks,
        "layers_per_block": recipe.depth,
        "cross_attention_dim": recipe.condition,
        "attention_head_dim": recipe.head_width,
        "hint_channels": recipe.hint_planes * recipe.factor**2,
        "trust_channels": recipe.trust_planes * recipe.factor**2,
    }


def checkpoint_config(recipe: Recipe, micro_batch: int = 8) -> CheckpointConfig:
    """Return the content of nano's ``s1_omni_image_config.json``."""
    facts = {
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
            "object_size": recipe.editor.scaling,
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
    return CheckpointConfig.model_validate(facts)
