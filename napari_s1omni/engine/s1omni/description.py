"""Descriptions of checkpoints, made without loading them and without torch."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

from napari_s1omni.core.requests.words import LANGUAGES
from napari_s1omni.engine.description import (
    EngineDescription,
    EngineHost,
    EngineLimits,
    EngineMemory,
    NativeSize,
    Vocabulary,
)
from napari_s1omni.engine.familiarity.bank import BANK_NAME, Familiarity, ImageSample, read_bank
from napari_s1omni.engine.s1omni.checkpoint.classes import UNETS
from napari_s1omni.engine.s1omni.checkpoint.config import CheckpointConfig, read_json
from napari_s1omni.engine.s1omni.checkpoint.layout import Layout, open_layout
from napari_s1omni.engine.s1omni.checkpoint.model_store import MODELS, locate
from napari_s1omni.engine.s1omni.device_map import describe_placement, gpu_memory
from napari_s1omni.errors import EngineUnavailable
from napari_s1omni.settings import THREADS, chosen_threads

CODE_REVISION = "2"
"""Raised whenever the same weights, tile and thought would give other pixels."""
VALIDATION_NAME = "validation.json"
"""File beside the weights with the validation scores of the model and of the reference engine, per operation."""
HOST_BYTES_PER_PIXEL = 48.0
"""Host memory in bytes for each pixel that a GPU draws in a micro-batch: the tiles before and after drawing."""
MARGIN = 0.01
"""Fraction by which a model must exceed the score of the reference engine: it is slower, and its thoughts can fail."""
NOT_IN_BANK = ("fibres",)
"""Kinds of objects with too few known fields to say what is like them; axons are among these."""
LIBRARY_BYTES = 450 * 2**20
"""Memory of torch, transformers and diffusers once imported, in bytes."""

_FEW_TOKENS = 10_000
"""A model with fewer tokens learnt its words from the requests of its training alone."""
_TRAINED = Vocabulary(
    LANGUAGES,
    kinds=True,
    adjectives=("small", "smaller", "little", "tiny", "large", "larger", "big", "light", "lighter"),
)
"""The words of those requests, see :mod:`napari_s1omni.training.prompts.prompt_templates`; names of objects and
brightness in other languages are translated, see :attr:`napari_s1omni.engine.instruction.Instruction.plain`."""

_BYTES_PER_VALUE = {"float32": 4, "bfloat16": 2}
_REQUIRED = ("torch", "transformers", "diffusers", "safetensors", "tokenizers")


def describe(name_or_folder: str) -> EngineDescription:
    """Describe a checkpoint by its name or folder.

    Raises
    ------
    EngineUnavailable
        If the weights are not on this machine.
    CheckpointError
        If the folder is damaged or is not a checkpoint.
    """
    layout = open_layout(locate(name_or_folder))
    name = name_or_folder if name_or_folder in MODELS else str(Path(name_or_folder).resolve())
    return describe_layout(layout, name)


def describe_layout(layout: Layout, name: str) -> EngineDescription:
    """Describe an opened checkpoint under the name by which it can be located again."""
    config = layout.config.engine
    multiple = size_multiple(layout.config)
    sizes = {name: count * _BYTES_PER_VALUE[config.dtype] for name, count in layout.counts().items()}
    gpus, placement, memory = 0, "", EngineMemory(sum(sizes.values()) + LIBRARY_BYTES, config.bytes_per_tile_pixel)
    needs_gpu = [kind.startswith("cuda") for kind in config.devices]
    available = gpu_memory() if any(needs_gpu) else []
    if all(needs_gpu) or (needs_gpu[0] and available):
        gpus, placement = describe_placement(sizes, config.working_memory, available)
        # The host holds one shard of weights at a time, and the tiles.
        memory = EngineMemory(LIBRARY_BYTES, HOST_BYTES_PER_PIXEL)
    return EngineDescription(
        name=name,
        revision=f"{CODE_REVISION}-{layout.revision()}",
        operations=config.operations,
        title=config.title,
        limits=EngineLimits(multiple, math.ceil(config.min_size / multiple) * multiple, config.max_size),
        tile_size=config.tile_size,
        overlap=config.overlap,
        micro_batch=config.micro_batch,
        targets=config.targets,
        encoding=config.encoding,
        division=config.division,
        think=config.think,
        weights_license=config.weights_license,
        citation=config.citation,
        generates=True,
        vocabulary=_TRAINED if layout.vocab_size < _FEW_TOKENS else None,
        expects_error=layout.config.expects_error,
        takes_polarity=layout.vocab_size < _FEW_TOKENS,
        takes_one_stain=layout.vocab_size < _FEW_TOKENS,
        native=_native(layout.config),
        takes_even_ground=layout.vocab_size < _FEW_TOKENS,
        threads=0 if gpus else cpu_threads(config.threads),
        host=EngineHost(memory, config.seconds_per_tile, config.devices, gpus, placement),
    )


def cpu_threads(default: int) -> int:
    """Return the number in the environment variable ``S1OMNI_THREADS``, else in ``OMP_NUM_THREADS``, else `default`.

    Raises
    ------
    EngineUnavailable
        If the variable is not a number above zero.
    """
    value = THREADS.read()
    if not value:
        return chosen_threads() or default
    if not value.isdigit() or int(value) < 1:
        raise EngineUnavailable(f"{THREADS.name}={value}", "a number above zero", "correct or unset it", threads=value)
    return int(value)


def _native(config: CheckpointConfig) -> NativeSize | None:
    """Return the sizes that a checkpoint was trained at, as it states them or as the released model was."""
    stated, editor = config.engine.native, config.transformer_config.get("_class_name")
    return stated or (None if editor in UNETS else NativeSize(config.engine.tile_size))


def size_multiple(config: CheckpointConfig) -> int:
    """Return the number of pixels that must divide height and width of a drawn tile: codec times editor."""
    codec, editor = config.vae_config, config.transformer_config
    if codec.get("_class_name") == "PixelUnshuffleCodec":
        downscale = int(codec.get("factor", 4))
    else:
        downscale = 2 ** len(codec.get("temperal_downsample", (False, True, True)))
    if editor.get("_class_name") in UNETS:
        return int(downscale * 2 ** (len(editor.get("block_out_channels", range(4))) - 1))
    return downscale * 2


def merit(name: str, operation: str) -> tuple[bool, str]:
    """Return whether a model has better validation scores than the reference engine, and the scores as text.

    The file :data:`VALIDATION_NAME` holds ``nano``, ``reference`` and ``metric`` per operation; higher is better.
    """
    missing = [module for module in _REQUIRED if importlib.util.find_spec(module) is None]
    if missing:
        return False, f"{', '.join(missing)} not installed (extra 'models')"
    path = locate(name) / VALIDATION_NAME
    entry = read_json(path).get(operation) if path.exists() else None
    if not isinstance(entry, dict) or not {"nano", "reference"} <= set(entry):
        return False, "no validation scores"
    own, other = float(entry["nano"]), float(entry["reference"])
    words = f"{entry.get('metric', 'score')} on validation: {own:.3g}, reference {other:.3g}"
    return own > (1 + MARGIN) * other, words


def familiarity(name: str, operation: str, image: ImageSample) -> Familiarity | None:
    """Return how like the images that a model was trained on an image is; None for a model without a bank of them.

    The bank holds images of nuclei, so it says nothing of other operations than segmentation, nor of
    :data:`NOT_IN_BANK`.
    """
    path = locate(name) / BANK_NAME
    if operation != "segmentation" or image.kind in NOT_IN_BANK or not path.is_file():
        return None
    seen = image.features()
    if seen is None:
        return None
    bank = read_bank(path, path.stat().st_mtime_ns)
    return Familiarity(name, bank.p_value(seen), bank.is_far(seen))
