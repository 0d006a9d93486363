"""OME-TIFF as it is written: the pyramid, and the smallest type that holds the labels."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.storage.source import open_source
from napari_s1omni.storage.writers.tiff import write_tiff

UM = ("micrometer",)


def labels_of(highest, shape=(1100, 700)):
    labels = np.zeros(shape, np.uint32)
    labels[..., 3:90, 5:200] = 1
    labels[..., 500:1100, 300:700] = highest
    return labels


@pytest.mark.parametrize(
    ("highest", "dtype"), [(255, "uint8"), (256, "uint16"), (65_535, "uint16"), (65_536, "uint32")]
)
def test_labels_take_the_smallest_type_that_holds_them(tmp_path, highest, dtype):
    labels = labels_of(highest)
    spec = LayerSpec(labels.shape, ("y", "x"), "uint32", scale=(0.5, 0.5), units=UM * 2, kind="labels")
    write_tiff(tmp_path / "a.tif", labels, spec)
    found = tifffile.imread(tmp_path / "a.tif")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize(("axes", "shape"), [("yx", (1100, 700)), ("czyx", (2, 3, 1100, 700))])
def test_coarser_levels_are_a_pyramid_that_is_read_back(tmp_path, axes, shape):
    labels = labels_of(7, shape)
    spec = LayerSpec(shape, tuple(axes), "uint32", scale=(0.5,) * len(axes), units=UM * len(axes), kind="labels")
    levels = [labels[..., ::2, ::2], labels[..., ::4, ::4]]
    write_tiff(tmp_path / "a.ome.tif", labels, spec, coarser=levels)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        assert [level.shape for level in tiff.series[0].levels] == [labels.shape, *(level.shape for level in levels)]
        assert tiff.pages.first.is_tiled
    source = open_source(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(source.read(), labels)
    for found, level in zip(source.levels(), levels, strict=True):
        np.testing.assert_array_equal(found.read(), level)
        assert found.spec.scale_of("x") == pytest.approx(0.5 * labels.shape[-1] / level.shape[-1])


def test_colours_keep_their_pyramid(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (3, 600, 520), np.uint8)
    spec = LayerSpec(picture.shape, ("c", "y", "x"), "uint8", scale=(1, 0.25, 0.25), units=(None, *UM * 2), rgb=True)
    write_tiff(tmp_path / "a.ome.tif", picture, spec, coarser=[picture[:, ::2, ::2]])
    source = open_source(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(source.read(), picture)
    np.testing.assert_array_equal(source.levels()[0].read(), picture[:, ::2, ::2])
