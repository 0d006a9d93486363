"""The pool of training fields, prepared for sampling and kept in files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.training.data.fields import Field, Layer
from napari_s1omni.training.data.shapes import relative_border_distance
from napari_s1omni.training.data.simulator import Simulator

PACKED = (-0.2, 1.2)
"""Model range that the bytes of a packed pool span."""


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
    """Write prepared fields to one ``.npz``; a packed one is compressed, with images of 8 bits over :data:`PACKED`."""
    arrays: dict[str, NDArray[Any]] = {}
    facts = []
    for i, item in enumerate(fields):
        field = item.field
        arrays[f"{i}/image"] = _to_bytes(item.image) if packed else item.image
        for j, layer in enumerate(field.layers):
            arrays[f"{i}/labels{j}"] = layer.labels
            arrays[f"{i}/distance{j}"] = item.distances[j]
        for name, pair in field.pairs.items():
            arrays[f"{i}/pair/{name}"] = _to_bytes(pair) if packed else pair.astype(np.float16)
        layers = [[layer.noun, bool(layer.bright), layer.size_class] for layer in field.layers]
        facts.append([field.name, field.dataset, layers, field.noise, field.blur, list(field.pairs), field.detail])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    (np.savez_compressed if packed else np.savez)(partial, allow_pickle=False, **arrays)
    partial.rename(path)


def read_pool(path: Path) -> list[PreparedField]:
    """Read the fields that :func:`write_pool` wrote."""
    with np.load(path) as stored:
        facts = json.loads(stored["facts"].tobytes())
        return [_read_field(stored, i, fact) for i, fact in enumerate(facts)]


def _read_field(stored: Any, i: int, facts: list[Any]) -> PreparedField:
    name, dataset, layers, noise, blur, pairs, detail = facts
    image = _from_bytes(stored[f"{i}/image"])
    kinds = tuple(Layer(noun, stored[f"{i}/labels{j}"], bright, size) for j, (noun, bright, size) in enumerate(layers))
    others = {key: _from_bytes(stored[f"{i}/pair/{key}"]) for key in pairs}
    field = Field(name, dataset, image, kinds, noise, blur, others, detail)
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
