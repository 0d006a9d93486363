"""Quality maps of a result: confidence, seams and holes."""

import numpy as np
import pytest

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.execution.executors.serial import run_serial
from napari_s1omni.execution.redo.redo import all_failed_tiles, begin_redo
from napari_s1omni.jobs.options import make_job
from napari_s1omni.planning.resolve import resolve
from napari_s1omni.results.result import Result
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.source import open_source
from napari_s1omni.testing.fake_engine import FakeEngine

ONE = Normalization((0.0,), (1.0,))
SMALL = {"tile_size": 32, "overlap": 8, "block_size": 48, "prompt": "discs of about 10 px"}


class Sharp(FakeEngine):
    """Draws an image brighter in every second tile, so that joins can be seen."""

    def generate(self, images, thoughts, sampling, noise):
        drawn = super().generate(images, thoughts, sampling, noise)
        for image, field in zip(drawn, noise, strict=True):
            image += 5 * (sum(field.origin) // 24 % 2)
        return drawn


def run(path, image, operation="segmentation", engine=None, **options):
    engine = engine or FakeEngine()
    job, array = make_job(operation, image.astype(np.float32), path, options={**SMALL, **options})
    source = open_source(array)
    plan = resolve(job, source.spec, ONE, engine.description, source.fingerprint())
    run_serial(plan, source, path, engine=lambda: engine, durable=False)
    return Result.open(path)


@pytest.fixture
def image():
    y, x = np.mgrid[:100, :120]
    return ((y % 20 - 10) ** 2 + (x % 20 - 10) ** 2 <= 25) * 0.9 + 0.01 * np.random.default_rng(0).random((100, 120))


def test_confidence_is_sure_where_the_engine_is(tmp_path, image):
    result = run(tmp_path / "out", image)
    confidence = result.confidence[:]
    assert confidence.shape == result.array.shape
    assert confidence.dtype == np.uint8
    # The fake engine draws foreground as 0 or 1, so nothing but ramps could be undecided, and they agree.
    assert (confidence == 255).all()


def test_a_hole_is_listed_and_has_no_confidence(tmp_path, image):
    image[60, 70] = 7.0
    result = run(tmp_path / "out", image, engine=FakeEngine(poison=7.0))
    holes = {hole.tile for hole in result.holes}
    grid = result.plan.grid
    assert holes == {(r, c) for r in grid.tile_rows((60, 61)) for c in grid.tile_cols((70, 71))}
    assert len(result.holes) == len(holes)
    hole = result.holes[0]
    assert "poisoned" in hole.reason
    assert not result.confidence[slice(*hole.y), slice(*hole.x)].any()
    assert result.confidence[0, 0] == 255
    expected = np.zeros(result.array.shape, np.uint8)
    for hole in result.holes:
        expected[slice(*hole.y), slice(*hole.x)] = 1
    np.testing.assert_array_equal(result.hole_mask[:], expected)


def files_of(result, name):
    return [p for p in (result.path / ".s1omni" / "quality" / name).rglob("*") if p.is_file() and p.name != "zarr.json"]


@pytest.mark.parametrize("operation", ["segmentation", "super_resolution"])
def test_without_failures_the_map_of_holes_is_its_metadata(tmp_path, image, operation):
    result = run(tmp_path / "out", image, operation)
    assert result.hole_mask.shape == result.array.shape
    assert not result.hole_mask[:].any()
    assert files_of(result, "holes") == []


def test_holes_of_a_volume_are_in_their_plane_and_of_an_image_in_its_px(tmp_path, image):
    stack = np.stack([image] * 3)
    stack[1, 60, 70] = 7.0
    result = run(tmp_path / "a", stack, engine=FakeEngine(poison=7.0))
    assert result.hole_mask[:].any(axis=(1, 2)).tolist() == [False, True, False]
    assert len(files_of(result, "holes")) < len(result.plan.grid)
    image[60, 70] = 7.0
    doubled = run(tmp_path / "b", image, "super_resolution", FakeEngine(poison=7.0))
    hole = doubled.holes[0]
    assert doubled.hole_mask.shape == (200, 240)
    assert doubled.hole_mask[slice(*hole.y), slice(*hole.x)].all()
    assert not doubled.array[120, 140]


def test_a_hole_that_is_drawn_again_leaves_the_map(tmp_path, image):
    image[60, 70] = 7.0
    result = run(tmp_path / "out", image, engine=FakeEngine(poison=7.0))
    assert files_of(result, "holes")
    plan = result.plan
    begin_redo(plan, tmp_path / "out", all_failed_tiles(plan, ResultStore.open(tmp_path / "out")), plan.sampling)
    run_serial(plan, open_source(image.astype(np.float32)), tmp_path / "out", engine=FakeEngine, durable=False)
    assert Result.open(tmp_path / "out").holes == []
    assert files_of(result, "holes") == []


@pytest.mark.parametrize("name", ["confidence", "seams", "holes"])
@pytest.mark.parametrize("fault", ["flipped", "gone"])
def test_verify_makes_damaged_maps_again(tmp_path, image, name, fault):
    image[60, 70] = 7.0
    engine = FakeEngine(poison=7.0)
    result = run(tmp_path / "out", image, engine=engine)
    before = {part: getattr(result, part)[:] for part in ("array", "confidence", "seams", "hole_mask")}
    file = sorted(files_of(result, name))[0]
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 4
    file.write_bytes(data)
    if fault == "gone":
        file.unlink()
    again = FakeEngine(poison=7.0)
    source = open_source(image.astype(np.float32))
    run_serial(result.plan, source, tmp_path / "out", engine=lambda: again, verify=True, durable=False)
    assert 0 < again.drawn < engine.drawn, "one block was made again"
    for part, pixels in before.items():
        np.testing.assert_array_equal(getattr(Result.open(tmp_path / "out"), part)[:], pixels)
    untouched = FakeEngine(poison=7.0)
    run_serial(result.plan, source, tmp_path / "out", engine=lambda: untouched, verify=True, durable=False)
    assert untouched.drawn == 0


def test_seams_that_can_be_seen_score_high(tmp_path, image):
    image = np.random.default_rng(1).random((100, 120))
    smooth = run(tmp_path / "a", image, "super_resolution", factor=(1, 1))
    sharp = run(tmp_path / "b", image, "super_resolution", Sharp(), factor=(1, 1), overlap=0, tile_size=24)
    assert 0.9 < smooth.summary["seams"]["score"] < 1.1
    assert sharp.summary["seams"]["score"] > 3
    assert sharp.summary["seams"]["histogram"]["from 2"] > 0.8 * sharp.summary["seams"]["tiles"]
    grid = sharp.plan.grid
    rows, cols = (-(-n // grid.step) for n in (100, 120))
    assert sharp.seams.shape == (rows, cols)
    assert sharp.seams[0, 0] == 0
    scores = sharp.seams[:].ravel()
    # Joins on the face of a block lie in neither of its blocks, and have no score.
    assert (scores > 0).mean() > 0.5
    assert (scores[scores > 0] > 1.5).all()
    assert sharp.confidence is None


def test_maps_of_volumes_have_the_axes_of_the_result(tmp_path, image):
    result = run(tmp_path / "out", np.stack([image, np.zeros_like(image), image]))
    assert result.confidence.shape == result.array.shape
    assert result.seams.shape[0] == result.array.shape[0]
    assert not result.seams[1].any()
    assert result.summary["seams"]["tiles"] == np.count_nonzero(result.seams[:])


def test_the_maps_do_not_depend_on_blocks(tmp_path, image):
    small, large = (run(tmp_path / str(size), image, block_size=size) for size in (48, 120))
    np.testing.assert_array_equal(small.confidence[:], large.confidence[:])
    assert len(small.plan.grid) > len(large.plan.grid) == 1
