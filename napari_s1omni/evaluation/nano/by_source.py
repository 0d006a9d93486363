"""Segmentation scores by source: data sets that no training read, and validation fields of those that it read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.api import segment
from napari_s1omni.evaluation.metrics import Counts, match
from napari_s1omni.evaluation.single_images import spread
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.planning.job import Job
from napari_s1omni.training.data.real_fields import read_raw_pair
from napari_s1omni.training.data.split import Subset, read_split

AUTO = "auto"
ENGINES = ("reference", "nano", AUTO)
"""What is compared."""
NOT_SCORED = ("usiigaci_phase", "stardist_example", "maize_clsm")
"""Kept for other uses: whole cells for teaching, a crop of another set, labels by software."""


def sources(data: Path, subset: Subset, most: int | None = None) -> Iterator[tuple[str, str, list[str]]]:
    """Yield folder, request and file stems of each annotated source of a subset; `most` evenly chosen files of each."""
    for folder, subsets in read_split(data).items():
        stems = sorted(subsets.get(subset, ()))
        if not folder.startswith("seg2d_") or not stems or folder.split("/")[-1] in NOT_SCORED:
            continue
        yield folder, "segment the axons" if "axon" in folder else "segment the nuclei", spread(stems, most)


@dataclass(frozen=True, slots=True)
class SourceScores:
    """Counts at IoU 0.5 of the images of one source."""

    name: str
    """Folder of the source."""
    counts: Mapping[str, Sequence[Counts]]
    """Engine as asked for -> counts of each image."""
    chosen: Mapping[str, int]
    """Engine that ``auto`` chose -> number of images; empty if ``auto`` was not asked for."""

    @property
    def images(self) -> int:
        """Number of images."""
        return len(next(iter(self.counts.values()), ()))

    @property
    def objects(self) -> int:
        """Number of annotated objects."""
        one = sum(next(iter(self.counts.values()), ()), Counts())
        return one.true_positives + one.false_negatives

    @property
    def average_precision(self) -> dict[str, float]:
        """Engine -> AP at IoU 0.5 of all objects of the source together."""
        return {engine: sum(counts, Counts()).average_precision for engine, counts in self.counts.items()}


def score_sources(
    data: Path, engines: Sequence[str], subset: Subset = "unseen", most: int | None = None
) -> Iterator[SourceScores]:
    """Segment every image with every engine, and yield the scores of one source after the other.

    Parameters
    ----------
    data : Path
        Folder of the data.
    engines : sequence of str
        Names of engines, ``auto``, or folders of checkpoints.
    subset : {'unseen', 'validation', 'former_validation'}
    most : int, optional
        Images of each source to take.
    """
    for folder, prompt, stems in sources(data, subset, most):
        counts: dict[str, list[Counts]] = {engine: [] for engine in engines}
        chosen: list[str] = []
        for stem in stems:
            pixels, truth = read_raw_pair(data, folder, stem)
            axes = "yxc" if pixels.ndim == 3 else None
            for engine in engines:
                if engine == AUTO:
                    chosen.append(_chosen(pixels, prompt, axes))
                    known = counts.get(chosen[-1], [])
                    if len(known) > len(counts[AUTO]):
                        # It would be the same run again.
                        counts[AUTO].append(known[-1])
                        continue
                result = segment(pixels, prompt=prompt, engine=engine, durable=False, axes=axes)
                counts[engine].append(match(truth, np.asarray(result.array[...]).squeeze())[0])
        yield SourceScores(folder.split("/")[-1], counts, Counter(chosen))


def _chosen(pixels: NDArray[Any], prompt: str, axes: str | None) -> str:
    """Return the name of the engine that ``auto`` takes for an image."""
    job = {
        "source": {"uri": "memory", "axes": axes},
        "operation": {"type": "segmentation", "prompt": prompt},
        "engine": AUTO,
    }
    return prepare(Job.model_validate(job), pixels).plan.engine.name
