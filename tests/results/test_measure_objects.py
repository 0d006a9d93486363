import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import regionprops_table

from napari_s1omni.core.pixel_frame import PixelFrame
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import JobError, PlanError, StoreError, StoreExists
from napari_s1omni.results.measured_layers import MeasuredLayers
from napari_s1omni.results.region_properties import measure_blocks, measure_objects
from napari_s1omni.results.tables import write_table, write_tables
from napari_s1omni.storage.source import open_source

SHAPE = (230, 310)


def blobs(shape, seed=0, sigma=3):
    field = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), sigma)
    labels, _ = ndimage.label(field > np.quantile(field, 0.7))
    return labels.astype("uint32")


def layer(labels, axes="yx", scale=None, **more):
    spec = LayerSpec(labels.shape, tuple(axes), "uint32", scale=scale or (1.0,) * labels.ndim, kind="labels")
    return MeasuredLayers(labels, spec, more.pop("block", (64,) * labels.ndim), **more)


@pytest.mark.parametrize("block", [(64, 64), (230, 310), (17, 101)])
def test_blocks_give_the_properties_of_skimage(block):
    labels = blobs(SHAPE)
    image = np.random.default_rng(1).integers(0, 4000, SHAPE).astype("uint16")
    found = measure_objects(layer(labels, block=block, image=open_source(image), channels=(0,)))
    names = ["area", "centroid", "bbox", "equivalent_diameter_area", "axis_major_length", "axis_minor_length"]
    names += [
        "eccentricity",
        "extent",
        "perimeter",
        "intensity_mean",
        "intensity_min",
        "intensity_max",
        "intensity_std",
    ]
    expected = regionprops_table(labels, image, properties=["label", *names])
    np.testing.assert_array_equal(found["label"], expected["label"])
    pairs = {
        "area": "area",
        "centroid_y": "centroid-0",
        "centroid_x": "centroid-1",
        "bbox_min_y": "bbox-0",
        "bbox_max_x": "bbox-3",
        **{n: n for n in names[3:]},
    }
    for ours, theirs in pairs.items():
        np.testing.assert_allclose(found[ours], expected[theirs], rtol=1e-6, atol=2e-5, err_msg=ours)


def test_touching_objects_have_the_perimeter_they_would_have_alone():
    labels = np.zeros((40, 60), "uint32")
    labels[5:30, 5:25], labels[5:30, 25:50] = 1, 2
    found = measure_objects(layer(labels, block=(16, 16)))
    expected = regionprops_table(labels, properties=["perimeter"])
    np.testing.assert_allclose(found["perimeter"], expected["perimeter"])


def test_volumes_and_units():
    labels = blobs((12, 60, 70), seed=3, sigma=2)
    scale = (2.0, 0.5, 0.5)
    spec = LayerSpec(labels.shape, tuple("zyx"), "uint32", scale=scale, translate=(10.0, 0.0, 0.0), kind="labels")
    found = measure_objects(MeasuredLayers(labels, spec, (5, 32, 32)))
    expected = regionprops_table(labels, properties=["label", "area", "centroid"])
    np.testing.assert_allclose(found["area"], expected["area"] * 0.5)
    np.testing.assert_allclose(found["centroid_z"], expected["centroid-0"] * 2 + 10)
    np.testing.assert_allclose(found["centroid_x"], expected["centroid-2"] * 0.5)
    np.testing.assert_allclose(found["equivalent_diameter_area"], (6 * expected["area"] * 0.5 / np.pi) ** (1 / 3))


def test_every_object_is_one_row_and_only_those_at_the_edge_touch_it():
    labels = blobs(SHAPE, seed=5)
    found = measure_objects(layer(labels))
    assert found["label"].tolist() == list(range(1, labels.max() + 1))
    rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    assert set(found["label"][found["touches_border"]]) == set(rim[rim > 0])


