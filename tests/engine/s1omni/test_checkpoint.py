from __future__ import annotations

import gc
import hashlib
import json
import weakref

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_checkpoints import mmdit_parts, tiny_tokenizer

from napari_s1omni.engine.s1omni.checkpoint import loading as module
from napari_s1omni.engine.s1omni.checkpoint.config import AlignmentConfig, CheckpointConfig, Prefixes
from napari_s1omni.engine.s1omni.checkpoint.layout import COMPONENTS, open_layout
from napari_s1omni.engine.s1omni.checkpoint.loading import (
    build_modules,
    load_checkpoint,
    load_prompting,
)
from napari_s1omni.engine.s1omni.checkpoint.saving import save_checkpoint
from napari_s1omni.engine.s1omni.editor.connector import Connector

CPU = dict.fromkeys(COMPONENTS, torch.device("cpu"))

RELEASED_BACKBONE = {
    "tie_word_embeddings": False,
    "text_config": {
        "hidden_size": 5120,
        "num_hidden_layers": 64,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 25600,
        "vocab_size": 151936,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5e6,
            "mrope_section": [24, 20, 20],
            "mrope_interleaved": True,
        },
    },
    "vision_config": {
        "depth": 27,
        "hidden_size": 1152,
        "num_heads": 16,
        "intermediate_size": 4304,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": 5120,
        "num_position_embeddings": 2304,
        "deepstack_visual_indexes": [8, 16, 24],
    },
}


def _count(part):
    return sum(p.numel() for p in part.parameters())


def test_the_released_configuration_has_the_published_sizes():
    config = CheckpointConfig(
        transformer_config={"_class_name": "QwenImageTransformer2DModel"},
        vae_config={"_class_name": "AutoencoderKLQwenImage"},
    )
    with torch.device("meta"):
        parts = build_modules(config, RELEASED_BACKBONE)
    assert _count(parts.backbone) == 33_357_390_064
    assert _count(parts.backbone.model.visual) == 595_266_800
    assert _count(parts.transformer) == 20_430_401_088
    assert _count(parts.codec) == 126_892_531
    assert _count(parts.connector) == 5120 * 3584 + 3584 + 3584 * 3584 + 3584
    assert parts.transformer.zero_cond_t


# Reading


@pytest.mark.parametrize("family", ["unet_folder", "mmdit_folder"])
def test_every_tensor_is_assigned(request, family, backbone):
    folder = request.getfixturevalue(family)
    layout = open_layout(folder)
    parts = load_checkpoint(layout, CPU, torch.float32)
    stored = {}
    for shard in layout.shards:
        stored |= load_file(shard)
    seen = 0
    for component, part in parts.modules().items():
        state = part.state_dict()
        for name, entry in layout.tensors[component].items():
            ours = parts.connector.rename([name])[name] if component == "alignment" else name
            assert torch.equal(state[ours if ours in state else name], stored[entry.key])
            seen += 1
    assert seen == len(stored)
    for name, tensor in backbone.state_dict().items():
        assert torch.equal(parts.backbone.state_dict()[name], tensor)
    assert parts.backbone.lm_head.weight is parts.backbone.model.language_model.embed_tokens.weight
    leftover = [
        n
        for part in parts.modules().values()
        for n, t in (*part.named_parameters(), *part.named_buffers())
        if t.is_meta
    ]
    assert leftover == []


def test_a_loaded_thinker_computes_what_the_saved_one_did(unet_folder, backbone):
    parts = load_checkpoint(open_layout(unet_folder), CPU, torch.float32)
    ids = torch.arange(40).view(1, -1)
    assert torch.equal(parts.backbone(input_ids=ids).logits, backbone(input_ids=ids).logits)


def test_a_loaded_editor_computes_what_the_saved_one_did(mmdit_folder):
    parts = load_checkpoint(open_layout(mmdit_folder), CPU, torch.float32)
    original = mmdit_parts()[1]["transformer"].eval()
    inputs = {
        "hidden_states": torch.randn(1, 32, 64),
        "timestep": torch.tensor([0.5]),
        "encoder_hidden_states": torch.randn(1, 5, 16),
        "encoder_hidden_states_mask": torch.ones(1, 5, dtype=torch.bool),
        "img_shapes": [[(1, 4, 4), (1, 4, 4)]],
    }
    with torch.no_grad():
        assert torch.equal(parts.transformer(**inputs).sample, original(**inputs).sample)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_tensors_are_cast_while_loading(unet_folder, dtype):
    parts = load_checkpoint(open_layout(unet_folder), CPU, dtype)
    assert {p.dtype for part in parts.modules().values() for p in part.parameters()} == {dtype}
    assert parts.backbone.model.language_model.rotary_emb.inv_freq.dtype == torch.float32


