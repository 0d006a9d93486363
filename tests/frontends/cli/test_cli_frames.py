"""Results of a level and of a region, measured, exported and used again: all in pixels of full resolution."""

import csv
import json

import numpy as np
import pytest
import tifffile
import zarr

import napari_s1omni
from napari_s1omni.results.result import Result

LEVEL = ("--level", 1, "--prompt", "segment the discs, about 16 px", "--tile-size", 48, "--overlap", 16, "-q")


@pytest.fixture
def slide(tmp_path, discs):
    """An image of 0.5 um whose level 1 shows the discs, at 10 um in the world."""
    group = zarr.create_group(tmp_path / "slide.zarr")
    datasets = []
    for i, pixels in enumerate((discs[0].repeat(2, 0).repeat(2, 1), discs[0])):
        group.create_array(str(i), data=pixels)
        scale = 0.5 * 2**i
        steps = [
            {"type": "scale", "scale": [scale] * 2},
            {"type": "translation", "translation": [10 + (scale - 0.5) / 2] * 2},
        ]
        datasets.append({"path": str(i), "coordinateTransformations": steps})
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "yx"]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    return tmp_path / "slide.zarr"


def rows_of(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_region_of_a_level_speaks_of_the_slide(s1omni, slide, tmp_path):
    ended = s1omni("segment", slide, "part.zarr", *LEVEL, "--region", "y=32:96,x=32:96")
    assert ended.code == 0, ended.err
    result = Result.open(tmp_path / "part.zarr")
    assert any("at full resolution this one is y=64:192 x=64:192" in note for note in result.plan.notes)
    assert s1omni("measure", "part.zarr", "part.csv").code == 0
    rows, table = rows_of(tmp_path / "part.csv"), result.table()
    assert [int(row["label"]) for row in rows] == table["label"].tolist()
    for i, row in enumerate(rows):
        box = [int(row[f"bbox-{k}"]) for k in range(4)]
        pixels = np.argwhere(result.array[...] == int(row["label"])) * 2 + 64
        assert box == [*pixels.min(axis=0), *(pixels.max(axis=0) + 2)]
        for k, axis in enumerate("yx"):
            centroid = float(row[f"centroid-{k}"])
            assert centroid == pytest.approx(pixels[:, k].mean() + 0.5)
            assert float(row[f"centroid_{axis}"]) == pytest.approx(10 + 0.5 * centroid)
            assert float(row[f"centroid_{axis}"]) == table[f"centroid_{axis}"][i]
        assert (row["unit"], row["area_unit"]) == ("micrometer", "micrometer^2")
    spec = napari_s1omni.open_source(slide, level=1).spec
    expected = np.zeros(spec.shape, bool)
    expected[32:96, 32:96] = result.array[...] > 0
    for name in ("a.geojson", "a.zip", "a.tif"):
        assert s1omni("export", "part.zarr", name).code == 0
        region = napari_s1omni.open_region(tmp_path / name, spec)
        np.testing.assert_array_equal(region.mask(0, (0, 1), (0, 96), (0, 120))[0], expected)
        # What was exported is the region of another run, which then draws nothing outside.
        assert s1omni("segment", slide, f"{name}.zarr", *LEVEL, "--region", name).code == 0
        again = Result.open(tmp_path / f"{name}.zarr")
        found, grid = np.zeros(spec.shape, bool), again.plan.grid
        found[slice(*grid.y), slice(*grid.x)] = again.array[...] > 0
        assert found.any()
        assert not (found & ~expected).any()
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert 'PositionX="42.25" PositionXUnit="µm"' in tiff.ome_metadata
        assert 'PhysicalSizeX="1.0" PhysicalSizeXUnit="µm"' in tiff.ome_metadata


def test_a_result_of_a_level_without_its_place_asks_the_source(s1omni, slide, tmp_path):
    assert s1omni("segment", slide, "old.zarr", *LEVEL).code == 0
    assert s1omni("export", "old.zarr", "new.geojson").code == 0
    # As an earlier version wrote it.
    group = zarr.open_group(tmp_path / "old.zarr")
    own = dict(group.attrs["s1omni"])
    del own["plan"]["source"]["frame"]
    group.attrs["s1omni"] = own
    assert s1omni("export", "old.zarr", "old.geojson").code == 0
    assert (tmp_path / "old.geojson").read_text() == (tmp_path / "new.geojson").read_text()
    slide.rename(tmp_path / "moved.zarr")
    assert "slide.zarr" in s1omni("export", "old.zarr", "gone.geojson").sentence


def test_ids_are_those_of_one_result(s1omni, image, small, tmp_path):
    for name in ("a", "b"):
        assert s1omni("segment", image, f"{name}.zarr", *small).code == 0
        for file in (f"{name}1.geojson", f"{name}2.geojson"):
            assert s1omni("export", f"{name}.zarr", file).code == 0
    first, again, other = (
        [feature["id"] for feature in json.loads((tmp_path / f"{name}.geojson").read_text())["features"]]
        for name in ("a1", "a2", "b1")
    )
    assert first == again
    assert len({*first, *other}) == len(first) + len(other)


def test_truth_of_full_resolution_fits_a_level(s1omni, slide, discs, tmp_path):
    assert s1omni("segment", slide, "out.zarr", *LEVEL).code == 0
    np.save(tmp_path / "truth.npy", discs[1].repeat(2, 0).repeat(2, 1))
    np.save(tmp_path / "level.npy", discs[1])
    fine, level = (s1omni("evaluate", "out.zarr", "--truth", f"{n}.npy", "--json") for n in ("truth", "level"))
    assert fine.code == level.code == 0, fine.err
    assert json.loads(fine.out) == json.loads(level.out)


def test_channels_of_one_name(s1omni, discs, tmp_path):
    metadata = {"axes": "CYX", "Channel": {"Name": ["DAPI", "CD3, ä/ö", "DAPI"]}}
    image = np.stack([discs[0], discs[0] // 2, discs[0] // 4])
    tifffile.imwrite(tmp_path / "c.ome.tif", image, photometric="minisblack", metadata=metadata)
    options = ("--prompt", "segment the discs, about 16 px", "-q")
    refused = s1omni("segment", "c.ome.tif", "x.zarr", *options, "--channels", "DAPI")
    assert refused.code == 65
    assert "indices are 0, 2" in refused.sentence
    assert s1omni("segment", "c.ome.tif", "o.zarr", *options, "--channels", "DAPI-2").code == 0
    assert Result.open(tmp_path / "o.zarr").plan.groups == ((2,),)
    assert s1omni("measure", "o.zarr", "t.csv").code == 0
    means = [name for name in rows_of(tmp_path / "t.csv")[0] if name.startswith("intensity_mean")]
    assert means == ["intensity_mean-DAPI-0", "intensity_mean-CD3, ä/ö", "intensity_mean-DAPI-2"]
    assert s1omni("measure", "o.zarr", "u.csv", "--channels", '"CD3, ä/ö",2').code == 0
    means = [name for name in rows_of(tmp_path / "u.csv")[0] if name.startswith("intensity_mean")]
    assert means == ["intensity_mean-CD3, ä/ö", "intensity_mean-DAPI-2"]
    assert "indices are 0, 2" in s1omni("measure", "o.zarr", "v.csv", "--channels", "dapi").sentence
    assert not (tmp_path / "v.csv").exists()


def test_an_image_has_no_table(s1omni, image, tmp_path):
    assert s1omni("superres", image, "fine.zarr", "-q").code == 0
    refused = s1omni("measure", "fine.zarr", "t.csv")
    assert refused.code == 65
    assert "fine.zarr is an image" in refused.sentence
    assert not (tmp_path / "t.csv").exists()
    assert s1omni("export", "fine.zarr", "fine.tif").code == 0
    # Half-size pixels begin a quarter of a pixel before the centre of the first.
    with tifffile.TiffFile(tmp_path / "fine.tif") as tiff:
        assert 'PositionX="-0.25"' in tiff.ome_metadata
    assert s1omni("measure", "fine.zarr", "gone/t.csv").code == 65


def test_positions_beside_the_image_have_no_thought(s1omni, slide):
    assert s1omni("segment", slide, "out.zarr", *LEVEL).code == 0
    full = napari_s1omni.open_source(slide).spec.shape
    assert s1omni("show", "out.zarr", "--at", f"{full[0] - 1},{full[1] - 1}").code == 0
    for options in (
        ("--at", f"{full[0] + 1},5"),
        ("--at", "5,-1"),
        ("--at", "5,5", "--t", "1"),
        ("--at", "5,5", "--z", "3"),
    ):
        refused = s1omni("show", "out.zarr", *options)
        assert refused.code == 2, options
        assert "0 to" in refused.sentence
