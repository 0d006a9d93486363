"""Load the batches of a training in worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

BatchMaker = Callable[[int], Any]
"""Makes the batch of a step. The batch depends only on the step, so an interrupted training, or one with another
number of workers, sees the same batches."""


class BatchStream(IterableDataset[Any]):
    """An endless stream of batches from one step on, divided among the loader's processes in turn."""

    def __init__(self, make: BatchMaker, first_step: int) -> None:
        self._make, self._first_step = make, first_step

    def __iter__(self) -> Iterator[Any]:
        torch.set_num_threads(1)
        worker = get_worker_info()
        step, stride = (self._first_step, 1) if worker is None else (self._first_step + worker.id, worker.num_workers)
        while True:
            yield self._make(step)
            step += stride


def load_batches(make: BatchMaker, workers: int, first_step: int = 0) -> Iterator[Any]:
    """Return the batches from `first_step` on, made by `workers` processes (0: in this process)."""
    batches = BatchStream(make, first_step)
    return iter(DataLoader(batches, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None))
