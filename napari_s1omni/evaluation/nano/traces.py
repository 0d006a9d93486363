"""How true a thinker's traces are, on simulated tiles it never saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from napari_s1omni.core.sampling import Sampling
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
"""Of the validation scenes; training uses small numbers."""


def validation_scenes(count: int) -> list[PreparedField]:
    """Simulated fields that are in no training pool."""
    return [prepare(field) for field in simulated_fields(SEED, count)]


def plain_request(layer: Layer, dataset: str) -> str:
    """Ask for one layer in the fewest words that tell it from the others."""
    words = [layer.size_class or ""] if dataset == "sizes" else []
    words += ["bright" if layer.bright else "dark"] if dataset == "polarities" else []
    return " ".join(["segment the", *[w for w in words if w], layer.noun])


def plain_samples(scenes: list[PreparedField], tile: int) -> Iterator[Sample]:
    """One sample for each kind of object of each scene, plainly worded and not augmented."""
    for i, scene in enumerate(scenes):
        for at, layer in enumerate(scene.field.layers):
            # The same seed for each kind of object: they are asked for in the same crop.
            sample = Sampler([], [], Mixture(augment=False), i).segmentation(scene, tile, at)
            request = plain_request(layer, scene.field.dataset)
            instruction = f"Task: segmentation\nTile: {tile} x {tile} px\nRequest: {request}"
            yield replace(sample, instruction=instruction)


def think_batched(engine: Engine, samples: Sequence[Sample]) -> list[Thought | None]:
    """Thoughts of many samples; those with one instruction and size think together. None where a tile failed."""
    written: list[Thought | None] = [None] * len(samples)
    groups: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for i, sample in enumerate(samples):
        groups.setdefault((sample.instruction, sample.source.shape), []).append(i)
    for (instruction, _), members in groups.items():
        for start in range(0, len(members), 8):
            part = members[start : start + 8]
            images = np.stack([samples[i].source for i in part])
            try:
                thoughts = engine.think(images, instruction, Sampling())
            except TileError:
                continue
            for i, thought in zip(part, thoughts, strict=True):
                written[i] = thought
    return written


def measure_traces(name: str, scenes: int = 160, tile: int = 256) -> dict[str, Any]:
    """Compare what the thinker states with the truth.

    Returns
    -------
    dict
        Median relative errors of count, size and coverage, and shares of right words.
    """
    engine = create_engine(name)
    samples = list(plain_samples(validation_scenes(scenes), tile))
    thoughts = think_batched(engine, samples)
    engine.close()
    return trace_errors(samples, [thought.text if thought else None for thought in thoughts])


def trace_errors(samples: list[Sample], texts: list[str | None]) -> dict[str, Any]:
    """Errors of written thoughts against the samples' truth."""
    read = [(s, t or "", parse_trace(t or "")) for s, t in zip(samples, texts, strict=True)]
    there = [(s, r) for s, _, r in read if s.truth.count > 0]
    empty = [(s, r) for s, _, r in read if s.truth.count == 0]

    def median(field: str, truth: Any) -> float:
        errors = [abs((getattr(r, field) or 0) - truth(s)) / max(truth(s), 1) for s, r in there]
        return float(np.median(errors)) if errors else float("nan")

    def share(hits: list[bool]) -> float:
        return float(np.mean(hits)) if hits else float("nan")

    return {
        "tiles": len(samples),
        "count, median relative error": median("count", lambda s: s.truth.count),
        "size, median relative error": median("size", lambda s: s.truth.size),
        "coverage, median relative error": median(
            "coverage", lambda s: max(1, nearest_trace_number(100 * s.truth.coverage))
        ),
        "polarity right": share([r.polarity == ("bright" if s.truth.bright else "dark") for s, r in there]),
        "noise word right": share([r.noise == s.truth.noise for s, _, r in read if s.truth.noise]),
        "blur word right": share([r.blur == s.truth.blur for s, _, r in read if s.truth.blur]),
        "target right": share([_target(s) in (r.target or "") for s, _, r in read]),
        "route right": share([t.endswith(ROUTE) for _, t, _ in read]),
        "empty tiles": len(empty),
        "empty tiles said to be empty": share([_says_empty(r) for _, r in empty]),
        "full tiles said to be empty": share([_says_empty(r) for _, r in there]),
    }


def _target(sample: Sample) -> str:
    truth = sample.truth
    return f"{truth.size_class} {truth.target}" if truth.size_class else truth.target


def _says_empty(reading: ParsedTrace) -> bool:
    return reading.polarity == "empty" or reading.count == 0
