"""The bank of images that nano knows: ``python -m napari_s1omni.evaluation.nano.familiarity --data FOLDER``."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.engine.familiarity.bank import BANK_NAME, LEAST, Bank
from napari_s1omni.engine.familiarity.features import describe_tiles, in_colour
from napari_s1omni.evaluation.nano.strange_images import strange_images
from napari_s1omni.evaluation.single_images import spread
from napari_s1omni.jobs.prepare import measure_source
from napari_s1omni.operations.segmentation import Segmentation
from napari_s1omni.planning.job import SourceRef
from napari_s1omni.training.data.pool import prepare
from napari_s1omni.training.data.real_fields import read_raw_pair, real_fields
from napari_s1omni.training.data.sampler import Sampler
from napari_s1omni.training.data.samples import Mixture
from napari_s1omni.training.data.split import Subset, read_split, views

KINDS = (
    ("dsb2018_fluo", "dsb2018_fluo_256", "dsb2018_fluo_360", "dsb2018_fluo_mixed", "dsb2018_tissue_512x640"),
    ("dsb2018_histology", "dsb2018_histology_more"),
)
"""Sources of one kind of image. An image of one of them is measured as if its source were not known."""
_NUCLEI = "seg2d_nuclei/"
_LEFT_OUT = ("stardist_example",)
"""A crop of an image of another source."""
_MOST = 60
"""Images of a source that are described."""
_TILES = 4
"""Tiles of an image that enter the bank as they are."""
_VARIED = 3
"""Tiles of an image in colour that enter the bank as training varies them, since stains differ between laboratories.
Variants of grey images would make the bank so wide that textures are taken for nuclei."""
_ROWS = 250
"""Tiles of a source in the bank, so that none dominates."""
_AXES = 24
"""Dimensions of the space in which distances are measured."""
_SHRINK = 0.05
"""Added to the variance of each, so that those that hardly vary do not count most."""


@dataclass(frozen=True, slots=True)
class Described:
    """An image by the features of its tiles."""

    source: str
    view: str
    """Field of view."""
    features: NDArray[np.float32]
    """(n, F) of its tiles."""
    varied: NDArray[np.float32]
    """(m, F) of crops as training varies them, for images in colour that are trained on."""


def image_features(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return the features of an image (H, W) or (H, W, 3), as measured when a plan is made."""
    axes = "yxc" if pixels.ndim == 3 else "yx"
    found = measure_source(SourceRef(uri="memory", axes=axes), pixels).features(Segmentation())
    assert found is not None, "only copies of layers lack them"
    return found


def described_images(data: Path, subset: Subset) -> Iterator[Described]:
    """Describe the images of nuclei of a subset."""
    seen_in, step = views(data), 0
    fields = {(f.dataset, f.name): f for f in real_fields(data, "train")} if subset == "train" else {}
    sampler = Sampler([], [], Mixture(augment=True), 0)
    for folder, subsets in read_split(data).items():
        source = folder.removeprefix(_NUCLEI)
        if source == folder or source in _LEFT_OUT:
            continue
        for stem in spread(sorted(subsets[subset]), _MOST):
            own = image_features(read_raw_pair(data, folder, stem)[0])
            varied = own[:0]
            if subset == "train" and in_colour(own):
                item, crops = prepare(fields[source, stem]), []
                for _ in range(_VARIED):
                    sampler.seed_step(step := step + 1)
                    crops.append(sampler.segmentation(item, 256).source)
                varied = describe_tiles(crops)
            yield Described(source, seen_in.get((folder, stem), stem), own, varied)


def make_bank(known: list[Described], held_out: list[Described]) -> Bank:
    """Make the bank of training images, with the distances of held-out images.

    An image counts as held out if its field is not trained on, or if its whole source is left out of the bank while it
    is measured. So distances are those between laboratories. Images of one field count once.

    Parameters
    ----------
    known : list of Described
        Training images.
    held_out : list of Described
        Validation images.
    """
    # Which tiles are kept is drawn at random, always alike.
    rng, names = np.random.default_rng(0), sorted({one.source for one in known})
    parts = []
    for name in names:
        rows = np.concatenate([r for one in known if one.source == name for r in (one.features[:_TILES], one.varied)])
        parts.append(rng.permutation(rows)[:_ROWS])
    rows, sources = np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    weights = (1 / np.bincount(sources))[sources] / len(parts)
    centre = weights @ rows
    scale = np.sqrt(weights @ (rows - centre) ** 2) + 1e-3
    unit = (rows - centre) / scale
    variance, directions = np.linalg.eigh((weights[:, None] * unit).T @ unit)
    variance, directions = variance[::-1][:_AXES], directions[:, ::-1][:, :_AXES]
    axes = directions / np.sqrt(np.clip(variance, 0, None) + _SHRINK) / scale[:, None]
    bank = Bank(
        ((rows - centre) @ axes).astype(np.float16),
        sources.astype(np.uint8),
        centre.astype(np.float32),
        axes.astype(np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, bool),
    )
    fields: dict[tuple[bool, str], list[float]] = defaultdict(list)
    for one in (*known, *held_out):
        if any(one.source in kind for kind in KINDS):
            distance = bank.distance(one.features, names.index(one.source))
            fields[in_colour(one.features), one.view].append(distance)
    distances = np.array([np.median(found) for found in fields.values()], np.float32)
    return dataclasses.replace(bank, held_out=distances, coloured=np.array([coloured for coloured, _ in fields]))


def flagged(bank: Bank, data: Path) -> Iterator[tuple[str, str, int, float, float]]:
    """Yield subset, source or kind, number of images, share that is unfamiliar, and median p-value."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for subset in ("validation", "unseen"):
        for one in described_images(data, subset):
            found[subset, one.source].append(bank.p_value(one.features))
    for kind, _, pixels in strange_images():
        found["strange", kind].append(bank.p_value(image_features(pixels)))
    for (subset, name), values in found.items():
        yield subset, name, len(values), float(np.mean([p < LEAST for p in values])), float(np.median(values))


def main() -> None:
    """Make the bank; print how many images are unfamiliar, by source and by kind; ``--write`` stores the bank."""
    parser = argparse.ArgumentParser(
        prog="python -m napari_s1omni.evaluation.nano.familiarity", description=main.__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the real images")
    parser.add_argument("--write", type=Path, help="folder of the weights")
    given = parser.parse_args()
    bank = make_bank(list(described_images(given.data, "train")), list(described_images(given.data, "validation")))
    if given.write is not None:
        bank.write(given.write / BANK_NAME)
    sys.stdout.write("| subset | source or kind | images | unfamiliar | median p |\n|---|---|---|---|---|\n")
    for subset, name, count, share, p in flagged(bank, given.data):
        sys.stdout.write(f"| {subset} | {name} | {count} | {share:.2f} | {p:.2f} |\n")


if __name__ == "__main__":
    main()