def test_interior_objects_are_not_held():
    labels = np.zeros((64, 640), "uint32")
    for i in range(10):
        labels[20:40, 64 * i + 20 : 64 * i + 40] = i + 1
    parts = list(measure_blocks(layer(labels)))
    assert [len(p["label"]) for p in parts] == [1] * 10 + [0]


def test_channels_have_their_names(tmp_path):
    labels = blobs((50, 60))
    image = np.stack([np.full((50, 60), 7), np.full((50, 60), 9)]).astype("uint8")
    found = measure_objects(layer(labels, image=open_source(image, axes="cyx"), channels=(0, 1)))
    assert set(found["intensity_mean-0"]) == {7}
    assert set(found["intensity_mean-1"]) == {9}


def test_channels_of_one_name_all_stay():
    labels = blobs((50, 60))
    names = ("DAPI", "CD3, 405 nm", "DAPI", "Kanal ä/ö")
    image = np.stack([np.full((50, 60), 7 + c) for c in range(4)]).astype("uint8")
    source = open_source(image, axes="cyx")
    source.spec = source.spec.replace(channel_names=names)
    found = measure_objects(layer(labels, image=source, channels=(0, 1, 2, 3)))
    means = {name: set(values) for name, values in found.items() if name.startswith("intensity_mean")}
    assert means == {
        "intensity_mean-DAPI-0": {7},
        "intensity_mean-CD3, 405 nm": {8},
        "intensity_mean-DAPI-2": {9},
        "intensity_mean-Kanal ä/ö": {10},
    }


def test_the_columns_of_skimage_are_in_pixels_of_the_whole_source():
    labels, whole = blobs((60, 70), seed=2), np.zeros((200, 220), "uint32")
    whole[40:160, 20:160] = labels.repeat(2, 0).repeat(2, 1)
    frame = PixelFrame.of_level({"y": 200, "x": 220}, {"y": 2, "x": 2}).part({"y": 20, "x": 10})
    spec = LayerSpec((60, 70), ("y", "x"), "uint32", scale=(3.0, 3.0), units=("micrometer",) * 2, kind="labels")
    found = measure_objects(MeasuredLayers(labels, spec, (17, 32), frame=frame))
    expected = regionprops_table(whole, properties=["label", "bbox", "centroid"])
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, err_msg=name)
        assert found[name].dtype.kind == values.dtype.kind
    for i, name in enumerate(("bbox_min_y", "bbox_min_x", "bbox_max_y", "bbox_max_x")):
        np.testing.assert_array_equal(found[name], expected[f"bbox-{i}"])
    assert set(found["pixel_frame"]) == {"source, full resolution"}


@pytest.mark.parametrize(
    ("axes", "scale", "unit", "said"),
    [
        ("yx", (0.5, 0.5), "micrometer", ("micrometer", "micrometer^2")),
        ("zyx", (2, 0.5, 0.5), "nanometer", ("nanometer", "nanometer^3")),
        ("yx", (1, 1), None, ("pixel", "pixel^2")),
        ("yx", (0.5, 0.5), None, ("unknown", "unknown^2")),
    ],
)
def test_the_table_names_its_units(axes, scale, unit, said):
    labels = blobs((4, 30, 40)[-len(axes) :])
    spec = LayerSpec(labels.shape, tuple(axes), "uint32", scale=scale, units=(unit,) * len(axes), kind="labels")
    found = measure_objects(MeasuredLayers(labels, spec, (64,) * len(axes)))
    assert {*zip(found["unit"], found["area_unit"], strict=True)} == {said}


def test_one_plane_has_areas_whatever_its_thickness():
    labels = blobs((50, 60))
    spec = LayerSpec((1, 50, 60), tuple("zyx"), "uint32", scale=(3.0, 0.5, 0.5), kind="labels")
    found = measure_objects(MeasuredLayers(labels[None], spec, (1, 20, 64)))
    expected = regionprops_table(labels, properties=["area", "perimeter", "eccentricity"], spacing=(0.5, 0.5))
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-6, err_msg=name)
    assert set(found["area_unit"]) == {"unknown^2"}


