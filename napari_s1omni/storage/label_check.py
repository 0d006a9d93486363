"""Whether the numbers of an image are ids of objects rather than intensities, seen from the pixels."""

from __future__ import annotations

import numpy as np

from napari_s1omni.storage.chunk_sample import sample_chunks, shrink_box
from napari_s1omni.storage.source import Source

_CHUNKS = 8
_BYTES = 2**20
"""Most bytes that are read of one chunk."""
_EQUAL = 0.95
"""Share of neighbours with equal numbers from which areas count as flat; noise alone leaves far fewer."""
_LEAST = 20
"""Fewest pairs of neighbours that decide."""


def looks_like_labels(source: Source) -> bool:
    """Return whether whole numbers form flat areas beside the background; reads at most 8 MB.

    Parameters
    ----------
    source : Source
        An image. Colours never look like labels, nor do floats that are not all whole numbers.
    """
    spec = source.spec
    if spec.np_dtype.kind not in "iuf" or spec.rgb:
        return False
    pairs = equal = 0
    for box in sample_chunks(spec, source.chunks, _CHUNKS):
        pixels = source.read(shrink_box(spec, box, _BYTES))
        if pixels.dtype.kind == "f":
            pixels = pixels.astype(np.float64)
            pixels[~np.isfinite(pixels)] = 0
            if not np.array_equal(pixels, np.rint(pixels)):
                return False
        values, counts = np.unique(pixels, return_counts=True)
        # Saturated or empty background is flat in any image.
        seen = pixels != values[np.argmax(counts)]
        both = seen[..., 1:] & seen[..., :-1]
        pairs += int(both.sum())
        equal += int((both & (pixels[..., 1:] == pixels[..., :-1])).sum())
    return pairs >= _LEAST and equal >= _EQUAL * pairs
