"""What worker processes receive: pixels that live in memory, and small leases and reports."""

import pickle

import numpy as np
import pytest

from napari_s1omni.api import segment
from napari_s1omni.execution.executors.leases import MAX_BLOCKS, Lease
from napari_s1omni.execution.executors.worker_context import LeaseReport
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.jobs.run import run
from napari_s1omni.planning.cost import describe_cost, estimate_cost
from napari_s1omni.planning.job import Job
from napari_s1omni.storage.source import open_source


@pytest.fixture
def layer():
    """A stack in memory, of which one plane is asked for."""
    rng = np.random.default_rng(4)
    return (rng.random((4, 1500, 1300)) ** 8 * 60000).astype("uint16")


def job_for(output, **more):
    return Job.read(
        {
            "source": {"uri": "memory:", "axes": "zyx"},
            "output": str(output),
            "region": {"z": (2, 3), "y": (0, 400), "x": (0, 300)},
            "operation": {"type": "super_resolution"},
            "tiling": {"tile_size": 128, "overlap": 32, "block_size": 288},
            "engine": "reference",
            # A thought about the whole layer would read all of it.
            "sampling": {"think": "per_tile"},
            **more,
        },
        "test",
    )


@pytest.mark.slow
def test_a_source_in_memory_is_written_once_for_workers_and_only_what_is_read(tmp_path, layer):
    job = job_for(tmp_path / "dask.zarr")
    forecast = estimate_cost(prepare(job, layer).plan)
    # One whole piece of 1024 px, of the four of that plane.
    assert forecast.spilled_bytes == 1024 * 1024 * 2
    assert "written for worker processes" in describe_cost(forecast)
    result = run(job, layer, workers=2, durable=False)
    serial = run(job.replace(output=str(tmp_path / "serial.zarr")), layer, durable=False)
    np.testing.assert_array_equal(result.array[:], serial.array[:])
    folder = tmp_path / "dask.zarr" / ".s1omni" / "source"
    pieces = [p for p in (folder / "c").rglob("*") if p.is_file()]
    assert [p.relative_to(folder / "c").parts for p in pieces] == [("2", "0", "0")]
    kept = open_source(folder, axes="zyx").read((slice(2, 3), slice(0, 1024), slice(0, 1024)))
    np.testing.assert_array_equal(kept, layer[2:3, :1024, :1024])
    assert not (tmp_path / "serial.zarr" / ".s1omni" / "source").exists()


def test_a_source_on_disk_is_not_written_again(tmp_path, layer):
    np.save(tmp_path / "plane.npy", layer[0, :300, :300])
    job = job_for(tmp_path / "out.zarr", source=str(tmp_path / "plane.npy"), region=None)
    assert estimate_cost(prepare(job).plan).spilled_bytes == 0
    run(job, workers=1, durable=False)
    assert not (tmp_path / "out.zarr" / ".s1omni" / "source").exists()


def test_leases_and_reports_are_small_and_so_are_records(tmp_path):
    assert len(pickle.dumps(LeaseReport(2**22, MAX_BLOCKS, 1e3))) < 1024
    assert len(pickle.dumps(Lease(10**6, tuple(range(10**9, 10**9 + MAX_BLOCKS))))) < 2048
    image = (np.random.default_rng(0).random((500, 500)) ** 8 * 60000).astype("uint16")
    path = tmp_path / "out.zarr"
    segment(image, path, prompt="spots of about 12 px", engine="reference", tile_size=128, overlap=32, block_size=192)
    [journal] = (path / ".s1omni" / "journal").glob("*.log")
    lines = journal.read_bytes().splitlines()
    assert len(lines) >= 9
    assert max(map(len, lines)) < 1024
