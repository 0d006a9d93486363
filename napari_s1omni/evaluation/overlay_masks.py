"""The best that masks painted over an image can give: true masks, painted as an engine would, and read again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.tile_fit import TileFit
from napari_s1omni.evaluation.metrics import Counts, match
from napari_s1omni.evaluation.single_images import find_sets, spread
from napari_s1omni.operations import Segmentation
from napari_s1omni.operations.operation import FinishContext
from napari_s1omni.operations.overlay import FILL, FILL_AND_LINE
from napari_s1omni.storage.source import open_source

WAYS = {"filled": (FILL, 1), "with lines": (FILL_AND_LINE, 1), "with lines, drawn twice as large": (FILL_AND_LINE, 2)}
"""What is painted, and how many drawn px a source px has along each axis."""
DEGREES = {"clean": (0.0, 0.0), "slight": (1.0, 0.03), "strong": (1.5, 0.05)}
"""Blur as sigma in drawn px, and noise as standard deviation, of what is painted."""
CHOSEN_ON = ("bbbc039_u2os", "dsb2018_fluo", "dsb2018_histology")
"""Sets on which colour, width and the constants of reading were chosen; the others judge."""
_RANGE = (0.1, 99.9)
"""Percentiles of an image that become 0 and 1."""


@dataclass(frozen=True, slots=True)
class OverlayScore:
    """How many objects of a set of annotated images survive being painted and read."""

    name: str
    """Folder of the set."""
    images: int
    objects: int
    chosen_on: bool
    """Whether the way of reading was chosen on this set."""
    found: dict[str, dict[str, float]]
    """AP at IoU 0.5, pooled, by way and degree."""


def score_overlay(folder: Path, limit: int | None = None) -> Iterator[OverlayScore]:
    """Paint and read the true masks of every set ``folder/NAME/{images,masks}`` with files of equal stems.

    Parameters
    ----------
    folder : Path
    limit : int, optional
        Number of images per set, spread evenly.

    Raises
    ------
    SourceError
        If there is no such set.
    """
    for subset in find_sets(folder, ("images", "masks")):
        truths = {path.stem: path for path in (subset / "masks").iterdir()}
        files = spread(sorted(path for path in (subset / "images").iterdir() if path.stem in truths), limit)
        found = {way: dict.fromkeys(DEGREES, Counts()) for way in WAYS}
        objects = 0
        for path in files:
            image, truth = _as_seen(path), _planes(truths[path.stem])[0].astype(np.int32)
            objects += len(np.unique(truth[truth > 0]))
            for way, counts in found.items():
                for degree in DEGREES:
                    counts[degree] += match(truth, paint_and_read(image, truth, way, degree))[0]
        scores = {way: {d: c.average_precision for d, c in counts.items()} for way, counts in found.items()}
        yield OverlayScore(subset.name, len(files), objects, subset.name in CHOSEN_ON, scores)


def paint_and_read(image: NDArray[np.float32], truth: NDArray[np.int32], way: str, degree: str) -> NDArray[Any]:
    """Paint true masks over an image, blur it and add noise, and read the objects again.

    Parameters
    ----------
    image : float32 (3, H, W), model range
    truth : int (H, W)
    way : str
        One of :data:`WAYS`.
    degree : str
        One of :data:`DEGREES`.

    Returns
    -------
    uint32 (H, W)
    """
    (mark, scale), (blur, noise) = WAYS[way], DEGREES[degree]
    height, width = truth.shape
    fit = TileFit((height, width), (height * scale, width * scale))
    seen = fit.see(image)
    drawn = paint(seen, truth.repeat(scale, 0).repeat(scale, 1), mark)
    drawn = ndi.gaussian_filter(drawn, (0, blur, blur)) if blur else drawn
    drawn += np.random.default_rng(0).normal(0, noise, drawn.shape).astype(np.float32)
    operation = Segmentation()
    fields = operation.decode(drawn, seen, "overlay", mark)
    fields = fit.bring_back(fields, max(truth.shape), bounded=True)[:, :height, :width]
    labels = LayerSpec(shape=truth.shape, axes=("y", "x"), dtype="uint32", kind="labels")
    context = FinishContext(Normalization((0.0,), (1.0,)), (0,), labels, mark=mark)
    return np.asarray(operation.finish(fields[:, None], context).pixels[0, 0])


def paint(image: NDArray[np.float32], truth: NDArray[np.int32], mark: str) -> NDArray[np.float32]:
    """Paint masks (H, W) over an image (3, H, W) in the colours of a mark."""
    shown = np.clip(image, 0, 1)
    painted = np.where(truth > 0, _lay(shown, 0), shown)
    if mark == FILL_AND_LINE:
        painted = np.where(_joints(truth), _lay(shown, 1), painted)
    return painted.astype(np.float32)


def _lay(shown: NDArray[np.float32], channel: int) -> NDArray[np.float32]:
    """Lay half-transparent red, green or blue over an image as the released model was seen to do."""
    laid = 0.49 * shown + 0.10
    laid[channel] = 0.67 * shown[channel] + 0.33
    return laid


def _joints(truth: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Pixels of objects that touch a pixel of another object: a line of 2 px."""
    highest = ndi.maximum_filter(truth, 3)
    lowest = ndi.minimum_filter(np.where(truth == 0, np.iinfo(np.int32).max, truth), 3)
    return np.asarray((truth > 0) & ((highest != truth) | (lowest != truth)))


def _as_seen(path: Path) -> NDArray[np.float32]:
    """Read an image as an engine sees it, float32 (3, H, W)."""
    planes = _planes(path)[:3].astype(np.float32)
    low, high = np.percentile(planes, _RANGE)
    planes = (planes - low) / max(high - low, 1e-6)
    return np.asarray(planes if len(planes) == 3 else planes[:1].repeat(3, 0), np.float32)


def _planes(path: Path) -> NDArray[Any]:
    """Read the channels of a plane, (C, H, W)."""
    source = open_source(str(path))
    pixels = source.read()
    at = source.spec.axes.index("c") if "c" in source.spec.axes else None
    pixels = pixels[None] if at is None else np.moveaxis(pixels, at, 0)
    return pixels.reshape(len(pixels), *pixels.shape[-2:])
