"""Folders that are not a checkpoint, or a damaged one: the error names the file and the remedy."""

from __future__ import annotations

import hashlib
import json
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoints import unet_parts

from napari_s1omni.engine.s1omni import load as load_engine
from napari_s1omni.engine.s1omni.checkpoint.layout import COMPONENTS, open_layout
from napari_s1omni.engine.s1omni.checkpoint.loading import load_checkpoint
from napari_s1omni.errors import CheckpointError, EngineUnavailable

CPU = dict.fromkeys(COMPONENTS, torch.device("cpu"))


def test_not_a_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match=r"s1_omni_image_config\.json") as caught:
        open_layout(tmp_path)
    assert caught.value.exit_code == 69
    with pytest.raises(CheckpointError, match="not a folder"):
        open_layout(tmp_path / "nowhere")


def test_configuration_is_no_json(copy_of, unet_folder):
    folder = copy_of(unet_folder)
    (folder / "s1_omni_image_config.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        open_layout(folder)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"alignment_layer": {"type": "spiral"}}, "alignment_layer.type"),
        ({"condition": {"mode": "guess"}}, "condition.mode"),
        ({"denoising": {"prediction": {"segmentation": "mask"}}}, "prediction"),
        ({"engine": {"micro_batch": 0}}, "micro_batch"),
    ],
)
def test_configuration_values_are_checked(copy_of, unet_folder, changes, word):
    with pytest.raises(CheckpointError) as caught:
        open_layout(copy_of(unet_folder, **changes))
    assert word in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"transformer_config": {"_class_name": "Flux"}}, "QwenImageTransformer2DModel"),
        ({"vae_config": {"_class_name": "Zip"}}, "PixelUnshuffleCodec"),
        ({"scheduler_config": {"_class_name": "DDIMScheduler"}}, "FlowMatchEulerDiscreteScheduler"),
        ({"qwen3_vl_config": {"model_type": "qwen2_5_vl"}}, "qwen3_vl"),
    ],
)
def test_unknown_classes_are_named(copy_of, unet_folder, changes, word):
    """When the folder is opened, before anything is built, and with the file."""
    folder = copy_of(unet_folder, **changes)
    with pytest.raises(CheckpointError, match=word) as caught:
        open_layout(folder)
    assert caught.value.facts["file"] == str(folder / "s1_omni_image_config.json")
    assert str(folder) in str(caught.value)
    assert caught.value.remedy


def test_another_backbone_is_named(copy_of, unet_folder):
    folder = copy_of(unet_folder)
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_type": "qwen3_vl_moe"}))
    with pytest.raises(CheckpointError, match="model_type = 'qwen3_vl_moe'") as caught:
        open_layout(folder)
    assert caught.value.facts["file"] == str(path)


def test_default_classes_are_those_of_the_release(copy_of, mmdit_folder):
    folder = copy_of(mmdit_folder)
    for path in (folder / "config.json", folder / "s1_omni_image_config.json"):
        data = json.loads(path.read_text())
        for section in (part for part in data.values() if isinstance(part, dict)):
            for key in ("_class_name", "model_type"):
                section.pop(key, None)
        path.write_text(json.dumps(data))
    assert open_layout(folder).counts() == open_layout(mmdit_folder).counts()
    load_checkpoint(open_layout(folder), CPU, torch.float32)


def test_a_configuration_that_cannot_be_built(copy_of, unet_folder):
    with pytest.raises(CheckpointError, match="cannot be built"):
        load_engine(str(copy_of(unet_folder, transformer_config={"cross_attention_dim": "wide"})))


def test_truncated_shard(copy_of, unet_folder):
    folder = copy_of(unet_folder)
    shard = sorted(folder.glob("*.safetensors"))[1]
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=shard.name) as caught:
        open_layout(folder)
    assert caught.value.facts["expected"] - caught.value.facts["size"] == 100


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 64, b"\x04\0\0\0\0\0\0\0null"])
def test_file_that_is_not_a_shard(copy_of, unet_folder, content):
    folder = copy_of(unet_folder)
    shard = sorted(folder.glob("*.safetensors"))[0]
    shard.write_bytes(content)
    with pytest.raises(CheckpointError, match=shard.name):
        open_layout(folder)


def test_missing_shard(copy_of, unet_folder):
    folder = copy_of(unet_folder)
    shard = sorted(folder.glob("*.safetensors"))[0]
    shard.unlink()
    with pytest.raises(CheckpointError, match=f"{shard.name} is missing"):
        open_layout(folder)