def test_a_perimeter_needs_square_pixels():
    labels = blobs((50, 60))
    same = measure_objects(layer(labels, scale=(0.5, 0.5)))
    expected = regionprops_table(labels, properties=["perimeter"], spacing=(0.5, 0.5))
    np.testing.assert_allclose(same["perimeter"], expected["perimeter"])
    assert np.isnan(measure_objects(layer(labels, scale=(0.5, 0.25)))["perimeter"]).all()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_is_written_whole_or_not_at_all(tmp_path, ending):
    pytest.importorskip("pyarrow")
    path = tmp_path / f"a.{ending}"
    path.write_text("the old table")

    def broken():
        yield from measure_blocks(layer(blobs((50, 60))))
        raise RuntimeError("the source is gone")

    with pytest.raises(RuntimeError, match="gone"):
        write_tables(broken(), path)
    assert path.read_text() == "the old table"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    with pytest.raises(StoreExists):
        write_tables(broken(), path, overwrite=False)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("gone/a.csv", StoreError, "no folder .*gone for a.csv. Make it"),
        ("folder.csv", StoreError, "is a folder"),
        ("a", JobError, "'a', without an ending"),
        ("a.xlsx", JobError, r"\.xlsx"),
    ],
)
def test_nothing_is_measured_for_a_table_that_cannot_be_written(tmp_path, name, error, words):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(error, match=words):
        write_tables((pytest.fail("measured") for _ in range(1)), tmp_path / name)


def test_csv_and_parquet_agree_with_and_without_objects(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    labels = np.zeros((64, 200), "uint32")
    labels[10:20, 150:160] = labels[40:50, 60:70] = 3
    for part in (labels, np.zeros_like(labels)):
        whole = measure_objects(layer(part))
        for ending, read in (("csv", pandas.read_csv), ("parquet", pandas.read_parquet)):
            # The first blocks hold no object that ends in them.
            write_tables(measure_blocks(layer(part)), tmp_path / f"a.{ending}")
            found = read(tmp_path / f"a.{ending}")
            assert list(found) == list(whole)
            pandas.testing.assert_frame_equal(found, pandas.DataFrame(whole), check_dtype=bool(part.any()))


def test_files(tmp_path):
    found = measure_objects(layer(blobs((50, 60))))
    write_table(found, tmp_path / "a.csv")
    rows = (tmp_path / "a.csv").read_text().splitlines()
    assert rows[0].startswith("label,t,num_pixels,area")
    assert len(rows) == len(found["label"]) + 1
    pandas = pytest.importorskip("pandas")
    write_table(found, tmp_path / "a.parquet")
    assert pandas.read_parquet(tmp_path / "a.parquet")["area"].tolist() == found["area"].tolist()
    with pytest.raises(JobError, match=r"\.csv"):
        write_table(found, tmp_path / "a.xls")


@pytest.mark.parametrize("axes", ["yx", "zyx"])
def test_no_objects_give_columns_without_rows(tmp_path, axes):
    labels = np.zeros((4, 90, 90)[-len(axes) :], "uint32")
    image = open_source(np.ones(labels.shape, "uint16"), axes=axes)
    nothing = measure_objects(layer(labels, axes, image=image, channels=(0,)))
    labels[..., 5:9, 5:9] = 1
    assert list(nothing) == list(measure_objects(layer(labels, axes, image=image, channels=(0,))))
    assert {len(values) for values in nothing.values()} == {0}
    write_table(nothing, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().startswith("label,t,num_pixels,area")
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1


def test_an_image_cannot_be_measured():
    image = LayerSpec((4, 4), ("y", "x"), "uint8")
    with pytest.raises(PlanError, match="Segment it first"):
        list(measure_blocks(MeasuredLayers(np.zeros((4, 4), "uint8"), image, (4, 4))))
