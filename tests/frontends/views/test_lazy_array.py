"""Arrays that read on demand answer like NumPy arrays."""

import numpy as np
import pytest

from napari_s1omni.frontends.napari_layers.source_array import SourceArray
from napari_s1omni.frontends.views.lazy_array import LazyArray, bounds
from napari_s1omni.storage.source import open_source

PIXELS = np.random.default_rng(0).integers(0, 255, (3, 40, 50)).astype(np.uint8)
KEYS = {
    "plane": 1,
    "last plane": -1,
    "row": (0, 7),
    "box": (slice(0, 2), slice(5, 30), slice(-20, None)),
    "steps": (slice(None, None, 2), slice(3, 37, 5), slice(1, None, 4)),
    "backwards": (0, slice(None, None, -1), slice(30, 2, -3)),
    "ellipsis": (Ellipsis, slice(4, 9)),
    "after ellipsis": (1, Ellipsis, 4),
    "empty": (slice(2, 2), slice(0, 5), 3),
    "outside": (slice(None), slice(100, 200)),
    "whole": Ellipsis,
}


class Recorded(LazyArray):
    """Reads boxes of an array, as a store does."""

    def read(self, ranges):
        box = PIXELS[tuple(bounds(r) for r in ranges)]
        return box[tuple(slice(None, None, r.step) for r in ranges)]


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_indexing_is_that_of_numpy(key):
    lazy = Recorded(PIXELS.shape, PIXELS.dtype)
    assert np.array_equal(lazy[key], PIXELS[key])
    assert lazy[key].shape == PIXELS[key].shape


def test_an_index_outside_is_an_error():
    with pytest.raises(IndexError):
        Recorded(PIXELS.shape, PIXELS.dtype)[3]


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("factor", [1, 3])
def test_a_source_is_indexed_like_its_pixels(key, factor, monkeypatch):
    # Small levels are read once; here every index reads.
    monkeypatch.setattr("napari_s1omni.frontends.napari_layers.source_array._KEPT", 0)
    expected = PIXELS[:, ::factor, ::factor]
    lazy = SourceArray(open_source(PIXELS, axes="zyx"), factor)
    assert lazy.shape == expected.shape
    assert np.array_equal(lazy[key], expected[key])
