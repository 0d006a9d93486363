"""What is exported and read again has the same pixels: levels, factors, odd sizes, crops, positions."""

import json
import math

import numpy as np
import pytest
import roifile
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.core.pixel_frame import PixelFrame
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import PlanError
from napari_s1omni.storage.regions.region import open_region
from napari_s1omni.storage.source import open_source
from napari_s1omni.storage.writers.contours import trace_labels
from napari_s1omni.storage.writers.outlines import write_outlines
from napari_s1omni.storage.writers.tiff import write_tiff

UNIT = "micrometer"


@st.composite
def crops(draw):
    """A label image of a part of a level: labels, their spec, the spec of the level, its frame, and the part."""
    full = [draw(st.integers(9, 40)) for _ in "yx"]
    k = draw(st.sampled_from([1, 2, 3, 4]))
    sizes = [max(1, draw(st.sampled_from([n // k, math.ceil(n / k)]))) for n in full]
    scale, origin = draw(st.sampled_from([0.5, 0.325])), draw(st.sampled_from([0.0, -7.25, 120.5]))
    frame = PixelFrame.of_level(dict(zip("yx", full, strict=True)), {"y": k, "x": k})
    level = LayerSpec(
        tuple(sizes),
        ("y", "x"),
        "uint16",
        scale=(scale * k,) * 2,
        translate=(origin + (k - 1) / 2 * scale,) * 2,
        units=(UNIT,) * 2,
        frame=None if k == 1 else frame,
    )
    first = [draw(st.integers(0, n - 1)) for n in sizes]
    shape = tuple(draw(st.integers(1, n - f)) for n, f in zip(sizes, first, strict=True))
    labels = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 3, shape).astype("uint32")
    labels.flat[0] = 1
    spec = LayerSpec(
        shape,
        ("y", "x"),
        "uint32",
        scale=level.scale,
        translate=tuple(t + f * s for t, f, s in zip(level.translate, first, level.scale, strict=True)),
        units=level.units,
        kind="labels",
    )
    return labels, spec, level, first, k


def masked(region, spec):
    return region.mask(0, (0, 1), (0, spec.size("y")), (0, spec.size("x")))[0]


@settings(deadline=None, max_examples=25)
@given(case=crops(), ending=st.sampled_from(["geojson", "zip", "tif"]))
def test_what_is_exported_returns_as_the_same_pixels(tmp_path_factory, case, ending):
    labels, spec, level, first, k = case
    file = tmp_path_factory.mktemp("x") / f"a.{ending}"
    if ending == "tif":
        write_tiff(file, labels, spec)
    else:
        frame = level.pixel_frame.part(dict(zip("yx", first, strict=True)))
        write_outlines(file, trace_labels(labels, spec, (16, 16)), frame, "a")
    expected = np.zeros(level.shape, bool)
    expected[tuple(slice(f, f + n) for f, n in zip(first, labels.shape, strict=True))] = labels > 0
    np.testing.assert_array_equal(masked(open_region(file, level), level), expected)
    # The same file on full resolution covers the pixels under those of the level.
    extent = tuple(level.pixel_frame.size(a) for a in "yx")
    step = level.scale[0] / k
    fine = LayerSpec(
        extent,
        ("y", "x"),
        "uint16",
        scale=(step,) * 2,
        translate=tuple(t - (k - 1) / 2 * step for t in level.translate),
        units=(UNIT,) * 2,
    )
    grown = np.zeros((extent[0] + k, extent[1] + k), bool)
    repeated = expected.repeat(k, 0).repeat(k, 1)
    grown[: repeated.shape[0], : repeated.shape[1]] = repeated
    if not grown[: extent[0], : extent[1]].any():
        return
    np.testing.assert_array_equal(masked(open_region(file, fine), fine), grown[: extent[0], : extent[1]])


def pyramid(path, shape=(37, 50), factors=(1, 2, 4), placed=True, scale=0.5):
    group = zarr.create_group(path)
    datasets = []
    for i, k in enumerate(factors):
        group.create_array(str(i), data=np.ones([-(-n // k) for n in shape], "uint16"))
        steps = [{"type": "scale", "scale": [scale * k] * 2}]
        if placed:
            steps.append({"type": "translation", "translation": [3 + (k - 1) / 2 * scale] * 2})
        datasets.append({"path": str(i), "coordinateTransformations": steps})
    axes = [{"name": a, "type": "space", "unit": UNIT} for a in "yx"]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    return path


@pytest.mark.parametrize("placed", [True, False])
def test_levels_know_their_place_in_full_resolution(tmp_path, placed):
    path = pyramid(tmp_path / "a.zarr", placed=placed)
    whole = open_source(path)
    assert whole.spec.frame is None
    for level, k in ((1, 2), (2, 4)):
        for found in (open_source(path, level=level), open_source(f"{path}/{level}")):
            frame = found.spec.pixel_frame
            assert (frame.to_full("y", 0), frame.to_full("x", 3)) == (0, 3 * k)
            assert frame.size("y") == 37
            assert found.spec.translate[0] == whole.spec.translate[0] + (k - 1) / 2 * 0.5
            assert any("same outer corner" in note for note in found.notes) == (not placed)


def test_coarser_levels_of_a_source_have_their_centre_further_in(tmp_path):
    whole = open_source(pyramid(tmp_path / "a.zarr", shape=(40, 48)))
    assert [level.spec.translate for level in whole.levels()] == [(3.25, 3.25), (3.75, 3.75)]


def test_a_shifted_level_is_believed(tmp_path):
    path = pyramid(tmp_path / "a.zarr", factors=(1, 2))
    group = zarr.open_group(path)
    ome = dict(group.attrs["ome"])
    ome["multiscales"][0]["datasets"][1]["coordinateTransformations"][1]["translation"] = [4.25, 3.25]
    group.attrs["ome"] = ome
    frame = open_source(path, level=1).spec.pixel_frame
    assert (frame.to_full("y", 0), frame.to_full("x", 0)) == (2, 0)


def test_levels_of_a_tiff_have_their_centre_further_in(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif", bigtiff=True) as writer:
        writer.write(np.ones((64, 96), "uint8"), subifds=1, tile=(32, 32), photometric="minisblack")
        writer.write(np.ones((32, 48), "uint8"), subfiletype=1, tile=(32, 32), photometric="minisblack")
    spec = open_source(tmp_path / "a.tif", level=1).spec
    assert spec.translate == (0.5, 0.5)
    assert spec.pixel_frame.to_full("x", 48) == 96


def test_outlines_beside_the_image_are_refused_in_its_pixels(tmp_path):
    spec = open_source(pyramid(tmp_path / "a.zarr"), level=1).spec
    ring = [[60, 0], [90, 0], [90, 20], [60, 20], [60, 0]]
    (tmp_path / "a.json").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    with pytest.raises(PlanError, match=r"x 60 to 90.*full resolution, x 0 to 50, y 0 to 37"):
        open_region(tmp_path / "a.json", spec)


def test_a_mask_of_full_resolution_fits_a_level(tmp_path):
    spec = open_source(pyramid(tmp_path / "a.zarr"), level=2).spec
    mask = np.zeros((37, 50), np.uint8)
    mask[8:16, 20:37] = 1
    np.save(tmp_path / "m.npy", mask)
    region = open_region(tmp_path / "m.npy", spec)
    assert region.bounds == {"y": (2, 4), "x": (5, 9)}
    assert any("full resolution" in note for note in region.notes)
    np.save(tmp_path / "small.npy", mask[:20, :20])
    with pytest.raises(PlanError, match=r"full resolution, \(37, 50\) px along yx"):
        open_region(tmp_path / "small.npy", spec)


def test_a_mask_without_a_position_is_not_put_anywhere(tmp_path):
    spec = open_source(pyramid(tmp_path / "a.zarr")).spec
    about = {"axes": "YX", "unit": "um"}
    tifffile.imwrite(tmp_path / "m.tif", np.ones((9, 9), "uint8"), imagej=True, resolution=(2, 2), metadata=about)
    with pytest.raises(PlanError, match="states its pixel size and a position"):
        open_region(tmp_path / "m.tif", spec)
    with pytest.raises(PlanError, match="states its pixel size and a position"):
        open_region(pyramid(tmp_path / "small.zarr", shape=(9, 9), placed=False), spec)
    region = open_region(pyramid(tmp_path / "placed.zarr", shape=(9, 9), factors=(1, 2)), spec)
    assert region.bounds == {"y": (0, 9), "x": (0, 9)}
    assert any("position" in note for note in region.notes)


def test_a_part_of_a_stack_is_placed_in_time_and_depth(tmp_path):
    def stack(name, shape, origin):
        group = zarr.create_group(tmp_path / name)
        group.create_array("0", data=np.ones(shape, "uint8"))
        steps = [{"type": "scale", "scale": [10, 2, 0.5, 0.5]}, {"type": "translation", "translation": origin}]
        kinds = {"t": "time", "z": "space", "y": "space", "x": "space"}
        axes = [{"name": a, "type": kind} for a, kind in kinds.items()]
        datasets = [{"path": "0", "coordinateTransformations": steps}]
        group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
        return tmp_path / name

    spec = open_source(stack("a.zarr", (4, 5, 12, 14), [0, 0, 0, 0])).spec
    region = open_region(stack("part.zarr", (1, 2, 6, 7), [20, 4, 1, 2]), spec)
    assert region.bounds == {"t": (2, 3), "z": (2, 4), "y": (2, 8), "x": (4, 11)}
    assert not region.mask(1, (0, 5), (0, 12), (0, 14)).any()
    assert region.mask(2, (0, 5), (0, 12), (0, 14)).sum() == 2 * 6 * 7
    np.save(tmp_path / "flat.npy", np.ones((12, 14), np.uint8))
    assert any("all time points and planes" in note for note in open_region(tmp_path / "flat.npy", spec).notes)


def test_planes_of_a_coarser_stack(tmp_path):
    frame = PixelFrame.of_level({"z": 9, "y": 8, "x": 8}, {"z": 2, "y": 2, "x": 2})
    labels = np.zeros((5, 4, 4), "uint32")
    labels[1, 1, 1] = labels[3, 2, 2] = 5
    spec = LayerSpec(labels.shape, tuple("zyx"), "uint32", kind="labels", frame=frame)
    write_outlines(tmp_path / "a.geojson", trace_labels(labels, spec, (1, 4, 4)), frame, "a")
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert [f["geometry"]["plane"]["z"] for f in features] == [2, 6]
    region = open_region(tmp_path / "a.geojson", spec)
    np.testing.assert_array_equal(region.mask(0, (0, 5), (0, 4), (0, 4)), labels > 0)


def test_rectangles_between_pixels(tmp_path):
    roi = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, left=2, top=3, right=9, bottom=9, version=228)
    roi.options |= roifile.ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    roi.xd, roi.yd, roi.widthd, roi.heightd = 2.75, 3.0, 6.0, 6.0
    roi.tofile(tmp_path / "a.roi")
    spec = LayerSpec((20, 20), ("y", "x"), "uint8")
    mask = masked(open_region(tmp_path / "a.roi", spec), spec)
    assert np.flatnonzero(mask.any(axis=0)).tolist() == list(range(3, 9))


def test_other_labels_have_other_ids(tmp_path):
    labels = np.ones((4, 4), "uint32")
    spec = LayerSpec(labels.shape, ("y", "x"), "uint32", kind="labels")
    ids = []
    for name, identity in (("a", "one"), ("b", "one"), ("c", "two")):
        file = tmp_path / f"{name}.geojson"
        write_outlines(file, trace_labels(labels, spec, (4, 4)), PixelFrame.whole({}), identity)
        ids.append(json.loads(file.read_text())["features"][0]["id"])
    assert ids[0] == ids[1] != ids[2]
