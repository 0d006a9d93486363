"""Object scaling: objects are drawn at the scale at which they have the size that the editor draws best.

The thought states the object size, so the tile is resampled to a finer or coarser grid, drawn, and resampled back.
Where the drawn objects turn out to have another size, the tile is drawn a second time, at the scale that they need.
Cellpose does the same with a measured diameter (Stringer et al., "Cellpose: a generalist algorithm for cellular
segmentation", 2021).
"""

from __future__ import annotations

import math
import re

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn import functional

from napari_s1omni.engine.s1omni.checkpoint.config import ObjectScaling

_LEAST_OBJECTS = 4
"""Objects of a tile from which a size is measured."""
_SPECK = 9
"""Interiors of fewer pixels are left out of the measurement."""


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
    return _size_for(stated_diameter(text, how), shape, how, multiple, most)


def second_drawing_size(
    fields: NDArray[np.float32], text: str, shape: tuple[int, int], how: ObjectScaling, multiple: int, most: int
) -> tuple[int, int] | None:
    """Return the size at which a tile is drawn again, or None if its drawn objects have about the stated size.

    Parameters
    ----------
    fields : float32 (C, H, W)
        The drawn tile: foreground and interior in its first two planes, 0 to 1.
    text, shape, how, multiple, most
        As for :func:`drawing_size`.
    """
    stated, drawn = stated_diameter(text, how), measured_diameter(fields)
    if how.second_drawing is None or not stated or not drawn:
        return None
    if max(drawn / stated, stated / drawn) <= how.second_drawing:
        return None
    size = _size_for(drawn, shape, how, multiple, most)
    return None if size == _size_for(stated, shape, how, multiple, most) else size


def stated_diameter(text: str, how: ObjectScaling) -> float:
    """Return the object diameter that a thought states, in pixels; 0 if it states none."""
    found = re.search(how.stated, text)
    return 0.0 if found is None else float(found[1])


def measured_diameter(fields: NDArray[np.float32]) -> float | None:
    """Return the median diameter of drawn objects in pixels; None if there are too few.

    Objects are counted by their interiors, which do not touch. An object has the area of its interior times the share
    of foreground to interior in the tile.

    Parameters
    ----------
    fields : float32 (C, H, W)
        Foreground and interior in the first two planes, 0 to 1.
    """
    foreground, interior = fields[0] >= 0.5, fields[1] >= 0.5
    parts, _ = ndimage.label(interior)
    areas = np.bincount(parts.ravel())[1:]
    areas = areas[areas >= _SPECK]
    if len(areas) < _LEAST_OBJECTS:
        return None
    area = float(np.median(areas)) * np.count_nonzero(foreground) / np.count_nonzero(interior)
    return 2 * math.sqrt(area / math.pi)


def _size_for(diameter: float, shape: tuple[int, int], how: ObjectScaling, multiple: int, most: int) -> tuple[int, int]:
    """Return the size at which objects of a diameter are drawn; `shape` for a diameter of 0."""
    if not diameter:
        return shape
    scale = best_scale(diameter, how)
    height, width = (max(multiple, round(scale * edge / multiple) * multiple) for edge in shape)
    return (height, width) if max(height, width) <= max(most, *shape) else shape


def resize(planes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize (B, C, h, w) bilinearly, with antialiasing if it shrinks; returned as it is if it has that size."""
    if tuple(planes.shape[-2:]) == tuple(size):
        return planes
    shrinks = any(new < old for new, old in zip(size, planes.shape[-2:], strict=True))
    return functional.interpolate(planes, size, mode="bilinear", align_corners=False, antialias=shrinks)
