"""A run of a region is the region of a run of everything, to the pixel, and draws as many tiles as were forecast."""

import dataclasses
import json

import numpy as np
import pytest
from scipy import ndimage

import napari_s1omni
from napari_s1omni.errors import PlanMismatch, RunInterrupted
from napari_s1omni.execution.executors.serial import run_serial
from napari_s1omni.execution.run.events import BlockDone, RunStarted
from napari_s1omni.execution.run.watch import status
from napari_s1omni.jobs.prepare import prepare

FLAT = "synthetic://nuclei?shape=240,290&seed=5&diameter=18&dtype=uint8"
STACK = "synthetic://nuclei?shape=6,110,130&seed=5&diameter=16&dtype=uint8"
BOX = {"y": [37, 178], "x": [61, 249]}
TRIANGLE = {"type": "Polygon", "coordinates": [[[20, 10], [270, 30], [40, 220], [20, 10]]]}


def job(kind, source, region=None, output=None, **tiling):
    operation = {"type": kind}
    if kind == "segmentation":
        operation["prompt"] = "segment the nuclei, about 18 px"
    if kind == "modality_translation":
        operation["target"] = "inverted contrast"
    known = {"tile_size": 64, "overlap": 16, **tiling}
    return napari_s1omni.Job.read(
        {
            "source": source,
            "output": output and str(output),
            "operation": operation,
            "region": region,
            "tiling": known,
            "sampling": {"think": "per_tile", "seed": 3},
            "engine": "reference",
        },
        "a test",
    )


def same_objects(a, b):
    """Whether two label images are equal but for the numbers."""
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1)
    return len(pairs[0]) == len(np.unique(pairs[0])) == len(np.unique(pairs[1]))


@pytest.mark.parametrize("kind", ["segmentation", "super_resolution", "modality_translation"])
def test_a_box_is_kept_to_the_pixel(kind):
    blocks = {"block_size": 96}
    whole = napari_s1omni.run(job(kind, FLAT, **blocks), durable=False)
    part = napari_s1omni.run(job(kind, FLAT, BOX, **blocks), durable=False)
    f = part.plan.grid.factor[0]
    assert part.array.shape[-2:] == (141 * f, 188 * f)
    crop = whole.array[:][..., 37 * f : 178 * f, 61 * f : 249 * f]
    if kind == "segmentation":
        assert same_objects(crop, part.array[:])
        assert part.summary["objects"] == len(np.unique(crop[crop > 0])) == len(part.table()["label"])
    else:
        np.testing.assert_array_equal(part.array[:], crop)
    # The first pixel lies where it lies in the source.
    offset = np.array(part.spec.translate[-2:]) - whole.spec.translate[-2:]
    np.testing.assert_allclose(offset, [37, 61])


def test_a_box_of_a_volume_is_kept_to_the_voxel():
    region = {"z": [1, 5], "y": [21, 97], "x": [33, 121]}
    whole = napari_s1omni.run(job("segmentation", STACK), durable=False)
    part = napari_s1omni.run(job("segmentation", STACK, region), durable=False)
    assert part.array.shape == (4, 76, 88)
    assert same_objects(whole.array[1:5, 21:97, 33:121], part.array[:])


def test_objects_at_the_edge_of_a_polygon_are_those_of_the_whole(tmp_path):
    file = tmp_path / "triangle.geojson"
    file.write_text(json.dumps(TRIANGLE))
    whole = napari_s1omni.run(job("segmentation", FLAT), durable=False)
    part = napari_s1omni.run(job("segmentation", FLAT, {"type": "polygon", "uri": str(file)}), durable=False)
    grid = part.plan.grid
    assert (grid.y, grid.x) == ((10, 220), (20, 270))
    inside = napari_s1omni.open_region(file, part.plan.source).mask(0, (0, 1), grid.y, grid.x)[0]
    assert same_objects(np.where(inside, whole.array[slice(*grid.y), slice(*grid.x)], 0), part.array[:])
    assert part.summary["objects"] == len(np.unique(part.array[:])) - 1


def seams_of(part):
    """Seam scores of the interior cells of a result, by row and column of the lattice."""
    grid, found = part.plan.grid, part.seams[:]
    rows, cols = grid.starting_in(grid.y), grid.starting_in(grid.x)
    return {(r, c): found[i, j] for i, r in enumerate(rows) for j, c in enumerate(cols)}


