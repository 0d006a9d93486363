"""Accuracy of a thinker's traces, on simulated tiles that were not used in training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.protocol import Engine, Thought
from napari_s1omni.engine.registry import create_engine
from napari_s1omni.errors import TileError
from napari_s1omni.training.data.fields import Layer
from napari_s1omni.training.data.pool import PreparedField, prepare, simulated_fields
from napari_s1omni.training.data.sampler import Sampler
from napari_s1omni.training.data.samples import Mixture, Sample
from napari_s1omni.training.prompts.numbers import nearest_trace_number
from napari_s1omni.training.prompts.traces import ROUTE, ParsedTrace, parse_trace

SEED = 990001
"""Seed of the validation scenes; training uses small numbers."""
_BATCH = 8


def validation_scenes(count: int) -> list[PreparedField]:
    """Return simulated fields that are in no training pool."""
    return [prepare(field) for field in simulated_fields(SEED, count)]


def plain_request(layer: Layer, dataset: str) -> str:
    """Request one layer with as few words as possible."""
    words = [layer.size_class or ""] if dataset == "sizes" else []
    words += ["bright" if layer.bright else "dark"] if dataset == "polarities" else []
    return " ".join(["segment the", *[w for w in words if w], layer.noun])


def plain_samples(scenes: list[PreparedField], tile: int) -> Iterator[Sample]:
    """Yield one sample for each kind of object of each scene, with a plain request and without augmentation."""
    for i, scene in enumerate(scenes):
        for at, layer in enumerate(scene.field.layers):
            # The same seed for each kind of object gives the same crop.
            sample = Sampler([], [], Mixture(augment=False), i).segmentation(scene, tile, at)
            request = plain_request(layer, scene.field.dataset)
            instruction = f"Task: segmentation\nTile: {tile} x {tile} px\nRequest: {request}"
            yield replace(sample, instruction=instruction)


def think_batched(engine: Engine, samples: Sequence[Sample]) -> list[Thought | None]:
    """Return the thoughts about samples, batched by instruction and size; None where a tile failed."""
    found: list[Thought | None] = [None] * len(samples)
    groups: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for i, sample in enumerate(samples):
        groups.setdefault((sample.instruction, sample.source.shape), []).append(i)
    for (instruction, _), members in groups.items():
        for start in range(0, len(members), _BATCH):
            batch = members[start : start + _BATCH]
            images = np.stack([samples[i].source for i in batch])
            try:
                thoughts = engine.think(images, Instruction.read(instruction), Sampling())
            except TileError:
                continue
            for i, thought in zip(batch, thoughts, strict=True):
                found[i] = thought
    return found


def measure_traces(name: str, scenes: int = 160, tile: int = 256) -> dict[str, Any]:
    """Compare the traces of an engine with the truth.

    Returns
    -------
    dict
        See :func:`trace_errors`.
    """
    engine = create_engine(name)
    samples = list(plain_samples(validation_scenes(scenes), tile))
    thoughts = think_batched(engine, samples)
    engine.close()
    return trace_errors(samples, [thought.text if thought else None for thought in thoughts])


def trace_errors(samples: list[Sample], texts: list[str | None]) -> dict[str, Any]:
    """Return the errors of written thoughts: median relative errors of numbers, and shares of correct words."""
    parsed = [(s, t or "", parse_trace(t or "")) for s, t in zip(samples, texts, strict=True)]
    full = [(s, r) for s, _, r in parsed if s.truth.count > 0]
    empty = [(s, r) for s, _, r in parsed if s.truth.count == 0]

    def median(field: str, truth: Any) -> float:
        errors = [abs((getattr(r, field) or 0) - truth(s)) / max(truth(s), 1) for s, r in full]
        return float(np.median(errors)) if errors else float("nan")

    def share(hits: list[bool]) -> float:
        return float(np.mean(hits)) if hits else float("nan")

    return {
        "tiles": len(samples),
        "count, median relative error": median("count", lambda s: s.truth.count),
        "size, median relative error": median("size", lambda s: s.truth.size),
        "coverage, median relative error": median("coverage", _stated_coverage),
        "polarity right": share([r.polarity == ("bright" if s.truth.bright else "dark") for s, r in full]),
        "noise word right": share([r.noise == s.truth.noise for s, _, r in parsed if s.truth.noise]),
        "blur word right": share([r.blur == s.truth.blur for s, _, r in parsed if s.truth.blur]),
        "target right": share([_target(s) in (r.target or "") for s, _, r in parsed]),
        "route right": share([t.endswith(ROUTE) for _, t, _ in parsed]),
        "empty tiles": len(empty),
        "empty tiles said to be empty": share([_says_empty(r) for _, r in empty]),
        "full tiles said to be empty": share([_says_empty(r) for _, r in full]),
    }


def _stated_coverage(sample: Sample) -> int:
    """Return the coverage in percent as a true trace states it."""
    return max(1, nearest_trace_number(100 * sample.truth.coverage))


def _target(sample: Sample) -> str:
    truth = sample.truth
    return f"{truth.size_class} {truth.target}" if truth.size_class else truth.target


def _says_empty(trace: ParsedTrace) -> bool:
    return trace.polarity == "empty" or trace.count == 0
