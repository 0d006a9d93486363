"""Weights of the pixels between objects."""

from __future__ import annotations

import numpy as np
import torch

from napari_s1omni.training.data.fields import Field, Layer
from napari_s1omni.training.data.pool import prepare
from napari_s1omni.training.stages.border_weights import border_mask


def weights(*discs: tuple[float, float, float]) -> tuple[torch.Tensor, np.ndarray]:
    """Return the border mask of discs (y, x, radius), the first on top, and their labels."""
    y, x = np.mgrid[:64, :64]
    labels = np.zeros((64, 64), np.uint16)
    for i, (cy, cx, radius) in enumerate(discs):
        labels[(np.hypot(y - cy, x - cx) <= radius) & (labels == 0)] = i + 1
    item = prepare(Field("discs", "plain", np.zeros((1, 64, 64)), (Layer("nuclei", labels, True),)))
    distance = torch.from_numpy(item.distances[0].astype(np.float32) / 255)
    foreground = torch.from_numpy((labels > 0).astype(np.float32))
    return border_mask(torch.stack([foreground, distance, distance])[None])[0, 0], labels


def test_only_the_border_of_two_touching_objects_weighs_more() -> None:
    found, labels = weights((32, 22, 11), (32, 42, 11))
    assert (found[29:36, 31:33] == 1).all()
    assert found[:, :28].sum() == 0
    assert found[:, 37:].sum() == 0
    assert labels.max() == 2


def test_a_narrow_gap_weighs_more_and_a_lone_object_does_not() -> None:
    apart, _ = weights((32, 20, 10), (32, 43, 10))
    assert (apart[31:34, 31:33] == 1).all()
    for radius in (3, 8, 25):
        assert weights((32, 32, radius))[0].sum() == 0
