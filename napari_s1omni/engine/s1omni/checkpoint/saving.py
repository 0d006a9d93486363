"""Writing of checkpoint folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from napari_s1omni.engine.s1omni.checkpoint.config import CONFIG_NAME, TOKENIZER_NAME, Prefixes
from napari_s1omni.engine.s1omni.checkpoint.layout import file_digest
from napari_s1omni.engine.s1omni.checkpoint.loading import Checkpoint, tensor_names


def save_checkpoint(
    folder: Path,
    checkpoint: Checkpoint,
    tokenizer: Any,
    *,
    dtype: torch.dtype = torch.float16,
    prefixes: Prefixes | None = None,
    shard_bytes: int = 2_000_000_000,
) -> Path:
    """Write a checkpoint folder in the released layout, with the digest of every shard.

    Parameters
    ----------
    folder : Path
        Created if missing; existing files are replaced.
    checkpoint : Checkpoint
    tokenizer : tokenizers.Tokenizer
    dtype : torch.dtype
        Type of floating-point tensors on disk.
    prefixes : Prefixes, optional
        Prefixes of the components; by default those with a backbone without prefix.
    shard_bytes : int
        Largest size of a shard.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    prefixes = prefixes or Prefixes()
    shards: list[dict[str, torch.Tensor]] = [{}]
    left = shard_bytes
    for component, module in checkpoint.modules().items():
        state = module.state_dict()
        for name in tensor_names(module):
            tensor = state[name].detach()
            tensor = tensor.to("cpu", dtype if tensor.is_floating_point() else tensor.dtype).contiguous()
            if tensor.nbytes > left and shards[-1]:
                shards.append({})
                left = shard_bytes
            shards[-1][getattr(prefixes, component) + name] = tensor
            left -= tensor.nbytes
    names = [f"model-{i:05d}-of-{len(shards):05d}.safetensors" for i in range(1, len(shards) + 1)]
    for name, tensors in zip(names, shards, strict=True):
        save_file(tensors, folder / name, metadata={"format": "pt"})
    weight_map = {key: name for name, tensors in zip(names, shards, strict=True) for key in tensors}
    total = sum(tensor.nbytes for tensors in shards for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1, sort_keys=True))
    tokenizer.save(str(folder / TOKENIZER_NAME))
    (folder / "config.json").write_text(json.dumps(_plain_backbone(checkpoint.backbone), indent=1, sort_keys=True))
    for name in names:
        # safetensors makes files that only their owner can read.
        shutil.copymode(folder / "config.json", folder / name)
    digests = {name: file_digest(folder / name) for name in names}
    config = checkpoint.config.model_copy(update={"prefixes": prefixes, "sha256": digests})
    (folder / CONFIG_NAME).write_text(config.model_dump_json(indent=1))
    return folder


def _plain_backbone(backbone: Any) -> dict[str, Any]:
    config: dict[str, Any] = backbone.config.to_dict()
    config.update(architectures=[type(backbone).__name__])
    return config
