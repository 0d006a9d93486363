"""Batches: samples as the tensors that the two stages learn from, made by one process beside the training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from napari_s1omni.engine.s1omni.checkpoint.config import VisionConfig
from napari_s1omni.engine.s1omni.thinker.patches import PatchGeometry, patchify
from napari_s1omni.engine.s1omni.thinker.prompting import Prompting
from napari_s1omni.training.data.samples import SMALL_DIAMETER, Sample
from napari_s1omni.training.prompts.prompt_templates import TRACE_NUMBERS, soft_target
from napari_s1omni.training.prompts.tokenizer import number_token_ids

IGNORE_INDEX = -100
OBJECT_CLASSES = 4
"""Auxiliary kinds of objects: bright small, bright large, dark small, dark large."""


BatchMaker = Callable[[int], Any]
"""Makes the batch of a step. It depends on the step alone: a training that was interrupted, or that has another
number of workers, goes on with the very same lessons."""


class BatchStream(IterableDataset[Any]):
    """An endless stream of batches from one step on, shared out to the loader's processes in turn."""

    def __init__(self, make: BatchMaker, first: int) -> None:
        self._make, self._first = make, first

    def __iter__(self) -> Iterator[Any]:
        torch.set_num_threads(1)
        worker = get_worker_info()
        step, stride = (self._first, 1) if worker is None else (self._first + worker.id, worker.num_workers)
        while True:
            yield self._make(step)
            step += stride


def load_batches(make: BatchMaker, workers: int, first: int = 0) -> Iterator[Any]:
    """Read the batches from step `first` on through a loader of `workers` processes (0: in this one)."""
    lessons = BatchStream(make, first)
    return iter(DataLoader(lessons, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None))


@dataclass(frozen=True, slots=True)
class ThinkerBatch:
    """Token sequences padded to the right, patches, and what to learn."""

    ids: torch.Tensor
    """int64 (B, L)."""
    labels: torch.Tensor
    """int64 (B, L): the token that should follow, or -100."""
    weights: torch.Tensor
    """float32 (B, L): share of each token in the loss."""
    soft: torch.Tensor
    """float32 (N, grid): soft targets of the number tokens, in row-major order of their labels."""
    pixel_values: torch.Tensor
    grid: torch.Tensor
    objects: torch.Tensor
    """float32 (B, cells, 3 * CATEGORIES) per category: sqrt of centroids per cell, share of px, and log of the
    typical diameter over :data:`SMALL_DIAMETER`, NaN where there are no such objects."""
    optics: torch.Tensor
    """float32 (B, 2): log noise and log blur; NaN where unknown."""

    def to(self, device: torch.device) -> Self:
        """Bring all tensors to a device."""
        return type(self)(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))


