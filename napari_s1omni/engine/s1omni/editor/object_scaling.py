"""Scaling: objects are drawn on the grid on which they are as large as the editor knows them best.

Nuclei of 8 px and of 60 px are the same nuclei seen through another objective. The thought states their size, so the
tile is drawn finer or coarser and what was drawn is brought back (as Cellpose does with a measured diameter: Stringer
et al., "Cellpose: a generalist algorithm for cellular segmentation", 2021).
"""

from __future__ import annotations

import math
import re

import torch
from torch.nn import functional

from napari_s1omni.engine.s1omni.checkpoint.config import ObjectScaling


def best_scale(diameter: float, how: ObjectScaling) -> float:
    """Choose the scale at which objects of `diameter` px come nearest to the size wanted."""
    return min(how.scales, key=lambda scale: abs(math.log(scale * diameter / how.drawn)))


def drawing_size(text: str, shape: tuple[int, int], how: ObjectScaling, multiple: int, most: int) -> tuple[int, int]:
    """Return height and width in px at which a tile is drawn.

    Parameters
    ----------
    text : str
        The thought.
    shape : (int, int)
        Of the tile.
    how : ObjectScaling
        A thought without a size, or one of zero, leaves the tile as it is.
    multiple : int
        Edges are multiples of it.
    most : int
        A tile with a longer edge is not drawn finer.
    """
    found = re.search(how.stated, text)
    if found is None or not float(found[1]):
        return shape
    scale = best_scale(float(found[1]), how)
    height, width = (max(multiple, round(scale * edge / multiple) * multiple) for edge in shape)
    return (height, width) if max(height, width) <= max(most, *shape) else shape


def resize(planes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bring (B, C, h, w) to another size, linearly, with smoothing where it shrinks; itself where it has that size."""
    if tuple(planes.shape[-2:]) == tuple(size):
        return planes
    shrinks = any(new < old for new, old in zip(size, planes.shape[-2:], strict=True))
    return functional.interpolate(planes, size, mode="bilinear", align_corners=False, antialias=shrinks)
