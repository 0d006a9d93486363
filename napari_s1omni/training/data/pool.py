"""The pool of training fields, prepared for sampling and kept in files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from napari_s1omni.training.data.fields import Field, Layer
from napari_s1omni.training.data.simulation.shapes import relative_border_distance
from napari_s1omni.training.data.simulation.simulator import Simulator

PACKED = (-0.2, 1.2)
"""Model range that the bytes of a packed pool span."""
_DTYPES = {"F16": np.float16, "U16": np.uint16, "U8": np.uint8}
"""Array types of a pool, by their names in a safetensors file."""


@dataclass(frozen=True, slots=True)
class PreparedField:
    """A field with the border distances of its whole objects, measured before any crop."""

    field: Field
    image: NDArray[np.float16]
    """(1 or 3, H, W), model range."""
    distances: tuple[NDArray[np.uint8], ...]
    """Per layer (H, W): distance to the object's border over its maximum in the object, times 255."""


def prepare(field: Field) -> PreparedField:
    """Measure the border distances of every layer of a field."""
    distances = (np.rint(255 * relative_border_distance(layer.labels)).astype(np.uint8) for layer in field.layers)
    image = np.clip(field.image, -1, 2).astype(np.float16)
    return PreparedField(field, image, tuple(distances))


def simulated_fields(seed: int, count: int) -> list[Field]:
    """Draw `count` simulated scenes."""
    simulator = Simulator(seed)
    return [simulator.scene() for _ in range(count)]


def write_simulated_pool(path: Path, seed_count: tuple[int, int]) -> None:
    """Write a pool of simulated scenes, given as (seed, count)."""
    write_pool(path, [prepare(field) for field in simulated_fields(*seed_count)])


def write_pool(path: Path, fields: Sequence[PreparedField], packed: bool = False) -> None:
    """Write prepared fields to one file.

    Parameters
    ----------
    path : Path
        With the ending ``.safetensors``, or ``.npz`` if `packed`.
    fields : sequence of PreparedField
    packed : bool
        Whether to write a small file for another machine: compressed, images of 8 bits over :data:`PACKED`, and without
        what can be computed from them.
    """
    arrays: dict[str, NDArray[Any]] = {}
    facts = []
    for i, item in enumerate(fields):
        field = item.field
        arrays[f"{i}/image"] = _to_bytes(item.image) if packed else item.image
        for j, layer in enumerate(field.layers):
            arrays[f"{i}/labels{j}"] = layer.labels
            if not packed:
                arrays[f"{i}/distance{j}"] = item.distances[j]
        for name, pair in field.pairs.items():
            arrays[f"{i}/pair/{name}"] = _to_bytes(pair) if packed else pair.astype(np.float16)
        layers = [[layer.noun, bool(layer.bright), layer.size_class] for layer in field.layers]
        pairs = list(field.pairs)
        facts.append([field.name, field.dataset, layers, field.noise, field.blur, pairs, field.detail, field.view])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"partial-{path.name}")
    if packed:
        arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        np.savez_compressed(partial, allow_pickle=False, **arrays)
    else:
        whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        save_file(whole, partial, metadata={"facts": json.dumps(facts)})
    partial.rename(path)


def read_pool(path: Path) -> list[PreparedField]:
    """Read the fields that :func:`write_pool` wrote; all but packed ones stay on disk, mapped into memory."""
    if path.suffix == ".npz":
        with np.load(path) as stored:
            facts = json.loads(stored["facts"].tobytes())
            return [_read_field(stored, i, fact) for i, fact in enumerate(facts)]
    stored, metadata = _map_arrays(path)
    return [_read_field(stored, i, fact) for i, fact in enumerate(json.loads(metadata["facts"]))]


def _map_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the arrays of a safetensors file as views of one memory map, and its metadata."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    metadata = header.pop("__metadata__")
    mapped = np.memmap(path, np.uint8, "r", offset=8 + size)
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        arrays[name] = mapped[begin:end].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays, metadata


def _read_field(stored: Mapping[str, NDArray[Any]], i: int, facts: list[Any]) -> PreparedField:
    name, dataset, layers, noise, blur, pairs, detail, view = facts
    image = _from_bytes(stored[f"{i}/image"])
    kinds = tuple(Layer(noun, stored[f"{i}/labels{j}"], bright, size) for j, (noun, bright, size) in enumerate(layers))
    others = {key: _from_bytes(stored[f"{i}/pair/{key}"]) for key in pairs}
    field = Field(name, dataset, image, kinds, noise, blur, others, detail, view)
    if layers and f"{i}/distance0" not in stored:
        return prepare(field)
    return PreparedField(field, image, tuple(stored[f"{i}/distance{j}"] for j in range(len(layers))))


def _to_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    low, high = PACKED
    share = (np.clip(values.astype(np.float32), low, high) - low) / (high - low)
    return np.asarray(np.rint(255 * share), np.uint8)


def _from_bytes(values: NDArray[Any]) -> NDArray[np.float16]:
    """Return model range; values that were not packed are returned unchanged."""
    if values.dtype == np.float16:
        return values
    low, high = PACKED
    return np.asarray(low + values.astype(np.float32) * ((high - low) / 255), np.float16)
