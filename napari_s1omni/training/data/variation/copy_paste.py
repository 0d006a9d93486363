"""Copy-paste augmentation: copies of objects are pasted beside others, so that they touch at a known border.

Annotators draw the border between touching nuclei only roughly, and few nuclei touch. Copies of real ones give as many
touching pairs as needed (after Ghiasi et al., "Simple copy-paste is a strong data augmentation method for instance
segmentation", 2021). The light that a copy adds to the background is added to the image, as fluorescence adds up.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.training.data.resampling import Image
from napari_s1omni.training.data.simulation.shapes import relative_border_distance

_MARGIN = 4
"""Pixels around an object that are copied with it."""
_MAX_HIDDEN = 0.12
"""Largest share of an object that copies may hide, and of a copy that may be hidden."""


def copy_paste(
    image: Image, labels: NDArray[np.uint16], distance: Image, rng: np.random.Generator
) -> tuple[Image, NDArray[np.uint16], Image]:
    """Paste rotated copies of a tile's whole objects beside others.

    Parameters
    ----------
    image : float32 (C, n, n), model range
    labels : uint16 (n, n)
    distance : float32 (n, n)
        Distance to the border of the object, relative to its maximum in the object.
    rng : numpy.random.Generator

    Returns
    -------
    image, labels, distance
        New arrays of the same shapes; the given ones if no object is whole.
    """
    boxes = ndi.find_objects(labels)
    whole = [i + 1 for i, box in enumerate(boxes) if box is not None and _is_whole(box, labels.shape)]
    if not whole or not (labels == 0).any():
        return image, labels, distance
    background = np.median(image[:, labels == 0], axis=1)[:, None, None]
    area = np.bincount(labels.ravel()).tolist()
    new = (image.copy(), labels.copy(), distance.copy())
    for _ in range(int(rng.integers(1, 2 + len(whole)))):
        chosen, host = (int(v) for v in rng.choice(whole, 2))
        box = tuple(slice(s.start - _MARGIN, s.stop + _MARGIN) for s in boxes[chosen - 1])
        turns, angle = int(rng.integers(4)), rng.uniform(0, 2 * math.pi)
        copied = (image[:, *box] - background, labels[box] == chosen, distance[box])
        parts = [np.rot90(part, turns, (-2, -1)) for part in copied]
        apart = rng.uniform(0.85, 1.1) * sum(math.sqrt(area[i] / math.pi) for i in (chosen, host))
        y, x = ((s.start + s.stop) / 2 for s in boxes[host - 1])
        centre = (y + apart * math.sin(angle), x + apart * math.cos(angle))
        _paste(new, area, parts, centre, over=rng.random() < 0.5)
    # The distance also falls off towards the new borders.
    return new[0], new[1], np.minimum(new[2], relative_border_distance(new[1]))


def _is_whole(box: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    """Whether an object and its margin lie inside the tile."""
    return all(s.start >= _MARGIN and s.stop <= edge - _MARGIN for s, edge in zip(box, shape, strict=True))


def _paste(planes: tuple[Any, ...], area: list[int], parts: list[Any], centre: tuple[float, float], over: bool) -> None:
    """Paste one copy at `centre`, over or under other objects, in place; skip it if too much would be hidden.

    `area` holds the area of each object without occlusion; that of the copy is appended.
    """
    image, labels, distance = planes
    light, shape, share = parts
    corner = [round(c - edge / 2) for c, edge in zip(centre, shape.shape, strict=True)]
    if any(c < 0 or c + edge > n for c, edge, n in zip(corner, shape.shape, labels.shape, strict=True)):
        return
    box = tuple(slice(c, c + edge) for c, edge in zip(corner, shape.shape, strict=True))
    there = labels[box]
    hidden = np.bincount(there[shape], minlength=len(area))
    left = np.bincount(labels.ravel(), minlength=len(area)) - hidden
    too_much = left[1:] < (1 - _MAX_HIDDEN) * np.asarray(area[1:])
    if hidden[1:].sum() > _MAX_HIDDEN * shape.sum() or (too_much & (hidden[1:] > 0)).any():
        return
    soft = ndi.gaussian_filter(ndi.binary_dilation(shape).astype(np.float32), 1)
    image[:, *box] += soft * light
    visible = shape if over else shape & (there == 0)
    there[visible] = len(area)
    area.append(int(shape.sum()))
    distance[box][visible] = share[visible]
