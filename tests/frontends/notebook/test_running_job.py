"""A job that is returned at once, runs in another process, and is found again."""

import asyncio
import shutil
import subprocess
import time

import numpy as np
import pytest
from skimage import data

import napari_s1omni
from napari_s1omni.errors import JobError, PlanMismatch, RunInterrupted, SourceError, StoreError
from napari_s1omni.frontends.notebook.running_job import RunningJob
from napari_s1omni.results.result import Result
from napari_s1omni.storage.source import open_source

SLOW = "synthetic://nuclei?shape=12,1024,1024&axes=zyx&seed=2&diameter=24"
"""A run that is slow enough to be paused."""


def coins() -> np.ndarray:
    return data.coins()[:192, :256]


def begin(source, output, **options):
    return napari_s1omni.segment(
        source, output, prompt="segment the objects", engine="reference", block=False, **options
    )


def until(condition, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)


def test_an_array_gives_the_same_result_in_another_process(tmp_path):
    blocking = napari_s1omni.segment(coins(), tmp_path / "a.zarr", prompt="segment the objects", engine="reference")
    started = time.thread_time()
    job = begin(coins(), tmp_path / "b.zarr")
    assert isinstance(job, RunningJob)
    # Work of this thread, whatever else the machine does meanwhile.
    assert time.thread_time() - started < 0.5
    assert job.working

    result = asyncio.run(awaited(job))

    assert result.complete
    assert result.plan.digest == blocking.plan.digest == job.run.plan.digest
    np.testing.assert_array_equal(result.array[...], blocking.array[...])
    np.testing.assert_array_equal(job.table()["area"], blocking.table()["area"])
    page = job.report()
    assert page.parent == tmp_path
    assert b"<html" in page.read_bytes()[:100]


async def awaited(job):
    ticks = 0

    async def tick():
        nonlocal ticks
        while job.working:
            ticks += 1
            await asyncio.sleep(0.01)

    _, result = await asyncio.gather(tick(), job)
    # The event loop was free while the job ran.
    assert ticks > 10
    return result


def test_a_picture_of_colours_keeps_its_axes(tmp_path):
    job = begin(data.astronaut()[:128, :128], tmp_path / "out.zarr")
    assert job.wait(240).plan.source.rgb


def test_a_job_tells_its_source_and_its_changes(tmp_path):
    job, states = begin(coins(), tmp_path / "out.zarr"), []
    job.on_change(lambda: states.append(job.status.state))
    job.wait(240)
    until(lambda: "complete" in states)
    assert job.source.spec.shape == (192, 256)


@pytest.mark.slow
def test_a_run_is_found_again_paused_cancelled_and_resumed(tmp_path, monkeypatch):
    output = tmp_path / "größe 1.zarr"
    job = begin(SLOW, output, think="per_tile")
    until(lambda: job.status.tiles_done > 0)
    job.pause()
    until(lambda: job.status.state == "paused")

    again = napari_s1omni.attach(output)
    same = begin(SLOW, output, think="per_tile")
    until(lambda: again.status.state == "paused" and same.status.state == "paused")
    assert "paused" in repr(again)

    again.cancel()
    with pytest.raises(RunInterrupted, match="cancelled"):
        job.wait(240)
    with pytest.raises(RunInterrupted, match="resume"):
        asyncio.run(again._finished())
    assert not again.result.complete
    again.resume()
    until(lambda: again.status.state == "running")

    # On a busy machine the view sees the end later than a cell that asks; a resumed run is not cancelled for it.
    monkeypatch.setattr(again.run, "_read_pixels", busy)
    again.cancel()
    until(lambda: not again.working)
    done = again.status.tiles_done
    again.resume()
    until(lambda: again.status.tiles_done > done or not again.working)
    assert again.status.state == "running"
    again.cancel()
    until(lambda: not again.working)
    for each in (job, again, same):
        each.close()


def busy(*_):
    raise OSError("not now")


def test_an_error_is_raised_where_the_job_is_awaited(tmp_path):
    job = begin(tmp_path / "nothing.tif", tmp_path / "out.zarr")
    with pytest.raises(SourceError):
        job.wait(240)
    with pytest.raises(SourceError):
        _ = job.result
    assert "failed" in repr(job)
    assert job.panel.forecast.startswith("there is nothing at")
    with pytest.raises(JobError, match="has not begun"):
        job.pause()
    with pytest.raises(StoreError):
        napari_s1omni.attach(tmp_path)
    with pytest.raises(JobError, match="on_event"):
        begin(coins(), tmp_path / "c.zarr", on_event=print)
    with pytest.raises(JobError, match="tile_siz"):
        begin(coins(), tmp_path / "c.zarr", tile_siz=64)


