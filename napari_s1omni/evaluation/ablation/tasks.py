"""Tasks of the ablation: samples to draw, and how the drawn images are scored.

Ambiguous tiles are the hardest task: one image, two requests, two right answers.
Their score is the *choice*: the correlation, over all pixels, between the
difference of the two drawn images and the difference of the two truths. 1 is
perfect and 0 is an editor that ignores the request; contrast does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.description import Division
from napari_s1omni.engine.protocol import Images
from napari_s1omni.evaluation.metrics import match, pearson, psnr
from napari_s1omni.evaluation.nano.traces import plain_samples, validation_scenes
from napari_s1omni.operations import Segmentation
from napari_s1omni.operations.operation import FinishContext
from napari_s1omni.training.data.pool import prepare
from napari_s1omni.training.data.real_fields import real_fields
from napari_s1omni.training.data.sampler import Sampler
from napari_s1omni.training.data.samples import Mixture, Sample

AMBIGUOUS = ("sizes", "polarities", "cells", "axons")
"""Kinds of simulated scenes with two kinds of objects."""
Score = Callable[[Sequence[Sample], Sequence[Images]], NDArray[np.float64]]
"""Turns samples and their drawn images into one number per independent unit: a tile, or a pair of requests."""


@dataclass(frozen=True, slots=True)
class Task:
    """Samples with their score."""

    name: str
    """Name, with the metric in brackets."""
    samples: list[Sample]
    score: Score


def choice_task(scenes: int, tile: int) -> Task:
    """Return the task of ambiguous tiles, from the first `scenes` validation scenes."""
    return Task("two requests, one tile (choice)", ambiguous_samples(scenes, tile), choice_scores)


def ambiguous_samples(scenes: int, tile: int) -> list[Sample]:
    """Return tiles of validation scenes with two kinds of objects, once for each kind, in pairs."""
    ambiguous = [scene for scene in validation_scenes(scenes) if scene.field.dataset in AMBIGUOUS]
    samples = list(plain_samples(ambiguous, tile))
    pairs = []
    for first, second in zip(samples[::2], samples[1::2], strict=True):
        if first.truth.count and second.truth.count:
            pairs += [first, second]
    return pairs


def choice_scores(samples: Sequence[Sample], drawn: Sequence[Images]) -> NDArray[np.float64]:
    """Return, for each pair, the correlation between the difference of the drawn images and that of the truths."""
    scores = []
    for i in range(0, len(samples), 2):
        truth = samples[i].target[0] - samples[i + 1].target[0]
        scores.append(pearson(truth, drawn[i][0] - drawn[i + 1][0]))
    return np.array(scores)


def real_tasks(data: Path, tile: int, seed: int, division: Division) -> list[Task]:
    """Return the tasks on real validation fields: segmentation, super-resolution and translation."""
    fields = [prepare(field) for field in real_fields(data, "validation")]
    sampler = Sampler(fields, [], Mixture(augment=False), seed)
    nuclei = [f for f in fields if f.field.layers and f.field.layers[0].noun == "nuclei"]
    sharp = [f for f in fields if f.field.detail]
    paired = [f for f in fields if "nuclei" in f.field.pairs]
    return [
        Task(
            "nuclei, real (AP at IoU 0.5)",
            [sampler.segmentation(f, tile, 0) for f in nuclei],
            _per_tile(partial(_average_precision, division)),
        ),
        Task(
            "super-resolution x2 (PSNR, dB)",
            [sampler.super_resolution(f, tile, 2) for f in sharp for _ in range(4)],
            _per_tile(lambda sample, image: psnr(sample.target, image, 1.0)),
        ),
        Task(
            "nuclei from other channels (Pearson r)",
            [sampler.translation(f, tile, "nuclei") for f in paired for _ in range(2)],
            _per_tile(lambda sample, image: pearson(sample.target, image)),
        ),
    ]


def _per_tile(metric: Callable[[Sample, Images], float]) -> Score:
    return lambda samples, drawn: np.array([metric(s, image) for s, image in zip(samples, drawn, strict=True)])


def _average_precision(division: Division, sample: Sample, drawn: Images) -> float:
    labels = LayerSpec(shape=drawn.shape[1:], axes=("y", "x"), dtype="uint32", kind="labels")
    fields = np.clip(drawn, 0, 1)[:, None]
    one = Normalization((0.0,), (1.0,))
    found = Segmentation().finish(fields, FinishContext(one, (0,), labels, division=division)).pixels.squeeze()
    assert sample.instances is not None
    return match(sample.instances, found)[0].average_precision