def test_seams_belong_to_the_same_tiles_as_in_a_run_of_everything():
    kind = "modality_translation"
    whole = seams_of(napari_s1omni.run(job(kind, FLAT, block_size=96), durable=False))
    part = seams_of(napari_s1omni.run(job(kind, FLAT, BOX, block_size=96), durable=False))
    inner = {at: score for at, score in part.items() if at in whole and 1 < at[0] < 4 and 2 < at[1] < 5}
    assert len(inner) >= 4
    assert all(0.5 < score / whole[at] < 2 for at, score in inner.items() if whole[at])


@pytest.mark.parametrize(
    ("source", "region", "tiling"),
    [
        (FLAT, None, {}),
        (FLAT, BOX, {"block_size": 96}),
        (FLAT, "polygon", {"block_size": 96}),
        (FLAT, "mask", {}),
        (STACK, None, {}),
        (STACK, {"z": [1, 5], "y": [21, 97]}, {"block_size": 96, "depth": 2}),
        (STACK, "polygon", {"depth": 4}),
    ],
    ids=["2D", "2D box", "2D polygon", "2D mask", "3D", "3D box", "3D polygon"],
)
def test_as_many_tiles_are_run_as_were_forecast(tmp_path, source, region, tiling):
    if region == "polygon":
        (tmp_path / "roi.geojson").write_text(json.dumps(TRIANGLE))
        region = {"type": "polygon", "uri": str(tmp_path / "roi.geojson")}
    elif region == "mask":
        y, x = np.mgrid[:240, :290]
        np.save(tmp_path / "mask.npy", ((y - 120) ** 2 + (x - 150) ** 2 < 70**2).astype(np.uint8))
        region = {"type": "mask", "uri": str(tmp_path / "mask.npy")}
    wanted = job("segmentation", source, region, tmp_path / "out.zarr", **tiling)
    forecast = prepare(wanted).cost
    said = []
    result = napari_s1omni.run(wanted, durable=False, on_event=said.append)
    run = sum(record.tiles_done for record in result.records)
    seen = sum(n for record in result.records for state, n in record.tiles.items() if state != "outside")
    assert run <= seen, "tiles of more than one block count once"
    assert forecast.tiles_computed == run
    assert [event.total for event in said if isinstance(event, RunStarted)] == [run]
    now = status(tmp_path / "out.zarr")
    assert (now.tiles_done, now.tiles_total) == (run, run)
    assert forecast.tiles <= run


def earlier(plan):
    """The plan as a version made it that grew regions to whole steps and chose other blocks."""
    step, spec = plan.grid.step, plan.target
    spans = {a: (getattr(plan.grid, a)[0] // step * step, -(-getattr(plan.grid, a)[1] // step) * step) for a in "yx"}
    grid = dataclasses.replace(plan.grid, **spans, block_size=2 * step)
    shape = [spans[a][1] - spans[a][0] for a in "yx"]
    place = [t - (getattr(plan.grid, a)[0] - spans[a][0]) for a, t in zip("yx", spec.translate, strict=True)]
    return dataclasses.replace(plan, grid=grid, target=spec.replace(shape=tuple(shape), translate=tuple(place)))


def test_a_run_that_was_begun_with_other_blocks_goes_on_with_its_own(tmp_path):
    wanted = job("modality_translation", FLAT, BOX, tmp_path / "out.zarr")
    now = prepare(wanted)
    plan = earlier(now.plan)
    assert plan.grid.y == (0, 192)

    def stop(event):
        if isinstance(event, BlockDone):
            raise RunInterrupted("a test")

    with pytest.raises(RunInterrupted):
        run_serial(plan, now.source, tmp_path / "out.zarr", durable=False, on_event=stop)
    before = {record.block: record for record in napari_s1omni.Result.open(tmp_path / "out.zarr").records}
    assert 0 < len(before) < len(plan.grid)
    again = prepare(wanted).plan
    assert again.grid == plan.grid
    assert again.digest == plan.digest
    assert any("was begun" in note for note in again.notes)
    result = napari_s1omni.run(wanted, durable=False)
    assert result.complete
    assert before.items() <= {record.block: record for record in result.records}.items()
    with pytest.raises(PlanMismatch, match="block size 144 px instead of 96 px"):
        napari_s1omni.run(wanted.replace(tiling={**wanted.tiling.model_dump(), "block_size": 144}), durable=False)


def test_masks_far_from_a_region_cost_nothing(tmp_path):
    mask = np.zeros((240, 290), np.uint8)
    mask[10:40, 10:40] = mask[200:230, 250:280] = 1
    np.save(tmp_path / "mask.npy", ndimage.binary_dilation(mask).astype(np.uint8))
    forecast = prepare(job("segmentation", FLAT, {"type": "mask", "uri": str(tmp_path / "mask.npy")})).cost
    assert forecast.tiles_computed < 0.5 * prepare(job("segmentation", FLAT)).cost.tiles_computed