class ThinkerCollate:
    """Makes a :class:`ThinkerBatch` of samples of one size.

    Parameters
    ----------
    prompting : Prompting
    geometry : PatchGeometry
    vision : VisionConfig
    sigma : float
        Width of the soft number targets in bins.
    """

    def __init__(self, prompting: Prompting, geometry: PatchGeometry, vision: VisionConfig, sigma: float) -> None:
        self._prompting, self._geometry, self._vision, self._sigma = prompting, geometry, vision, sigma
        self._numbers = dict(zip(number_token_ids(prompting.tokenizer), TRACE_NUMBERS, strict=True))
        tokenizer = prompting.tokenizer
        self._noise_words = {tokenizer.encode(f" {w}").ids[0] for w in ("low", "medium", "high")}
        self._blur_words = {tokenizer.encode(f" {w}").ids[0] for w in ("no", "slight", "strong")}

    def __call__(self, samples: Sequence[Sample]) -> ThinkerBatch:
        """Collate."""
        images = torch.from_numpy(np.stack([sample.source for sample in samples]))
        pads = self._geometry.tokens(images.shape[-2], images.shape[-1], self._vision)
        rows = [self._row(sample, pads) for sample in samples]
        length = max(len(ids) for ids, _, _ in rows)
        end = self._prompting.ids["turn_end"]
        ids = torch.full((len(rows), length), end)
        labels = torch.full((len(rows), length), IGNORE_INDEX)
        weights = torch.zeros(len(rows), length)
        soft: list[Any] = []
        for i, (tokens, start, weight) in enumerate(rows):
            ids[i, : len(tokens)] = torch.tensor(tokens)
            labels[i, start - 1 : len(tokens) - 1] = torch.tensor(tokens[start:])
            weights[i, start - 1 : len(tokens) - 1] = torch.tensor(weight)
            soft += [soft_target(self._numbers[t], self._sigma) for t in tokens[start:] if t in self._numbers]
        pixel_values, grid = patchify(images, self._geometry, self._vision)
        cell = self._geometry.patch * self._geometry.merge
        objects = torch.from_numpy(np.stack([_objects(sample, cell) for sample in samples]))
        optics = torch.tensor(
            [[_log(sample.noise, 0.003), _log(sample.blur, 0.3)] for sample in samples], dtype=torch.float32
        )
        targets = torch.from_numpy(np.stack(soft)) if soft else torch.zeros(0, len(TRACE_NUMBERS))
        return ThinkerBatch(ids, labels, weights, targets, pixel_values, grid, objects, optics)

    def _row(self, sample: Sample, pads: int) -> tuple[list[int], int, list[float]]:
        prompt = self._prompting.prompt(sample.instruction, pads).ids
        body = [*self._prompting.encode(sample.truth.text), self._prompting.ids["turn_end"]]
        weight = []
        for at, token in enumerate(body):
            # The first word after the tag tells the polarity, from which all else follows.
            share = 3.0 if token in self._numbers or at == 1 else 1.0
            # The optics stand in the first words of the trace; the same words elsewhere are plain text.
            if at < 8 and token in self._noise_words:
                share = 0.0 if sample.truth.noise is None else 3.0
            if at < 8 and token in self._blur_words:
                share = 0.0 if sample.truth.blur is None else 3.0
            weight.append(share)
        return [*prompt, *body], len(prompt), weight


def _log(value: float | None, floor: float) -> float:
    return float("nan") if value is None else float(np.log(max(value, floor)))


def _objects(sample: Sample, cell: int) -> Any:
    """Auxiliary targets per merged token, (rows * cols, 3 * CATEGORIES)."""
    height, width = sample.source.shape[1:]
    rows, cols = height // cell, width // cell
    out = np.zeros((3 * OBJECT_CLASSES, rows, cols), np.float32)
    out[2 * OBJECT_CLASSES :] = np.nan
    for labels, bright in sample.layers:
        if labels.shape != (height, width):
            continue
        area = np.bincount(labels.ravel())
        area[0] = 0
        seen = np.flatnonzero(area)
        if not len(seen):
            continue
        diameter = 2 * np.sqrt(float(np.median(area[seen])) / np.pi)
        kind = (0 if bright else 2) + int(diameter >= SMALL_DIAMETER)
        ys = np.bincount(labels.ravel(), np.repeat(np.arange(height), width))[seen] / area[seen]
        xs = np.bincount(labels.ravel(), np.tile(np.arange(width), height))[seen] / area[seen]
        np.add.at(out[kind], ((ys // cell).astype(int), (xs // cell).astype(int)), 1)
        share = (labels > 0).reshape(rows, cell, cols, cell).mean((1, 3))
        out[OBJECT_CLASSES + kind] = np.maximum(out[OBJECT_CLASSES + kind], share)
        out[2 * OBJECT_CLASSES + kind][share > 0.15] = np.log(diameter / SMALL_DIAMETER)
    out[:OBJECT_CLASSES] = np.sqrt(out[:OBJECT_CLASSES])
    return out.reshape(3 * OBJECT_CLASSES, -1).T.copy()