def test_a_read_only_share_is_refused_as_output_and_readable(tmp_path, read_only_share):
    job = begin(coins(), read_only_share / "out.zarr")
    with pytest.raises(StoreError, match="read-only"):
        job.wait(240)
    assert "failed" in repr(job)
    assert "failed" in job._repr_mimebundle_()["text/html"]

    napari_s1omni.segment(coins(), tmp_path / "there.zarr", prompt="segment the objects", engine="reference")
    subprocess.run(["mount", "-o", "remount,rw", read_only_share], check=True)
    shutil.copytree(tmp_path / "there.zarr", read_only_share / "there.zarr")
    subprocess.run(["mount", "-o", "remount,ro", read_only_share], check=True)
    found = napari_s1omni.attach(read_only_share / "there.zarr")
    assert found.status.state == "complete"
    assert len(found.table()["label"]) == found.result.summary["objects"]
    with pytest.raises(StoreError, match=r"Read-only file system\. Choose a folder"):
        found.report()
    assert found.report(tmp_path / "page.html").stat().st_size > 10_000
    for each in (job, found):
        each.close()


def test_run_options_are_passed_to_the_command_line(monkeypatch, tmp_path):
    from napari_s1omni import api as verbs

    heard = []
    monkeypatch.setattr(verbs, "_running_job", lambda: lambda job, array, words: heard.append((job, words)))
    begin("a.tif", tmp_path, workers=2, durable=False, verify=True)
    job, words = heard[0]
    assert words == ("--workers", "2", "--verify", "--no-durable")
    assert job.operation.prompt == "segment the objects"


def test_a_number_of_the_user_is_not_counted_on(tmp_path):
    job = begin(coins(), tmp_path / "day-12.zarr")
    job.wait(240)
    until(lambda: job.controller.output)
    assert job.controller.output == str(tmp_path / "day-12-2.zarr")
    job.close()


def test_an_output_without_a_name_is_in_the_cache(cache):
    job = begin(coins(), None)
    assert job.path.parent == cache / "results"
    assert job.wait(240).complete
    # The event loop did not run meanwhile, so nothing was delivered to the job.
    assert "complete" in repr(job)
    assert not job.working
    assert open_source(job.run.job.source.uri).spec.shape == coins().shape
    assert list(job.table()) == list(job.result.table()) == list(Result.open(job.path).table())
    assert len(job.table()) == job.result.summary["objects"]
    job.close()


def test_a_cell_run_again_with_another_prompt_never_gives_the_old_numbers(tmp_path):
    output = tmp_path / "out.zarr"
    napari_s1omni.segment(coins(), output, prompt="segment the coins", engine="reference")
    before = {p: p.read_bytes() for p in output.rglob("*") if p.is_file() and p.name != "lock"}
    job = napari_s1omni.segment(coins(), output, prompt="segment the dark dots", engine="reference", block=False)
    with pytest.raises(PlanMismatch):
        job.wait(240)
    for ask in (lambda: job.result, job.table, job.report):
        with pytest.raises(PlanMismatch):
            ask()
    assert "failed" in repr(job)
    assert "Objects" not in job._repr_mimebundle_()["text/html"]
    assert job.results == []
    # The finished result is as it was.
    assert {p: p.read_bytes() for p in output.rglob("*") if p.is_file() and p.name != "lock"} == before
    assert napari_s1omni.attach(output).status.state == "complete"


def test_a_run_that_works_is_not_shown_as_another_job(tmp_path):
    output = tmp_path / "out.zarr"
    job = begin(SLOW, output, think="per_tile")
    until(lambda: job.status.tiles_done > 0)
    other = napari_s1omni.segment(SLOW, output, prompt="segment the dark dots", engine="reference", block=False)
    with pytest.raises(PlanMismatch):
        other.wait(240)
    assert job.working
    job.cancel()
    until(lambda: not job.working)
    for each in (job, other):
        each.close()


def test_an_array_on_disk_is_not_copied(tmp_path, cache):
    np.save(tmp_path / "coins.npy", coins())
    job = begin(np.load(tmp_path / "coins.npy", mmap_mode="r"), tmp_path / "out.zarr")
    assert job.wait(240).plan.source.source == str(tmp_path / "coins.npy")
    assert not (cache / "layers").exists()
    job.close()


class SlowArray:
    """An array that takes its time, as one that dask computes."""

    def __init__(self, shape):
        self.shape, self.dtype, self.chunks = shape, np.dtype(np.uint8), (1, *shape[1:])

    def __getitem__(self, index):
        time.sleep(0.01)
        shape = [len(range(*i.indices(n))) for i, n in zip(index, self.shape, strict=True)]
        return np.full(shape, index[0].start % 7, np.uint8)


def test_copying_shows_its_progress_and_ends_with_the_job(tmp_path, cache):
    array = SlowArray((900, 32, 32))
    job = begin(array, tmp_path / "out.zarr", axes="zyx")
    until(lambda: "copying the image to disk" in repr(job))
    (copy,) = (cache / "layers").glob("*.zarr")
    job.cancel()
    assert job.status.state == "cancelled"
    assert "copying the image" not in repr(job)
    until(lambda: not copy.exists())
    assert not (tmp_path / "out.zarr").exists()
    job.close()


def test_falls_back_to_a_picture_with_numbers(tmp_path):
    job = begin(coins(), tmp_path / "out.zarr")
    job.wait(240)
    until(lambda: job.status.state == "complete" and job.run.pyramid.complete)
    bundle = job._repr_mimebundle_()
    assert "data:image/png;base64," in bundle["text/html"]
    assert f"{job.result.summary['objects']:,}" in bundle["text/html"]
    assert "complete" in bundle["text/plain"]
