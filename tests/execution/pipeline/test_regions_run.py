"""Runs over polygon and mask regions: pixels outside are neither read nor generated, and the result says so."""

import itertools
import json

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_s1omni.engine.registry import create_engine
from napari_s1omni.errors import PlanMismatch
from napari_s1omni.execution.executors.serial import run_serial
from napari_s1omni.jobs.options import make_job
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.planning.job import Box, Shape, read_region
from napari_s1omni.results.result import Result
from napari_s1omni.storage.source import Source
from napari_s1omni.testing.fake_engine import FakeEngine

SHAPE = (300, 340)
TRIANGLE = [[20, 10], [320, 30], [40, 280], [20, 10]]
SMALL = {"tile_size": 64, "overlap": 16, "block_size": 96, "engine": "reference", "think": "per_tile"}


@pytest.fixture
def image(tmp_path):
    rng = np.random.default_rng(0)
    tifffile.imwrite(tmp_path / "image.tif", rng.integers(1, 60000, SHAPE).astype(np.uint16))
    return tmp_path / "image.tif"


@pytest.fixture
def triangle(tmp_path):
    path = tmp_path / "triangle.geojson"
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [TRIANGLE]}))
    return path


def inside():
    """Px whose centres lie in the triangle, by the signs of three cross products."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    corners = np.array(TRIANGLE)
    signs = [(b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]) > 0 for a, b in itertools.pairwise(corners)]
    return np.logical_and.reduce(signs)


def run(path, image, operation="super_resolution", engine=None, **options):
    job, _ = make_job(operation, str(image), str(path), options={**SMALL, **options})
    prepared = prepare(job)
    engine = engine or FakeEngine()
    run_serial(prepared.plan, prepared.source, path, engine=lambda: engine, durable=False)
    return Result.open(path)


def test_outside_a_polygon_nothing_is_read_or_drawn(tmp_path, image, triangle, monkeypatch):
    reads = []
    read = Source.read

    def spy(self, box=None):
        if self.spec.shape == SHAPE and box is not None:
            reads.append(box)
        return read(self, box)

    engine = FakeEngine()
    job, _ = make_job(
        "super_resolution",
        str(image),
        str(tmp_path / "out"),
        options={**SMALL, "factor": (1, 1), "region": {"type": "polygon", "uri": str(triangle)}},
    )
    prepared = prepare(job)
    monkeypatch.setattr(Source, "read", spy)
    run_serial(prepared.plan, prepared.source, tmp_path / "out", engine=lambda: engine, durable=False)
    monkeypatch.undo()
    result = Result.open(tmp_path / "out")
    grid = result.plan.grid
    truth, found = tifffile.imread(image), result.array[:]
    mask = inside()[slice(*grid.y), slice(*grid.x)]
    np.testing.assert_array_equal(found, np.where(mask, truth[slice(*grid.y), slice(*grid.x)], 0))
    tiles = {name: sum(r.tiles.get(name, 0) for r in result.records) for name in ("drawn", "outside")}
    assert tiles["drawn"] == engine.drawn > 0
    assert result.summary["outside"] == tiles["outside"] > 10
    empty = [r for r in result.records if r.state == "empty"]
    assert empty
    assert len(reads) == len(grid) - len(empty)
    assert any("Outside the polygon" in note for note in result.plan.notes)


def test_a_mask_region_gives_the_same_as_the_polygon(tmp_path, image, triangle):
    tifffile.imwrite(tmp_path / "mask.tif", inside().astype(np.uint8))
    by_polygon = run(tmp_path / "a", image, region=read_region(str(triangle)).model_dump())
    by_mask = run(tmp_path / "b", image, region=read_region(str(tmp_path / "mask.tif")).model_dump())
    # No pixel has its centre in the last column of the polygon, which ends in a sharp vertex.
    np.testing.assert_array_equal(by_polygon.array[:, :-2], by_mask.array[:])
    assert not by_polygon.array[:, -2:].any()
    mask = inside()[slice(*by_mask.plan.grid.y), slice(*by_mask.plan.grid.x)]
    np.testing.assert_array_equal(by_mask.array[:] > 0, mask.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("think", ["per_tile", "per_region", "once"])
def test_a_polygon_is_drawn_as_a_run_of_everything_draws_it(tmp_path, triangle, think):
    """Thoughts for several tiles look at all of these, in the region or not: else a px would depend on the region."""
    rng = np.random.default_rng(0)
    rough = ndimage.gaussian_filter(rng.random(SHAPE), 2) * 1e5 + rng.normal(0, 900, SHAPE) * np.linspace(0, 1, 340)
    tifffile.imwrite(tmp_path / "rough.tif", rough.clip(0, 65535).astype(np.uint16))
    options = {"engine": create_engine("reference"), "think": think, "region_tiles": 3}
    whole = run(tmp_path / "a", tmp_path / "rough.tif", **options)
    part = run(tmp_path / "b", tmp_path / "rough.tif", region=read_region(str(triangle)).model_dump(), **options)
    assert set(part.thoughts) <= set(whole.thoughts)
    assert all(thought.text == whole.thoughts[key].text for key, thought in part.thoughts.items())
    assert think == "once" or len(part.thoughts) < len(whole.thoughts)
    y, x = (slice(2 * first, 2 * last) for first, last in (part.plan.grid.y, part.plan.grid.x))
    mask = inside()[slice(*part.plan.grid.y), slice(*part.plan.grid.x)].repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(part.array[:], np.where(mask, whole.array[y, x], 0))


def test_labels_are_cut_at_the_region_and_counted_inside_it(tmp_path, triangle):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    discs = (y % 30 - 15) ** 2 + (x % 34 - 17) ** 2 <= 64
    tifffile.imwrite(tmp_path / "discs.tif", (discs * 60000).astype(np.uint16))
    region = {"type": "polygon", "uri": str(triangle)}
    result = run(tmp_path / "out", tmp_path / "discs.tif", "segmentation", prompt="discs of about 16 px", region=region)
    grid = result.plan.grid
    found = result.array[:]
    names = (y // 30 * 100 + x // 34 + 1) * (discs & inside())
    cut = names[slice(*grid.y), slice(*grid.x)]
    assert (found[cut == 0] == 0).all()
    seen = [np.unique(found[(cut == n) & (found > 0)]) for n in np.unique(cut[cut > 0]) if (cut == n).sum() > 150]
    assert len(seen) > 20
    assert all(len(ids) == 1 for ids in seen)
    assert result.summary["objects"] == len(np.unique(found[found > 0]))


def test_the_content_of_a_region_belongs_to_the_plan_not_its_place(tmp_path, image, triangle):
    run(tmp_path / "out", image, region=read_region(str(triangle)).model_dump())
    moved = triangle.rename(tmp_path / "moved.geojson")
    engine = FakeEngine()
    run(tmp_path / "out", image, engine=engine, region=read_region(str(moved)).model_dump())
    assert engine.drawn == 0
    moved.write_text(json.dumps({"type": "Polygon", "coordinates": [[*TRIANGLE[:2], [50, 280], TRIANGLE[0]]]}))
    with pytest.raises(PlanMismatch, match="region in a file"):
        run(tmp_path / "out", image, region=read_region(str(moved)).model_dump())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0:512,128:640", Box(y=(0, 512), x=(128, 640))),
        ("z=3:5, y=0:20", Box(z=(3, 5), y=(0, 20))),
        ("roi.zip", "polygon"),
        ("b.GeoJSON", "polygon"),
        ("mask.tif", "mask"),
    ],
)
def test_a_region_in_one_line(text, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("roi.zip", "b.GeoJSON", "mask.tif"):
        (tmp_path / name).touch()
    if isinstance(expected, str):
        expected = Shape(type=expected, uri=str(tmp_path / text))
    assert read_region(text) == expected
    job, _ = make_job("segmentation", "a.tif", "out", options={"region": text})
    assert job.region == expected
