"""Real images segmented in blocks give the table and the outlines of the whole image."""

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import roifile
import tifffile
from skimage.data import coins
from skimage.draw import polygon2mask
from skimage.measure import regionprops_table

from napari_s1omni.api import segment
from napari_s1omni.core.pixel_frame import PixelFrame
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.results.measured_layers import MeasuredLayers
from napari_s1omni.results.region_properties import measure_objects
from napari_s1omni.storage.source import open_source
from napari_s1omni.storage.writers.contours import trace_labels
from napari_s1omni.storage.writers.outlines import write_outlines

DATA = Path(os.environ.get("S1OMNI_DATA", Path(__file__).parents[3] / "shared" / "data"))
SHAPE = ["area", "equivalent_diameter_area", "axis_major_length", "axis_minor_length", "eccentricity", "orientation"]
FRAME = PixelFrame.whole({})
BRIGHT = ["intensity_mean", "intensity_std", "intensity_min", "intensity_max"]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Coins of a known pixel size, segmented in twelve blocks."""
    return segment(
        coins(),
        tmp_path_factory.mktemp("real") / "coins.zarr",
        prompt="segment the coins, about 45 px",
        tile_size=128,
        overlap=32,
        block_size=96,
        scale=(0.5, 0.25),
        units="um",
        durable=False,
    )


def same(found, expected, pairs):
    np.testing.assert_array_equal(found["label"], expected["label"])
    for ours, theirs in pairs.items():
        np.testing.assert_allclose(found[ours], expected[theirs], rtol=1e-6, atol=2e-5, err_msg=ours)


def test_the_table_of_a_real_result_matches_skimage(result):
    assert len(result.plan.grid) >= 12
    labels, found = result.array[:], result.table(open_source(coins()))
    assert len(found["label"]) > 20
    names = ["label", *SHAPE, *BRIGHT, "centroid", "bbox", "extent", "num_pixels"]
    expected = regionprops_table(labels, coins(), properties=names, spacing=(0.5, 0.25))
    places = {"centroid_y": "centroid-0", "centroid_x": "centroid-1", "bbox_min_y": "bbox-0", "bbox_max_x": "bbox-3"}
    same(found, expected, {**{n: n for n in (*SHAPE, *BRIGHT, "num_pixels")}, **places})
    box = (expected["bbox-2"] - expected["bbox-0"]) * (expected["bbox-3"] - expected["bbox-1"])
    np.testing.assert_allclose(found["extent"], expected["num_pixels"] / box)
    assert set(found) == {
        *("label", "t", *names[1:11], "extent", "num_pixels", "perimeter", "touches_border", "uncertain"),
        *("centroid_y", "centroid_x", "bbox_min_y", "bbox_max_y", "bbox_min_x", "bbox_max_x"),
        *("centroid-0", "centroid-1", "bbox-0", "bbox-1", "bbox-2", "bbox-3", "unit", "area_unit", "pixel_frame"),
    }
    rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    assert set(found["label"][found["touches_border"]]) == set(rim[rim > 0])
    doubted = {int(row[name]) for row in result.uncertain_joins for name in ("label", "other")}
    assert set(found["label"][found["uncertain"]]) == doubted


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no folder of real images at {DATA}; set S1OMNI_DATA")
def test_annotated_nuclei_in_two_channels_and_in_a_volume():
    image = tifffile.imread(DATA / "seg3d" / "qcanet_mouse_embryo" / "images" / "8_cell_stage.tif")
    truth = tifffile.imread(DATA / "seg3d" / "qcanet_mouse_embryo" / "masks" / "8_cell_stage_ndn.tif")
    truth = truth.astype(np.uint32)
    scale = (2.0, 0.8, 0.8)
    both = np.stack([image, image[::-1]])
    source = open_source(both, axes="czyx")
    spec = LayerSpec(truth.shape, tuple("zyx"), "uint32", scale=scale, kind="labels")
    found = measure_objects(MeasuredLayers(truth, spec, (10, 50, 64), source, channels=(0, 1)))
    names = ["label", "area", "centroid", "bbox", "equivalent_diameter_area", *BRIGHT]
    for channel, pixels in enumerate(both):
        expected = regionprops_table(truth, pixels, properties=names, spacing=scale)
        pairs = {"area": "area", "equivalent_diameter_area": "equivalent_diameter_area"}
        pairs |= {f"centroid_{a}": f"centroid-{i}" for i, a in enumerate("zyx")}
        pairs |= {f"bbox_min_{a}": f"bbox-{i}" for i, a in enumerate("zyx")}
        same(found, expected, pairs | {f"{name}-{channel}": name for name in BRIGHT})


def test_outlines_of_a_real_result_open_in_qupath_and_imagej(result, tmp_path):
    labels, spec = result.array[:], result.spec
    objects = list(trace_labels(result.array, spec, (96, 96)))
    assert write_outlines(tmp_path / "a.geojson", objects, FRAME, "a") == len(objects) >= labels.max()
    page = json.loads((tmp_path / "a.geojson").read_text())
    assert page["type"] == "FeatureCollection"
    assert {f["properties"]["objectType"] for f in page["features"]} == {"detection"}
    assert {f["geometry"]["type"] for f in page["features"]} <= {"Polygon", "MultiPolygon"}
    assert len({f["id"] for f in page["features"]}) == len(objects)
    write_outlines(tmp_path / "a.zip", objects, FRAME, "a")
    rois = roifile.roiread(tmp_path / "a.zip")
    names = zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert len(rois) == len(names) == len(objects)
    for roi in rois:
        label = int(roi.name.partition("-")[0])
        mask = labels == label
        if roi.roitype == roifile.ROI_TYPE.TRACED:
            # The corners of pixels lie half a pixel from their centres.
            again = polygon2mask(labels.shape, roi.coordinates()[:, ::-1] - 0.5)
            np.testing.assert_array_equal(again, mask)
        rows, cols = np.nonzero(mask)
        assert (roi.top, roi.left, roi.bottom, roi.right) == (rows.min(), cols.min(), rows.max() + 1, cols.max() + 1)
        assert (roi.z_position, roi.t_position) == (1, 1)