def test_index_and_shards_disagree(copy_of, unet_folder):
    folder = copy_of(unet_folder)
    index = folder / "model.safetensors.index.json"
    data = json.loads(index.read_text())
    data["weight_map"]["dit.ghost"] = next(iter(data["weight_map"].values()))
    index.write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match=r"dit\.ghost"):
        open_layout(folder)


def test_tensors_beyond_the_index_are_named(copy_of, unet_folder):
    folder = copy_of(unet_folder)
    shard = sorted(folder.glob("*.safetensors"))[1]
    save_file({**load_file(shard), "dit.wings": torch.zeros(2)}, shard)
    with pytest.raises(CheckpointError, match=r"dit\.wings") as caught:
        open_layout(folder)
    assert caught.value.facts["unexpected"] == ["dit.wings"]
    assert caught.value.facts["file"] == str(shard)


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "notes.txt"])
def test_wrong_digest_of_any_listed_file(copy_of, unet_folder, name):
    original = copy_of(unet_folder)
    (original / name).touch()
    good = hashlib.sha256((original / name).read_bytes()).hexdigest()
    load_checkpoint(open_layout(copy_of(original, sha256={name: good.upper()})), CPU, torch.float32)
    folder = copy_of(original, sha256={name: "0" * 64})
    with pytest.raises(CheckpointError, match=name) as caught:
        load_engine(str(folder))
    assert caught.value.facts["found"] == good
    assert caught.value.facts["file"] == str(folder / name)


def test_a_listed_file_that_is_missing(copy_of, unet_folder):
    with pytest.raises(CheckpointError, match=r"vocabulary\.txt is missing"):
        load_engine(str(copy_of(unet_folder, sha256={"vocabulary.txt": "0" * 64})))


def test_wrong_digest(copy_of, unet_folder):
    shard = sorted(unet_folder.glob("*.safetensors"))[0]
    good = hashlib.sha256(shard.read_bytes()).hexdigest()
    load_engine(str(copy_of(unet_folder, sha256={shard.name: good})))
    with pytest.raises(CheckpointError, match=shard.name) as caught:
        load_engine(str(copy_of(unet_folder, sha256={shard.name: "0" * 64})))
    assert caught.value.facts["found"] == good


def test_missing_unexpected_and_misshapen_tensors_are_named(copy_of, unet_folder):
    folder = copy_of(unet_folder)
    for path in folder.glob("*.index.json"):
        path.unlink()
    tensors = {}
    for shard in sorted(folder.glob("*.safetensors")):
        tensors |= load_file(shard)
        shard.unlink()
    del tensors["dit.conv_in.bias"]
    tensors["dit.wings"] = torch.zeros(2)
    tensors["dit.conv_out.bias"] = torch.zeros(5)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(open_layout(folder), CPU, torch.float32)
    facts = caught.value.facts
    assert facts["component"] == "transformer"
    assert facts["missing"] == ["conv_in.bias"]
    assert facts["unexpected"] == ["wings"]
    assert facts["wrong_shape"] == ["conv_out.bias"]
    assert "wings" in str(caught.value)


def test_stray_prefix_is_named(copy_of, unet_folder):
    prefixes = {"backbone": "thinker.", "alignment": "alignment_mlp.", "transformer": "dit.", "vae": "vae."}
    with pytest.raises(CheckpointError, match="belongs to no component"):
        open_layout(copy_of(unet_folder, prefixes=prefixes))


def test_tokenizer_without_the_route(copy_of, unet_folder):
    folder = copy_of(unet_folder, prompting={"edit_route": "<paint>"})
    with pytest.raises(CheckpointError, match="<paint>"):
        load_engine(str(folder))


def test_tokenizer_of_another_release(copy_of, unet_folder):
    folder = copy_of(unet_folder)
    data = json.loads((folder / "config.json").read_text())
    data["image_token_id"] += 1
    (folder / "config.json").write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match="image_token_id"):
        load_engine(str(folder))


def test_damaged_tokenizer(copy_of, unet_folder):
    folder = copy_of(unet_folder)
    (folder / "tokenizer.json").write_text("[]")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        load_engine(str(folder))


def test_too_little_memory_is_refused_before_loading(unet_folder, monkeypatch):
    import psutil

    free = type("Free", (), {"available": 1000})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    monkeypatch.setattr("napari_s1omni.engine.s1omni.engine.load_checkpoint", lambda *_: sys.exit("it was loaded"))
    with pytest.raises(EngineUnavailable, match="needs") as caught:
        load_engine(str(unet_folder))
    facts = caught.value.facts
    assert facts["free"] == {"cpu": 1000}
    assert facts["needed"] > sum(facts["sizes"].values()) > 0
    assert facts["sizes"]["transformer"] == sum(p.numel() for p in unet_parts()[1]["transformer"].parameters()) * 4