def test_no_second_copy_is_held(unet_folder, monkeypatch):
    """While one tensor is read, all earlier ones exist once: in their module."""
    alive: list[weakref.ref] = []
    extra = []
    real = module.assign

    def watch(part, name, tensor):
        real(part, name, tensor)
        gc.collect(0)
        extra.append(sum(ref() is not None for ref in alive))
        placed = part.get_parameter(name) if name in dict(part.named_parameters()) else part.get_buffer(name)
        assert placed.data_ptr() == tensor.data_ptr()
        alive.append(weakref.ref(tensor))

    monkeypatch.setattr(module, "assign", watch)
    load_checkpoint(open_layout(unet_folder), CPU, torch.float32)
    assert len(alive) > 50
    assert max(extra) <= 2


def test_other_connector_names_are_matched_in_order():
    for kind in ("linear", "mlp", "mlp_ln"):
        connector = Connector(AlignmentConfig(input_dim=4, output_dim=6, hidden_dim=5, type=kind))
        foreign = [name.replace("layers.", "net.module_") for name in connector.state_dict()]
        assert list(connector.rename(foreign).values()) == list(connector.state_dict())


@pytest.mark.parametrize("kind", ["linear", "mlp", "mlp_ln"])
def test_the_connector_works_token_by_token(kind):
    connector = Connector(AlignmentConfig(input_dim=4, output_dim=6, hidden_dim=5, type=kind)).eval()
    states = torch.randn(2, 7, 4)
    out = connector(states)
    assert out.shape == (2, 7, 6)
    torch.testing.assert_close(connector(states[:, 3:4]), out[:, 3:4])
    layers = {"linear": 1, "mlp": 3, "mlp_ln": 5}[kind]
    assert len(connector.layers) == layers


def test_a_backbone_configuration_may_be_embedded(copy_of, unet_folder):
    backbone = json.loads((unet_folder / "config.json").read_text())
    folder = copy_of(unet_folder, qwen3_vl_config=backbone)
    (folder / "config.json").unlink()
    assert open_layout(folder).backbone_config == backbone


def test_a_single_file_needs_no_index(copy_of, unet_folder):
    folder = copy_of(unet_folder)
    tensors = {k: t for shard in folder.glob("*.safetensors") for k, t in load_file(shard).items()}
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    save_file(tensors, folder / "model.safetensors")
    load_checkpoint(open_layout(folder), CPU, torch.float32)


# Writing


@pytest.mark.parametrize("named", [False, True])
def test_a_saved_checkpoint_can_be_loaded(tmp_path, unet_folder, named):
    parts = load_checkpoint(open_layout(unet_folder), CPU, torch.float32)
    prefixes = Prefixes(backbone="qwen3_vl.", transformer="transformer.") if named else None
    folder = save_checkpoint(
        tmp_path / "out", parts, tiny_tokenizer(), dtype=torch.float32, prefixes=prefixes, shard_bytes=100_000
    )
    layout = open_layout(folder)
    assert len(layout.shards) > 2
    assert {path.stat().st_mode for path in layout.shards} == {(folder / "config.json").stat().st_mode}
    assert set(layout.config.sha256) == {path.name for path in layout.shards}
    assert layout.config.sha256[layout.shards[0].name] == hashlib.sha256(layout.shards[0].read_bytes()).hexdigest()
    with safe_open(layout.shards[0], framework="pt") as file:
        assert all(key.startswith("qwen3_vl.") == named for key in file.keys() if "language_model" in key)
    again = load_checkpoint(layout, CPU, torch.float32)
    for component, part in again.modules().items():
        for name, tensor in part.state_dict().items():
            assert torch.equal(tensor, parts.modules()[component].state_dict()[name])
    assert again.config.model_copy(update={"sha256": {}, "prefixes": None}) == parts.config
    load_prompting(layout)


def test_half_precision_on_disk(tmp_path, unet_folder):
    parts = load_checkpoint(open_layout(unet_folder), CPU, torch.float32)
    folder = save_checkpoint(tmp_path / "half", parts, tiny_tokenizer())
    layout = open_layout(folder)
    assert {entry.dtype for part in layout.tensors.values() for entry in part.values()} == {"F16"}
    again = load_checkpoint(layout, CPU, torch.float32)
    weight = parts.transformer.conv_in.weight
    assert torch.equal(again.transformer.conv_in.weight, weight.half().float())
