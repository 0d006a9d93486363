"""What can be known of a checkpoint without loading it, and without torch."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

from napari_s1omni.engine.protocol import EngineDescription, EngineLimits, EngineMemory
from napari_s1omni.engine.s1omni.checkpoint.classes import UNETS
from napari_s1omni.engine.s1omni.checkpoint.config import CheckpointConfig, read_json
from napari_s1omni.engine.s1omni.checkpoint.layout import Layout, open_layout
from napari_s1omni.engine.s1omni.checkpoint.model_store import MODELS, locate
from napari_s1omni.engine.s1omni.device_map import installed, worded
from napari_s1omni.errors import EngineUnavailable
from napari_s1omni.settings import THREADS

CODE_REVISION = "1"
"""Raised whenever the same weights, tile and thought would give other px."""
VALIDATION_NAME = "validation.json"
"""Beside the weights: for each operation the scores of this model and of the reference engine on validation data."""
HOST_PER_PIXEL = 48.0
"""Bytes on the host for each drawn px of a micro-batch that a GPU draws: the tiles themselves, there and back."""
MARGIN = 0.01
"""By which share of the reference engine's score a model must be better: it is slower, and its thoughts can fail."""
LIBRARIES = 450 * 2**20
"""Bytes that torch, transformers and diffusers take once imported."""

_BYTES = {"float32": 4, "bfloat16": 2}
_NEEDED = ("torch", "transformers", "diffusers", "safetensors", "tokenizers")


def describe(name_or_folder: str) -> EngineDescription:
    """Describe a checkpoint by its name or folder.

    Raises
    ------
    EngineUnavailable
        If the weights are not here.
    CheckpointError
        If the folder is damaged or no checkpoint.
    """
    layout = open_layout(locate(name_or_folder))
    name = name_or_folder if name_or_folder in MODELS else str(Path(name_or_folder).resolve())
    return describe_layout(layout, name)


def describe_layout(layout: Layout, name: str) -> EngineDescription:
    """Describe an opened checkpoint under the name by which it can be found again."""
    facts = layout.config.engine
    multiple = multiple_of(layout.config)
    sizes = {name: count * _BYTES[facts.dtype] for name, count in layout.counts().items()}
    gpus, placement, memory = 0, "", EngineMemory(sum(sizes.values()) + LIBRARIES, facts.bytes_per_tile_pixel)
    wanted = [kind.startswith("cuda") for kind in facts.devices]
    available = installed() if any(wanted) else []
    if all(wanted) or (wanted[0] and available):
        gpus, placement = worded(sizes, facts.working, available)
        # Weights pass through the host one shard after the other, tiles as they are.
        memory = EngineMemory(LIBRARIES, HOST_PER_PIXEL)
    return EngineDescription(
        name=name,
        revision=f"{CODE_REVISION}-{layout.revision()}",
        operations=facts.operations,
        title=facts.title,
        limits=EngineLimits(multiple, math.ceil(facts.min_size / multiple) * multiple, facts.max_size),
        memory=memory,
        tile_size=facts.tile_size,
        overlap=facts.overlap,
        micro_batch=facts.micro_batch,
        targets=facts.targets,
        encoding=facts.encoding,
        division=facts.division,
        seconds_per_tile=facts.seconds_per_tile,
        think=facts.think,
        weights_license=facts.weights_license,
        citation=facts.citation,
        generates=True,
        devices=facts.devices,
        gpus=gpus,
        placement=placement,
        threads=0 if gpus else threads_wanted(facts.threads),
    )


def threads_wanted(usual: int) -> int:
    """Return ``S1OMNI_THREADS`` of the environment, or the checkpoint's own number.

    Raises
    ------
    EngineUnavailable
        If it is no number above zero.
    """
    said = THREADS.read()
    if not said:
        return usual
    if not said.isdigit() or int(said) < 1:
        raise EngineUnavailable(f"{THREADS.name}={said}", "a number above zero", "correct or unset it", threads=said)
    return int(said)


def multiple_of(config: CheckpointConfig) -> int:
    """Px by which height and width of a drawn tile must be divisible: codec times editor."""
    codec, editor = config.vae_config, config.transformer_config
    if codec.get("_class_name") == "PixelUnshuffleCodec":
        downscale = int(codec.get("factor", 4))
    else:
        downscale = 2 ** len(codec.get("temperal_downsample", (False, True, True)))
    if editor.get("_class_name") in UNETS:
        return int(downscale * 2 ** (len(editor.get("block_out_channels", range(4))) - 1))
    return downscale * 2


def merit(name: str, operation: str) -> tuple[bool, str]:
    """Whether a bundled model has shown to be better than the reference engine at `operation`, and in what words.

    Its validation file holds, per operation, ``nano``, ``reference`` and
    ``metric``; higher is better.
    """
    missing = [module for module in _NEEDED if importlib.util.find_spec(module) is None]
    if missing:
        return False, f"{', '.join(missing)} not installed"
    path = locate(name) / VALIDATION_NAME
    entry = read_json(path).get(operation) if path.exists() else None
    if not isinstance(entry, dict) or not {"nano", "reference"} <= set(entry):
        return False, "no validation scores"
    own, other = float(entry["nano"]), float(entry["reference"])
    words = f"{entry.get('metric', 'score')} on validation: {own:.3g}, reference {other:.3g}"
    return own > (1 + MARGIN) * other, words
