"""Object scaling: objects are drawn at the scale at which they have the size that the editor draws best.

The thought states the object size, so the tile is resampled to a finer or coarser grid, drawn, and resampled back.
Cellpose does the same with a measured diameter (Stringer et al., "Cellpose: a generalist algorithm for cellular
segmentation", 2021).
"""

from __future__ import annotations

import math
import re

import torch
from torch.nn import functional

from napari_s1omni.engine.s1omni.checkpoint.config import ObjectScaling


def best_scale(diameter: float, how: ObjectScaling) -> float:
    """Return the scale at which objects of `diameter` pixels come nearest to the size that is drawn best."""
    return min(how.scales, key=lambda scale: abs(math.log(scale * diameter / how.drawn)))


def drawing_size(text: str, shape: tuple[int, int], how: ObjectScaling, multiple: int, most: int) -> tuple[int, int]:
    """Return height and width, in pixels, at which a tile is drawn.

    Parameters
    ----------
    text : str
        Text of the thought.
    shape : (int, int)
        Height and width of the tile.
    how : ObjectScaling
        If the thought states no size, or zero, the tile keeps its size.
    multiple : int
        Edges are multiples of this.
    most : int
        Longest edge; a tile that would exceed it keeps its size.
    """
    found = re.search(how.stated, text)
    if found is None or not float(found[1]):
        return shape
    scale = best_scale(float(found[1]), how)
    height, width = (max(multiple, round(scale * edge / multiple) * multiple) for edge in shape)
    return (height, width) if max(height, width) <= max(most, *shape) else shape


def resize(planes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize (B, C, h, w) bilinearly, with antialiasing if it shrinks; returned as it is if it has that size."""
    if tuple(planes.shape[-2:]) == tuple(size):
        return planes
    shrinks = any(new < old for new, old in zip(size, planes.shape[-2:], strict=True))
    return functional.interpolate(planes, size, mode="bilinear", align_corners=False, antialias=shrinks)
