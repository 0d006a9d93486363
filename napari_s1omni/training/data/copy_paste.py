"""Crowding: objects of a tile laid beside others, so that they touch and the border between them is known.

People draw the border between two nuclei that touch only roughly, and few nuclei do. Copies of real ones give as many
as wanted (after Ghiasi et al., "Simple copy-paste is a strong data augmentation method for instance segmentation",
2021). What a copy adds to the background is added, as light of two objects adds up.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.training.data.resampling import Image
from napari_s1omni.training.data.shapes import relative_border_distance

_HALO = 4
"""Px around an object that are copied with it."""
_HIDDEN = 0.12
"""Largest share of an object that copies may hide, and of a copy that may be hidden."""


def copy_paste(
    image: Image, labels: NDArray[np.uint16], distance: Image, rng: np.random.Generator
) -> tuple[Image, NDArray[np.uint16], Image]:
    """Lay turned copies of a tile's whole objects beside others.

    Parameters
    ----------
    image : float32 (C, n, n), model range
    labels : uint16 (n, n)
    distance : float32 (n, n)
        Distance to the border of its object over the largest in that object.
    rng : numpy Generator

    Returns
    -------
    image, labels, distance
        Of the same shapes; themselves where no object is whole.
    """
    cuts = ndi.find_objects(labels)
    whole = [i + 1 for i, cut in enumerate(cuts) if cut is not None and _inside(cut, labels.shape)]
    if not whole or not (labels == 0).any():
        return image, labels, distance
    background = np.median(image[:, labels == 0], axis=1)[:, None, None]
    area = np.bincount(labels.ravel()).tolist()
    new = (image.copy(), labels.copy(), distance.copy())
    for _ in range(int(rng.integers(1, 2 + len(whole)))):
        chosen, host = (int(v) for v in rng.choice(whole, 2))
        box = tuple(slice(s.start - _HALO, s.stop + _HALO) for s in cuts[chosen - 1])
        turn, angle = int(rng.integers(4)), rng.uniform(0, 2 * math.pi)
        copied = (image[:, *box] - background, labels[box] == chosen, distance[box])
        parts = [np.rot90(part, turn, (-2, -1)) for part in copied]
        far = rng.uniform(0.85, 1.1) * sum(math.sqrt(area[i] / math.pi) for i in (chosen, host))
        y, x = ((s.start + s.stop) / 2 for s in cuts[host - 1])
        centre = (y + far * math.sin(angle), x + far * math.cos(angle))
        _lay(new, area, parts, centre, over=rng.random() < 0.5)
    # The distance falls off towards the new borders.
    return new[0], new[1], np.minimum(new[2], relative_border_distance(new[1]))


def _inside(cut: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    """Whether an object and the px around it are whole."""
    return all(s.start >= _HALO and s.stop <= edge - _HALO for s, edge in zip(cut, shape, strict=True))


def _lay(planes: tuple[Any, ...], area: list[int], parts: list[Any], centre: tuple[float, float], over: bool) -> None:
    """Lay one copy at `centre`, over what is there or under it, in place; not where too much would be hidden.

    `area` holds the px of each object when nothing hid it, and gets those of the copy.
    """
    image, labels, distance = planes
    light, shape, share = parts
    corner = [round(c - edge / 2) for c, edge in zip(centre, shape.shape, strict=True)]
    if any(c < 0 or c + edge > n for c, edge, n in zip(corner, shape.shape, labels.shape, strict=True)):
        return
    at = tuple(slice(c, c + edge) for c, edge in zip(corner, shape.shape, strict=True))
    there = labels[at]
    hidden = np.bincount(there[shape], minlength=len(area))
    left = np.bincount(labels.ravel(), minlength=len(area)) - hidden
    too_much = left[1:] < (1 - _HIDDEN) * np.asarray(area[1:])
    if hidden[1:].sum() > _HIDDEN * shape.sum() or (too_much & (hidden[1:] > 0)).any():
        return
    soft = ndi.gaussian_filter(ndi.binary_dilation(shape).astype(np.float32), 1)
    image[:, *at] += soft * light
    seen = shape if over else shape & (there == 0)
    there[seen] = len(area)
    area.append(int(shape.sum()))
    distance[at][seen] = share[seen]
