"""Resampling of square crops: images linearly, labels by nearest neighbour, sources as the engine upsamples them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from napari_s1omni.engine.s1omni.checkpoint.config import Upsampling
from napari_s1omni.engine.s1omni.editor import object_scaling, upsampling

Image = NDArray[np.float32]
"""(C, H, W)."""


def resize(planes: NDArray[np.float32], edge: int) -> Image:
    """Resample (C, n, n) to (C, edge, edge) linearly, with anti-aliasing."""
    out: Image = object_scaling.resize(torch.from_numpy(np.ascontiguousarray(planes))[None], (edge, edge))[0].numpy()
    return out


def upsample(planes: NDArray[np.float32], factor: int, how: Upsampling = "bicubic") -> Image:
    """Resample (C, h, w) to `factor` times its size, as the engine does before drawing."""
    size = (planes.shape[1] * factor, planes.shape[2] * factor)
    images = torch.from_numpy(np.ascontiguousarray(planes, np.float32))[None]
    out: Image = upsampling.upsample(images, size, how)[0].numpy()
    return out


def resize_labels(labels: NDArray[np.uint16], edge: int) -> NDArray[np.uint16]:
    """Resample (n, n) to (edge, edge) by nearest neighbour."""
    if labels.shape[-1] == edge:
        return labels
    at = ((np.arange(edge) + 0.5) * labels.shape[-1] / edge).astype(np.intp)
    return labels[np.ix_(at, at)]


def to_rgb(image: NDArray[np.float32]) -> Image:
    """Repeat a single channel (1, H, W) to (3, H, W); three channels are returned unchanged."""
    return np.repeat(image, 3, axis=0) if len(image) == 1 else np.asarray(image)
