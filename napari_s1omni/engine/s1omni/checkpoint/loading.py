"""Loading of checkpoint folders.

Modules are built on the meta device and filled shard by shard, each tensor directly on its device and in its type, so
that there is never a second copy of the weights.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_s1omni.engine.s1omni.checkpoint.classes import DENOISERS, class_name
from napari_s1omni.engine.s1omni.checkpoint.config import CONFIG_NAME, TOKENIZER_NAME, CheckpointConfig
from napari_s1omni.engine.s1omni.checkpoint.layout import COMPONENTS, Layout, TensorEntry, file_digest
from napari_s1omni.engine.s1omni.editor.codec import PixelUnshuffleCodec, VaeCodec, build_codec
from napari_s1omni.engine.s1omni.editor.connector import Connector
from napari_s1omni.engine.s1omni.thinker.patches import PatchGeometry
from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer
from napari_s1omni.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The modules of one model, ready to run or still on the meta device."""

    config: CheckpointConfig
    backbone: Any
    """``Qwen3VLForConditionalGeneration``."""
    connector: Connector
    transformer: Any
    """The editor network."""
    codec: PixelUnshuffleCodec | VaeCodec

    @property
    def geometry(self) -> PatchGeometry:
        """Patch sizes of the vision encoder."""
        vision = self.backbone.config.vision_config
        return PatchGeometry(vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size)

    def modules(self) -> dict[str, nn.Module]:
        """Return the modules by component, as checkpoints name them."""
        codec = self.codec.vae if isinstance(self.codec, VaeCodec) else self.codec
        return dict(zip(COMPONENTS, (self.backbone, self.connector, self.transformer, codec), strict=True))


def build_modules(config: CheckpointConfig, backbone_config: Mapping[str, Any]) -> Checkpoint:
    """Build all modules without weights; inside ``torch.device("meta")`` they take no memory.

    Raises
    ------
    CheckpointError
        If a configuration names an unknown class or cannot be built.
    """
    name = class_name("transformer_config", config.transformer_config, DENOISERS)
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    editor = dict(config.transformer_config)
    if name == DENOISERS[0]:
        editor["zero_cond_t"] = config.denoising.zero_cond_t
    known = {key: value for key, value in backbone_config.items() if key not in ("model_type", "architectures")}
    try:
        return Checkpoint(
            config,
            Qwen3VLForConditionalGeneration(Qwen3VLConfig(**known)),
            Connector(config.alignment_layer),
            editor_class(name).from_config(editor),
            build_codec(config.vae_config),
        )
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"the configuration cannot be built: {type(error).__name__}: {error}",
            "configurations that transformers and diffusers accept",
            f"correct {CONFIG_NAME} or the backbone's config.json",
        ) from error


def editor_class(name: str) -> Any:
    """Return the class of an editor network by its name."""
    import diffusers

    from napari_s1omni.engine.s1omni.editor.film_unet import FilmUNet2DModel

    return FilmUNet2DModel if name == FilmUNet2DModel.__name__ else getattr(diffusers, name)


def load_checkpoint(layout: Layout, placement: Mapping[str, torch.device], dtype: torch.dtype) -> Checkpoint:
    """Load a checkpoint: build on the meta device, then stream the shards.

    Parameters
    ----------
    layout : Layout
    placement : mapping
        Device of each component.
    dtype : torch.dtype
        Type of every floating-point tensor.

    Raises
    ------
    CheckpointError
        If tensors are missing, unexpected or of another shape (all are named), or a file does not have its listed
        digest.
    """
    listed = layout.config.sha256
    # Shards are verified right before they are read.
    for name in sorted(listed.keys() - {shard.name for shard in layout.shards}):
        _verify(layout.folder / name, listed[name])
    with torch.device("meta"):
        checkpoint = build_modules(layout.config, layout.backbone_config)
    modules = checkpoint.modules()
    wanted: dict[Path, list[tuple[TensorEntry, nn.Module, str, str]]] = {}
    for component, module in modules.items():
        entries = _rename_entries(module, layout.tensors[component])
        _compare(component, module, entries)
        for name, entry in entries.items():
            wanted.setdefault(entry.file, []).append((entry, module, name, component))
    for shard in layout.shards:
        _verify(shard, listed.get(shard.name))
        with _tensors_of(shard) as read:
            for entry, module, name, component in wanted.pop(shard, []):
                tensor = read(entry.key)
                kind = dtype if tensor.is_floating_point() else tensor.dtype
                assign(module, name, tensor.to(placement[component], kind))
    for component, module in modules.items():
        if component == "backbone":
            module.tie_weights()
        restore_rotary_tables(module)
        module.to(placement[component]).eval().requires_grad_(False)
    return checkpoint


