"""Objects of the same images in tiles of several sizes, compared with one tile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.engine.protocol import Engine
from napari_s1omni.engine.registry import create_engine
from napari_s1omni.evaluation.metrics import Counts, match
from napari_s1omni.evaluation.single_images import find_sets, spread
from napari_s1omni.execution.run.preview import run_preview
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.planning.job import Job
from napari_s1omni.storage.source import open_source

SIZES = (128, 256)
"""Tiles that are compared with one tile for the whole image, in px."""
COIN_SIZES = (128, 256, 384, 512)
"""Tiles in which the coins are counted, in px."""
LEAST = {"reference": 0.99, "nano": 0.97}
"""Least AP against one tile that is asked of an engine."""


@dataclass(frozen=True, slots=True)
class TileSizeScore:
    """Agreement of tiled results with untiled ones."""

    name: str
    """Folder of the set."""
    images: int
    agreement: dict[int, float]
    """AP at IoU 0.5 against one tile, by tile size in px."""


def count_coins(engine: str) -> dict[int, int]:
    """Return the number of coins in ``skimage.data.coins()`` by tile size; there are 24."""
    from skimage.data import coins

    loaded = create_engine(engine)
    found = {}
    for size in COIN_SIZES:
        labels = _segment(coins(), engine, loaded, "segment the coins, about 45 px", {"tile_size": size})
        found[size] = len(np.unique(labels[labels > 0]))
    return found


def score_tile_sizes(folder: Path, engine: str, limit: int | None = None) -> Iterator[TileSizeScore]:
    """Compare tiled with untiled results for every set ``folder/NAME/images``.

    Parameters
    ----------
    folder : Path
    engine : str
    limit : int, optional
        Number of images per set, spread evenly.

    Raises
    ------
    SourceError
        If there is no such set.
    """
    sets, loaded = find_sets(folder, ("images",)), create_engine(engine)
    for subset in sets:
        files = spread(sorted((subset / "images").iterdir()), limit)
        pooled = dict.fromkeys(SIZES, Counts())
        for file in files:
            spec = open_source(str(file)).spec
            one = {"tile_size": max(spec.size("y"), spec.size("x")), "overlap": 0}
            whole = _segment(file, engine, loaded, "segment the nuclei", one)
            for size in SIZES:
                tiled = _segment(file, engine, loaded, "segment the nuclei", {"tile_size": size})
                pooled[size] += match(whole, tiled)[0]
        yield TileSizeScore(subset.name, len(files), {size: c.average_precision for size, c in pooled.items()})


def _segment(image: Any, engine: str, loaded: Engine, prompt: str, tiling: dict[str, int]) -> NDArray[Any]:
    """Return the labels of an image, or of a file, computed in memory."""
    in_memory = isinstance(image, np.ndarray)
    job = Job.model_validate(
        {
            "source": {"uri": "memory" if in_memory else str(image)},
            "operation": {"type": "segmentation", "prompt": prompt},
            "engine": engine,
            "tiling": tiling,
        }
    )
    prepared = prepare(job, image if in_memory else None)
    return run_preview(prepared.plan, prepared.source, loaded).pixels
