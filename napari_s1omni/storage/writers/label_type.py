"""The smallest integer type that holds the labels of a layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_s1omni.core.spec import LayerSpec

_ROWS = 512


def smallest_type(array: Any, spec: LayerSpec) -> np.dtype[Any]:
    """Return the smallest unsigned type that holds all labels; other layers keep theirs.

    Parameters
    ----------
    array : array-like
        Read once, some rows at a time.
    spec : LayerSpec
    """
    if spec.kind != "labels":
        return spec.np_dtype
    before = (slice(None),) * spec.axes.index("y")
    tops = range(0, spec.size("y"), _ROWS)
    return np.min_scalar_type(max(int(np.max(array[(*before, slice(top, top + _ROWS))])) for top in tops))