def load_prompting(layout: Layout) -> PromptTokenizer:
    """Return the prompt tokenizer, after checking that backbone and tokenizer use the same image token."""
    prompting = PromptTokenizer.read(layout.folder, layout.config.prompting)
    stated = layout.backbone_config.get("image_token_id")
    if stated is not None and stated != prompting.ids["image_pad"]:
        raise CheckpointError(
            f"the backbone's image_token_id is {stated}, but the tokenizer gives "
            f"{prompting.config.image_pad} the id {prompting.ids['image_pad']}",
            "a tokenizer and a backbone of one release",
            "fetch the folder again",
            file=str(layout.folder / TOKENIZER_NAME),
        )
    return prompting


def tensor_names(module: nn.Module) -> list[str]:
    """Return the names in the state dict, without those of tied tensors."""
    seen: dict[tuple[Any, ...], str] = {}
    names = []
    for name, tensor in module.state_dict(keep_vars=True).items():
        first = seen.setdefault((id(tensor),), name)
        if first == name:
            names.append(name)
    return names


def _rename_entries(module: nn.Module, entries: Mapping[str, TensorEntry]) -> dict[str, TensorEntry]:
    """Return the entries under the names of `module`; releases name some tensors differently."""
    if isinstance(module, Connector):
        ours = module.rename(entries)
        return {ours[name]: entry for name, entry in entries.items()}
    expected = set(module.state_dict())
    return {
        f"model.{name}" if name not in expected and f"model.{name}" in expected else name: entry
        for name, entry in entries.items()
    }


def _compare(component: str, module: nn.Module, entries: Mapping[str, TensorEntry]) -> None:
    state = module.state_dict()
    required = set(tensor_names(module))
    missing = sorted(required - set(entries))
    unexpected = sorted(set(entries) - set(state))
    wrong = [name for name in sorted(set(entries) & set(state)) if tuple(state[name].shape) != entries[name].shape]
    if not (missing or unexpected or wrong):
        return
    parts = [
        f"{len(names)} {word}: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"
        for word, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", wrong))
        if names
    ]
    raise CheckpointError(
        f"the tensors of {component} do not match its configuration; {'; '.join(parts)}",
        "exactly the tensors that the configuration asks for",
        "fetch the folder again, or correct prefixes and configuration",
        component=component,
        missing=missing,
        unexpected=unexpected,
        wrong_shape=wrong,
    )


def _verify(path: Path, digest: str | None) -> None:
    if digest is None:
        return
    if not path.is_file():
        raise CheckpointError(
            f"{path} is missing", f"every file that sha256 in {CONFIG_NAME} lists", "fetch it again", file=str(path)
        )
    found = file_digest(path)
    if found != digest.lower():
        raise CheckpointError(
            f"{path} has SHA-256 {found[:12]}..., listed is {digest[:12]}...",
            "the file that was published",
            "delete it and fetch it again",
            file=str(path),
            found=found,
            expected=digest,
        )


@contextlib.contextmanager
def _tensors_of(shard: Path) -> Iterator[Callable[[str], torch.Tensor]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(shard, framework="pt") as file:
            yield file.get_tensor
    except SafetensorError as error:
        raise CheckpointError(
            f"{shard} cannot be read: {error}", "an undamaged shard", "fetch it again", file=str(shard)
        ) from None


def assign(module: nn.Module, name: str, tensor: torch.Tensor) -> None:
    """Put a weight or buffer in its place, by its name in the state dict."""
    path, _, leaf = name.rpartition(".")
    parent = module.get_submodule(path)
    is_parameter = leaf in dict(parent.named_parameters(recurse=False))
    setattr(parent, leaf, nn.Parameter(tensor, requires_grad=False) if is_parameter else tensor)


def restore_rotary_tables(module: nn.Module) -> None:
    """Recompute the rotary tables, which no checkpoint stores and which are empty on the meta device."""
    for path, part in list(module.named_modules()):
        empty = [
            v for v in (*part.buffers(recurse=False), *vars(part).values()) if isinstance(v, torch.Tensor) and v.is_meta
        ]
        if not empty:
            continue
        if hasattr(part, "axes_dim"):
            real = type(part)(part.theta, part.axes_dim, part.scale_rope)
        else:
            real = type(part)(part.config)
        module.get_submodule(path.rpartition(".")[0]).add_module(path.rpartition(".")[2], real)
