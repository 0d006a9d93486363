"""Failed tiles are the same ones for the result, for redo and for the lattice that the dock shows."""

import numpy as np
import pytest

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.errors import GenerationError
from napari_s1omni.execution.executors.serial import run_serial
from napari_s1omni.execution.pipeline.failed_tiles import failed_tiles
from napari_s1omni.execution.redo.redo import all_failed_tiles, begin_redo
from napari_s1omni.frontends.views.tile_colours import COLOURS
from napari_s1omni.frontends.views.tile_states import TileStates
from napari_s1omni.jobs.options import make_job
from napari_s1omni.planning.resolve import resolve
from napari_s1omni.results.result import Result
from napari_s1omni.storage.logs.append_log import AppendLog
from napari_s1omni.storage.logs.journal import BlockRecord, Journal
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.source import open_source
from napari_s1omni.testing.fake_engine import FakeEngine

SMALL = {"tile_size": 32, "overlap": 8, "block_size": 48, "depth": 2, "prompt": "discs of about 6 px"}
DEADLY = "the block failed alone twice: KilledWorker: exit code 9; see 1/2: no log"


class Refusing(FakeEngine):
    """Refuses tiles with a certain pixel, with a message that has separators in it."""

    def generate(self, images, thoughts, sampling, noise):
        if any(image.max() == 7.0 for image in images):
            raise GenerationError("bad tile; 0/1/2: no tile; neither", "a good one")
        return super().generate(images, thoughts, sampling, noise)


@pytest.fixture
def image():
    """A volume (z, y, x) of discs, cut into blocks of two planes that see beyond."""
    z, y, x = np.mgrid[:6, :100, :120]
    discs = (y % 20 - 10) ** 2 + (x % 20 - 10) ** 2 <= 9
    return (discs * 0.9 + 0.01 * np.random.default_rng(0).random(discs.shape)).astype(np.float32)


def run(path, image, engine=FakeEngine):
    job, array = make_job("segmentation", image, path, options={**SMALL})
    source = open_source(array, axes="zyx")
    plan = resolve(job, source.spec, Normalization((0.0,), (1.0,)), engine().description, source.fingerprint())
    run_serial(plan, source, path, engine=engine, durable=False)
    return Result.open(path)


def shown_as_failed(result):
    """Places that the lattice of the dock shows as failed, in every plane."""
    states, grid = TileStates(result.plan), result.plan.grid
    states.add(result.records)
    red = {
        (0, z, 0, row, col)
        for z in range(grid.planes)
        for row in states.rows
        for col in states.cols
        if states.info(row, col, z).state == "failed"
    }
    for z in range(grid.planes):
        picture = states.colour_image(z=z)
        cell = picture.shape[0] // states.cells[0]
        painted = {
            (0, z, 0, row, col)
            for row in range(states.cells[0])
            for col in range(states.cells[1])
            if tuple(picture[row * cell, col * cell]) == COLOURS["failed"]
        }
        assert painted == {
            place for place in red if place[1] == z and place[3] < states.cells[0] and place[4] < states.cells[1]
        }
    return red


def assert_all_agree(result, expected):
    assert {(hole.t, hole.z, 0, *hole.tile) for hole in result.holes} == expected
    assert all_failed_tiles(result.plan, ResultStore.open(result.path)) == expected
    assert shown_as_failed(result) == expected


@pytest.mark.parametrize("older", [False, True], ids=["as written now", "as older versions wrote it"])
def test_a_block_that_failed_as_a_whole_has_failed_tiles_everywhere(tmp_path, image, older):
    result = run(tmp_path / "out", image)
    grid = result.plan.grid
    assert grid.halo_z > 0
    block = grid.block((0, 0, 1, 1, 1))
    index = result.plan.shard_index(block.index)
    places = {(0, z, 0, *tile.index) for z in range(*block.field_z) for tile in grid.tiles(block)}
    record = BlockRecord(index, "quarantined", tiles={"failed": len(places)}, attempt=1, error=DEADLY)
    folder = result.path / ".s1omni" / "journal"
    if older:
        with AppendLog(folder / "driver.log") as log:
            log.append({**record.to_json(), "worker": "driver", "pid": 1})
    else:
        with Journal(folder, "driver") as journal:
            journal.append(record)
    assert_all_agree(result, places)
    assert {hole.reason for hole in result.holes} == {DEADLY}
    [bad] = [found for found in result.records if found.state == "quarantined"]
    assert bad.failed_whole
    assert len(list(failed_tiles(result.plan, bad))) == bad.tiles["failed"]


def test_the_reason_of_a_failed_tile_survives_whatever_is_in_it(tmp_path, image):
    image[3, 60, 70] = 7.0
    result = run(tmp_path / "out", image, Refusing)
    reason = "GenerationError: " + str(GenerationError("bad tile; 0/1/2: no tile; neither", "a good one"))
    grid = result.plan.grid
    expected = {(0, 3, 0, row, col) for row in grid.tile_rows((60, 61)) for col in grid.tile_cols((70, 71))}
    assert_all_agree(result, expected)
    assert {hole.reason for hole in result.holes} == {reason}
    assert {failure.reason for record in result.records for failure in record.failures} == {reason}
    assert {record.error for record in result.records} == {None}
    states = TileStates(result.plan)
    states.add(result.records)
    assert states.at(60, 70, 3).error == reason


def test_a_tile_that_was_redone_is_no_longer_shown_as_failed(tmp_path, image):
    image[3, 60, 70] = 7.0
    result = run(tmp_path / "out", image, Refusing)
    states = TileStates(result.plan)
    states.add(result.records)
    failed = all_failed_tiles(result.plan, ResultStore.open(result.path))
    begin_redo(result.plan, result.path, failed, result.plan.sampling)
    run_serial(result.plan, open_source(image, axes="zyx"), result.path, engine=FakeEngine, durable=False)
    again = Result.open(result.path)
    assert_all_agree(again, set())
    states.add(again.records)
    assert {states.info(row, col, z).state for _, z, _, row, col in failed} == {"drawn"}
