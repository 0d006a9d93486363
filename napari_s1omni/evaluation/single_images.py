"""Scores of single images: instances against annotated nuclei, tiled against untiled, restored against bicubic."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from napari_s1omni.api import segment, super_resolve
from napari_s1omni.core.normalization import cast_to
from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.metrics import Counts, match, psnr
from napari_s1omni.jobs.options import TilingOptions
from napari_s1omni.storage.source import open_source

TILED: TilingOptions = {"tile_size": 128, "overlap": 32}
"""Tiling of the runs that are compared with untiled ones."""
_BLUR = 0.8
"""Sigma in pixels of the blur before 2 x 2 binning."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NucleiScore:
    """Scores of one set of annotated images, pooled over all objects."""

    name: str
    """Folder of the set."""
    images: int
    objects: int
    """Number of annotated objects."""
    first_half: float
    """Instance AP at IoU 0.5 of the first half of the files, by name."""
    second_half: float
    """The same for the other half."""
    all: float
    """The same for all files."""
    tiled_to_whole: float
    """AP at IoU 0.5 of tiled results against untiled ones."""
    fewest_blocks: int
    """Blocks of the tiled run of the smallest image."""


@dataclass(frozen=True, slots=True)
class RestorationScore:
    """An image that was blurred, binned 2 x 2 and restored."""

    name: str
    ours: float
    """PSNR in dB; the peak is the range of the original."""
    bicubic: float
    """The same for bicubic interpolation."""

    @property
    def gain(self) -> float:
        """Gain over bicubic interpolation in dB."""
        return self.ours - self.bicubic


def score_nuclei(folder: Path, engine: str = "reference", limit: int | None = None) -> Iterator[NucleiScore]:
    """Score every set ``folder/NAME/{images,masks}`` with files of equal stems.

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
    for subset in find_sets(folder, ("images", "masks")):
        truths = {path.stem: path for path in (subset / "masks").iterdir()}
        files = sorted(path for path in (subset / "images").iterdir() if path.stem in truths)
        yield _score_set(subset.name, [(path, truths[path.stem]) for path in spread(files, limit)], engine)


def find_sets(folder: Path, parts: tuple[str, ...]) -> list[Path]:
    """Return the sets of images in a folder: its folders that have all of some folders inside, such as ``images``.

    Raises
    ------
    SourceError
        If there is none.
    """
    sets = sorted(
        path.parent for path in folder.glob(f"*/{parts[0]}") if all((path.parent / p).is_dir() for p in parts)
    )
    if not sets:
        named = " and ".join(f"'{part}'" for part in parts)
        raise SourceError(f"{folder} holds no set", f"folders with {named}", "name their folder")
    return sets


def score_restoration(folder: Path, limit: int | None = None, engine: str = "reference") -> Iterator[RestorationScore]:
    """Degrade and restore every image below a folder.

    Parameters
    ----------
    folder : Path
    limit : int, optional
        Number of images, spread evenly.
    engine : str

    Raises
    ------
    SourceError
        If there is no image.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".tif", ".tiff", ".png"})
    if not files:
        raise SourceError(f"{folder} holds no image", "TIFF or PNG files", "name their folder")
    for path in spread(files, limit):
        truth = _plane(path)
        truth = truth[: truth.shape[0] // 2 * 2, : truth.shape[1] // 2 * 2]
        blurred = gaussian_filter(truth.astype(np.float32), _BLUR)
        coarse = blurred.reshape(truth.shape[0] // 2, 2, truth.shape[1] // 2, 2).mean(axis=(1, 3))
        given = cast_to(coarse, truth.dtype)
        with tempfile.TemporaryDirectory() as name:
            result = super_resolve(given, Path(name) / "fine.zarr", factor=2, engine=engine, durable=False)
            fine = result.array[...]
        size = truth.shape[1], truth.shape[0]
        bicubic = np.asarray(Image.fromarray(given.astype(np.float32)).resize(size, Image.Resampling.BICUBIC))
        span = float(truth.max()) - float(truth.min())
        yield RestorationScore(str(path.relative_to(folder)), psnr(truth, fine, span), psnr(truth, bicubic, span))


def _score_set(name: str, pairs: list[tuple[Path, Path]], engine: str) -> NucleiScore:
    halves = [Counts(), Counts()]
    against_whole = Counts()
    fewest = 10**9
    for i, (path, truth_path) in enumerate(pairs):
        truth = _plane(truth_path)
        longest = max(truth.shape)
        whole, _ = _segment(path, engine, {"tile_size": longest, "overlap": 0, "block_size": longest})
        tiled, blocks = _segment(path, engine, {**TILED, "block_size": -(-min(truth.shape) // 2)})
        halves[2 * i >= len(pairs)] += match(truth, whole)[0]
        against_whole += match(whole, tiled)[0]
        fewest = min(fewest, blocks)
    both = halves[0] + halves[1]
    objects = both.true_positives + both.false_negatives
    first, second, every, against = (c.average_precision for c in (*halves, both, against_whole))
    return NucleiScore(name, len(pairs), objects, first, second, every, against, fewest)


def spread(items: list[T], limit: int | None) -> list[T]:
    """Return at most `limit` of the items, spread evenly."""
    if not limit or limit >= len(items):
        return items
    return [items[i * len(items) // limit] for i in range(limit)]


def _segment(path: Path, engine: str, tiling: TilingOptions) -> tuple[NDArray[Any], int]:
    """Return the labels of an image and the number of blocks."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "labels.zarr"
        result = segment(path, out, prompt="segment the nuclei", engine=engine, durable=False, **tiling)
        labels: NDArray[Any] = result.array[...]
        return labels, len(result.plan.grid)


def _plane(path: Path) -> NDArray[Any]:
    """Read one plane of one channel."""
    source = open_source(str(path))
    pixels = source.read()
    return pixels.reshape(pixels.shape[-2:]) if pixels.size == pixels.shape[-1] * pixels.shape[-2] else pixels[0]
