"""The layout of a checkpoint folder: the component and shard of every tensor.

Only headers are read. This needs no torch, so plans can be made on a machine without it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from napari_s1omni.engine.s1omni.checkpoint.classes import BACKBONE_TYPES, CODECS, DENOISERS, SCHEDULERS, class_name
from napari_s1omni.engine.s1omni.checkpoint.config import (
    CONFIG_NAME,
    TOKENIZER_NAME,
    CheckpointConfig,
    Prefixes,
    read_json,
)
from napari_s1omni.errors import CheckpointError

COMPONENTS = ("backbone", "alignment", "transformer", "vae")
FAMILIES = (
    Prefixes(backbone="qwen3_vl.", alignment="alignment_mlp.", transformer="transformer.", vae="vae."),
    Prefixes(),
)
"""The two sets of prefixes in use; the first is recognised by the prefix of its backbone."""

_VOCABULARY = 151_936
"""Tokens of Qwen3-VL, where a configuration names no other number."""
_HEADER_LIMIT = 100_000_000


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """A tensor of the folder."""

    file: Path
    """Shard that holds it."""
    key: str
    """Its name in the shard, with prefix."""
    shape: tuple[int, ...]
    dtype: str
    """safetensors name, such as ``BF16``."""

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Layout:
    """The content of a checkpoint folder."""

    folder: Path
    config: CheckpointConfig
    backbone_config: Mapping[str, Any]
    """Configuration of the vision-language model, as transformers writes it."""
    tensors: Mapping[str, Mapping[str, TensorEntry]]
    """Component -> tensor name without prefix -> tensor."""

    @property
    def shards(self) -> list[Path]:
        """Weight files, sorted by name."""
        return sorted({entry.file for part in self.tensors.values() for entry in part.values()})

    @property
    def vocab_size(self) -> int:
        """Number of tokens that the model reads."""
        return int(self.backbone_config["text_config"].get("vocab_size", _VOCABULARY))

    def counts(self) -> dict[str, int]:
        """Return the number of parameters per component."""
        return {name: sum(entry.size for entry in part.values()) for name, part in self.tensors.items()}

    def revision(self) -> str:
        """Return twelve hex digits that change with any file that affects pixels.

        All bytes count of shards with a listed digest and of small ones; of large ones without a listed digest, only
        names, shapes and sizes.
        """
        digest = hashlib.sha256()
        for path in (self.folder / CONFIG_NAME, self.folder / TOKENIZER_NAME):
            digest.update(path.read_bytes() if path.exists() else b"")
        digest.update(json.dumps(self.backbone_config, sort_keys=True).encode())
        for path in self.shards:
            listed = self.config.sha256.get(path.name)
            digest.update(f"{path.name} {listed or _fingerprint(path, path.stat().st_mtime_ns)}".encode())
        return digest.hexdigest()[:12]


def open_layout(folder: str | Path) -> Layout:
    """Read configuration, index and shard headers of a checkpoint folder.

    Raises
    ------
    CheckpointError
        If a file is missing, damaged or truncated, index and shards disagree, or a class is unknown. Names the file.
    """
    folder = Path(folder)
    config = CheckpointConfig.read(folder)
    class_name("transformer_config", config.transformer_config, DENOISERS, folder / CONFIG_NAME)
    class_name("vae_config", config.vae_config, CODECS, folder / CONFIG_NAME)
    class_name("scheduler_config", config.scheduler_config, SCHEDULERS, folder / CONFIG_NAME)
    backbone_config = _backbone_config(folder)
    entries = _entries(folder)
    prefixes = config.prefixes or _family(entries)
    tensors: dict[str, dict[str, TensorEntry]] = {name: {} for name in COMPONENTS}
    # The longest prefix wins, so an empty one takes the rest.
    order = sorted(COMPONENTS, key=lambda name: -len(getattr(prefixes, name)))
    for key, entry in entries.items():
        component = next((name for name in order if key.startswith(getattr(prefixes, name))), None)
        if component is None:
            raise CheckpointError(
                f"tensor {key!r} in {entry.file.name} belongs to no component",
                f"names begin with one of {', '.join(repr(getattr(prefixes, name)) for name in COMPONENTS)}",
                f"state the right prefixes in {CONFIG_NAME}",
                key=key,
            )
        tensors[component][key.removeprefix(getattr(prefixes, component))] = entry
    return Layout(folder, config, backbone_config, tensors)


def _family(keys: Iterable[str]) -> Prefixes:
    named, bare = FAMILIES
    return named if any(key.startswith(named.backbone) for key in keys) else bare


def _backbone_config(folder: Path) -> dict[str, Any]:
    """Return the configuration of the backbone: embedded in either file, or a file of its own."""
    own = read_json(folder / CONFIG_NAME).get("qwen3_vl_config")
    if isinstance(own, dict):
        class_name("backbone", own, BACKBONE_TYPES, folder / CONFIG_NAME, "model_type")
        return own
    data = read_json(folder / "config.json")
    embedded = data.get("qwen3_vl_config")
    found = embedded if isinstance(embedded, dict) else data
    if not {"text_config", "vision_config"} <= set(found):
        raise CheckpointError(
            f"{folder / 'config.json'} describes no vision-language backbone",
            "keys 'text_config' and 'vision_config', at the top or under 'qwen3_vl_config'",
            "fetch the folder again",
            file=str(folder / "config.json"),
        )
    class_name("backbone", found, BACKBONE_TYPES, folder / "config.json", "model_type")
    return found


def _entries(folder: Path) -> dict[str, TensorEntry]:
    indices = sorted(folder.glob("*.safetensors.index.json"))
    if not indices:
        shards = sorted(folder.glob("*.safetensors"))
        if len(shards) != 1:
            raise CheckpointError(
                f"{folder} holds {len(shards)} weight files and no index",
                "one safetensors file, or several with model.safetensors.index.json",
                "fetch the folder again",
                file=str(folder),
            )
        return _read_header(shards[0])
    weight_map = read_json(indices[0]).get("weight_map")
    if not isinstance(weight_map, dict):
        raise CheckpointError(
            f"{indices[0]} has no 'weight_map'", "tensor name -> shard", "fetch it again", file=str(indices[0])
        )
    headers = {name: _read_header(folder / name) for name in sorted(set(weight_map.values()))}
    lost = [key for key, name in weight_map.items() if key not in headers[name]]
    if lost:
        raise CheckpointError(
            f"{indices[0].name} places {lost[0]!r} in {weight_map[lost[0]]}, which does not hold it",
            "index and shards of one release",
            "fetch the folder again",
            keys=lost,
        )
    for name, header in headers.items():
        unexpected = sorted(set(header) - set(weight_map))
        if unexpected:
            raise CheckpointError(
                f"{folder / name} holds {len(unexpected)} unexpected tensors, such as {unexpected[0]!r}",
                f"the tensors that {indices[0].name} places there",
                "fetch the folder again",
                file=str(folder / name),
                unexpected=unexpected,
            )
    return {key: headers[name][key] for key, name in weight_map.items()}


def _read_header(path: Path) -> dict[str, TensorEntry]:
    """Read a safetensors header and check that the file has the length it states."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= _HEADER_LIMIT:
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        entries = {key: TensorEntry(path, key, tuple(value["shape"]), value["dtype"]) for key, value in header.items()}
        end = 8 + length + max((value["data_offsets"][1] for value in header.values()), default=0)
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} is missing", "every shard that the index names", "fetch the folder again", file=str(path)
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is not a safetensors file: {error}", "an undamaged shard", "fetch it again", file=str(path)
        ) from None
    size = path.stat().st_size
    if size != end:
        raise CheckpointError(
            f"{path} has {size} bytes but its header states {end}",
            "a complete shard",
            "delete it and fetch it again",
            file=str(path),
            size=size,
            expected=end,
        )
    return entries


@lru_cache(maxsize=256)
def _fingerprint(path: Path, changed: int) -> str:
    """Return the digest of a shard; `changed`, its modification time, invalidates the cache."""
    size = path.stat().st_size
    if size <= 256_000_000:
        return file_digest(path)
    with path.open("rb") as file:
        return hashlib.sha256(file.read(8 + int.from_bytes(file.read(8), "little")) + str(size).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
