"""A training sample, and the mixture from which samples are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.engine.s1omni.checkpoint.config import ObjectScaling, Upsampling
from napari_s1omni.training.data.resampling import Image
from napari_s1omni.training.prompts.traces import TileTruth

REAL_DATASETS = (
    ("dsb2018_fluo", 0.40),
    ("dsb2018_tissue_512x640", 0.22),
    ("dsb2018_histology", 0.26),
    ("axondeepseg_sem", 0.09),
    ("maize_clsm", 0.03),
)
"""Real segmentation data sets, and their shares unless a recipe changes them."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One training sample for thinker and editor."""

    source: Image
    """(3, h, w), model range, clipped to 0..1."""
    instruction: str
    truth: TileTruth
    target: Image
    """(3, H, W): foreground, interior and distance, or the image to draw."""
    base: Image
    """(3, H, W): `source` at the size of the target, for residuals."""
    layers: tuple[tuple[NDArray[np.uint16], bool], ...] = ()
    """Instances and polarity of all objects in the crop, for the auxiliary heads."""
    noise: float | None = None
    """Standard deviation of the noise, if known."""
    blur: float | None = None
    """Sigma of the blur in pixels, if known."""
    instances: NDArray[np.uint16] | None = None
    """(H, W), the requested objects; None for images."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Shares of the kinds of samples."""

    simulated: float = 0.5
    """Share of samples from simulated scenes."""
    super_resolution: float = 0.12
    translation: float = 0.08
    augment: bool = True
    """Whether crops are augmented; validation samples are not."""
    enlargement: Upsampling = "bicubic"
    """How the source of super-resolution is upsampled."""
    object_size: ObjectScaling | None = None
    """Grids on which segmentations are drawn; the texts stay those of the tile on its own grid."""
    scene_weights: tuple[tuple[str, float], ...] = ()
    """Sampling weight of simulated scenes by kind, relative to all others."""
    copy_paste: float = 0.0
    """Share of samples of real nuclei with copy-paste augmentation."""
    dataset_weights: tuple[tuple[str, float], ...] = REAL_DATASETS
    """Share of each real data set among real segmentation samples."""
