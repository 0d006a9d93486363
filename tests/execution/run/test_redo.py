"""Redoing tiles changes only their blocks, can be undone, and is repeated exactly by a later run."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from contents import contents

from napari_s1omni.api import segment, super_resolve
from napari_s1omni.errors import JobError, StoreError
from napari_s1omni.execution.pipeline.thought_keys import tile_of_key
from napari_s1omni.frontends.cli.main import main
from napari_s1omni.frontends.session.run import reopen
from napari_s1omni.jobs.redo import accept, drop, redo
from napari_s1omni.jobs.run import run
from napari_s1omni.results.result import Result


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    home = tmp_path_factory.mktemp("drawn")
    image = np.random.default_rng(3).integers(0, 60000, (500, 500)).astype("uint16")
    np.save(home / "image.npy", image)
    result = super_resolve(
        home / "image.npy",
        home / "out.zarr",
        engine="reference",
        think="per_tile",
        tile_size=128,
        overlap=32,
        block_size=192,
        durable=False,
    )
    return result.path


@pytest.fixture
def made(drawn, tmp_path):
    """A copy of the result, to be changed."""
    return Path(shutil.copytree(drawn, tmp_path / "out.zarr"))


def test_redoing_tiles_changes_their_blocks_and_dropping_brings_the_old_bytes_back(made):
    before, attempts = contents(made), {r.block: r.attempt for r in Result.open(made).records}
    thoughts = set(Result.open(made).thoughts)
    again = redo(made, "1/1", sampling={"seed": 7}, durable=False)
    assert again.complete
    changed = {r.block for r in again.records if r.attempt > attempts[r.block]}
    assert 0 < len(changed) < len(attempts)
    assert set(again.thoughts) - thoughts == {"t0/z0/g0/tile/1/1/redo/1"}
    assert again.thought_at(150, 150)[0] == "t0/z0/g0/tile/1/1/redo/1"
    with pytest.raises(StoreError, match=r"already has an earlier version.*--accept.*--drop"):
        redo(made, "0/0", durable=False)
    drop(made)
    assert contents(made) == before
    with pytest.raises(StoreError, match="no earlier version"):
        accept(made)


def test_what_was_accepted_stays_and_is_made_the_same_when_verified(made):
    redo(made, "0/0,2/2", sampling={"seed": 7}, durable=False)
    accept(made)
    after = contents(made)
    shard = sorted(p for p in (made / "0" / "c").rglob("*") if p.is_file())[0]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 4
    shard.write_bytes(data)
    job = Result.open(made).plan.job.replace(output=str(made))
    run(job, verify=True, durable=False)
    assert contents(made) == after


@pytest.mark.parametrize("tiles", ["99/0", "1", "a/b", "1/1/1/1", "0/1/1/1", "0/0/0/0/0"])
def test_tiles_that_are_none_are_refused(made, tiles):
    with pytest.raises(JobError, match="row/column"):
        redo(made, tiles)
    with pytest.raises(JobError, match="nothing to redo"):
        redo(made, failed=True)
    with pytest.raises(JobError, match="cannot change think"):
        redo(made, "0/0", sampling={"think": "off"})


def test_an_option_that_is_none_is_refused_before_anything_is_marked(made):
    before = contents(made)
    with pytest.raises(JobError, match=r"unknown option 'seed' of redo.*sampling=\{'seed': 1\}"):
        redo(made, "0/0", seed=1)
    assert contents(made) == before
    assert redo(made, "0/0", sampling={"seed": 1}, durable=False).complete


def test_a_tile_of_one_time_point_is_redone_there_alone_and_found_by_its_channel(tmp_path):
    """What a tile shows in one channel and at one time is told apart from the others."""
    image = np.random.default_rng(3).integers(0, 60000, (2, 2, 128, 128)).astype("uint16")
    image[0, 1] = image[0, 1] // 8 * 8 // 4
    np.save(tmp_path / "image.npy", image)
    options = {"engine": "reference", "think": "per_tile", "tile_size": 128, "overlap": 32, "durable": False}
    made = super_resolve(tmp_path / "image.npy", tmp_path / "out.zarr", axes="tcyx", **options)
    assert made.plan.grid.groups == 2
    again = redo(made.path, "1/0/0/0", sampling={"seed": 7}, durable=False)
    assert {key for key in again.thoughts if "redo" in key} == {f"t1/z0/g{g}/tile/0/0/redo/1" for g in (0, 1)}
    run = reopen(made.path, "again", lambda work: work())
    run.tiles.add(again.records)
    keys = [run.thoughts.of_tile(run.tiles.info(0, 0, t=t, group=g).place)[0] for t, g in ((0, 0), (0, 1), (1, 1))]
    assert keys == ["t0/z0/g0/tile/0/0", "t0/z0/g1/tile/0/0", "t1/z0/g1/tile/0/0/redo/1"]
    assert [tile_of_key(key) for key in keys] == [(0, 0, 0, 0, 0), (0, 0, 1, 0, 0), (1, 0, 1, 0, 0)]
    assert "redone in round 1" in run.thoughts.parameters(keys[2])
    assert "seed 0" in run.thoughts.parameters(keys[0])
    blocks = {run.tiles.info(0, 0, t=t, group=g).block[:2] for t in (0, 1) for g in (0, 1)}
    assert blocks == {(0, 0), (0, 1), (1, 0), (1, 1)}


@pytest.fixture
def spots(tmp_path):
    """Path of a result that the reference engine thought about tile by tile."""
    image = (np.random.default_rng(3).random((320, 320)) * 255).astype("uint8")
    np.save(tmp_path / "image.npy", image)
    options = {"engine": "reference", "think": "per_tile", "tile_size": 128, "overlap": 32, "block_size": 192}
    said = "segment the spots, about 12 px"
    return segment(tmp_path / "image.npy", tmp_path / "out.zarr", prompt=said, durable=False, **options).path


def test_other_words_are_thought_for_the_tile_and_stored(spots):
    again = redo(spots, "1/1", prompt="segment the spots, about 30 px", durable=False)
    key, thought = again.thought_at(150, 150)
    assert key == "t0/z0/g0/tile/1/1/redo/1"
    assert "30 px" in thought.text
    assert "30 px" not in again.thought_at(10, 10)[1].text
    accept(spots)
    after = contents(spots)
    run(again.plan.job.replace(output=str(spots)), verify=True, durable=False)
    assert contents(spots) == after


def test_tiles_at_an_uncertain_join_are_redone_from_the_command_line(spots):
    before = contents(spots)
    table = spots / ".s1omni" / "uncertain_joins.csv"
    names = table.read_text().splitlines()[0].split(",")
    row = {**dict.fromkeys(names, "0"), "y": "110", "x": "200", "reason": "second claim"}
    table.write_text(f"{','.join(names)}\n{','.join(row[name] for name in names)}\n")
    with pytest.raises(SystemExit, match="0"):
        main(["redo", str(spots), "--uncertain", "--seed", "7", "--quiet"])
    # Rows 0 and 1 share px 96 to 128, columns 1 and 2 px 192 to 224.
    redone = {key for key in Result.open(spots).thoughts if "redo" in key}
    assert redone == {f"t0/z0/g0/tile/{row}/{column}/redo/1" for row in (0, 1) for column in (1, 2)}
    with pytest.raises(SystemExit, match="0"):
        main(["redo", str(spots), "--drop"])
    table.write_text(f"{','.join(names)}\n")
    assert {key: value for key, value in contents(spots).items() if key != "table"} == {
        key: value for key, value in before.items() if key != "table"
    }
