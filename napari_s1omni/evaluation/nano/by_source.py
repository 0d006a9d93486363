"""Segmentation scores by source: data sets that no training read, and validation fields of those that it read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from napari_s1omni.api import segment
from napari_s1omni.evaluation.metrics import Counts, match
from napari_s1omni.evaluation.single_images import spread
from napari_s1omni.training.data.real_fields import read_raw_pair
from napari_s1omni.training.data.split import Subset, read_split

NOT_SCORED = ("usiigaci_phase", "stardist_example", "maize_clsm")
"""Kept for other uses: whole cells for teaching, a crop of another set, labels by software."""


def sources(data: Path, subset: Subset, most: int | None = None) -> Iterator[tuple[str, str, list[str]]]:
    """Yield folder, request and file stems of each annotated source of a subset; `most` evenly chosen files of each."""
    for folder, subsets in read_split(data).items():
        stems = sorted(subsets.get(subset, ()))
        if not folder.startswith("seg2d_") or not stems or folder.split("/")[-1] in NOT_SCORED:
            continue
        yield folder, "segment the axons" if "axon" in folder else "segment the nuclei", spread(stems, most)


def score_sources(
    data: Path, engines: Sequence[str], subset: Subset = "unseen", most: int | None = None
) -> dict[str, dict[str, list[Counts]]]:
    """Segment every image with every engine.

    Parameters
    ----------
    data : Path
        Folder of the data.
    engines : sequence of str
        Names of engines, or folders of checkpoints.
    subset : {'unseen', 'validation', 'former_validation'}
    most : int, optional
        Images of each source to take.

    Returns
    -------
    dict
        Source -> engine -> counts at IoU 0.5 of each image.
    """
    found: dict[str, dict[str, list[Counts]]] = {}
    for folder, prompt, stems in sources(data, subset, most):
        scores: dict[str, list[Counts]] = {engine: [] for engine in engines}
        for stem in stems:
            pixels, truth = read_raw_pair(data, folder, stem)
            axes = "yxc" if pixels.ndim == 3 else None
            for engine in engines:
                result = segment(pixels, prompt=prompt, engine=engine, durable=False, axes=axes)
                scores[engine].append(match(truth, np.asarray(result.array[...]).squeeze())[0])
        found[folder.split("/")[-1]] = scores
    return found
