"""The controller without a GUI: edits become plans, previews arrive, runs are watched to their end."""

import tempfile
import threading

import numpy as np
import pytest
import tifffile
from skimage import data
from surface import Image, Labels, Points, Surface

from napari_s1omni.errors import JobError, PlanError
from napari_s1omni.frontends.napari_layers.layer_view import read_layer
from napari_s1omni.frontends.session.controller import Controller
from napari_s1omni.frontends.session.preview.box import preview_box
from napari_s1omni.frontends.session.preview.events import (
    PreviewCancelled,
    PreviewFailed,
    PreviewPart,
    PreviewProgress,
    PreviewResult,
)
from napari_s1omni.frontends.session.run import reopen
from napari_s1omni.frontends.session.run_history import unfinished
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.jobs.run import run
from napari_s1omni.planning.job import Job
from napari_s1omni.results.result import Result

pytest.importorskip("psygnal")


@pytest.fixture
def surface():
    return Surface()


@pytest.fixture
def controller(surface, tmp_path, monkeypatch):
    monkeypatch.setenv("S1OMNI_CACHE", str(tmp_path / "cache"))
    made = Controller(surface.deliver)
    made.document["engine"] = "reference"
    yield made
    made.close()


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "coins.tif"
    tifffile.imwrite(path, data.coins())
    return path


def choose(controller, surface, layer):
    controller.choose_source(read_layer(layer, [layer]))
    surface.until(lambda: controller.prepared is not None)


def test_edits_become_one_plan(controller, surface, picture):
    heard = []
    controller.prepared_changed.connect(lambda prepared, words: heard.append(words))
    choose(controller, surface, Image(data.coins(), path=str(picture)))
    for size in (96, 112, 128):
        controller.edit("tiling.tile_size", size)
    controller.edit("tiling.overlap", 32)
    surface.until(lambda: controller.prepared.plan.grid.tile_size == 128)
    assert controller.prepared.plan.grid.overlap == 32
    assert controller.source.array is None
    assert heard[-1].startswith("12 tiles, ")


def test_a_cache_without_a_home_is_a_note_of_the_plan(controller, surface, picture, monkeypatch, tmp_path):
    monkeypatch.setenv("S1OMNI_CACHE", "/proc/nobody/cache")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    choose(controller, surface, Image(data.coins(), path=str(picture)))
    assert any("the cache folder /proc/nobody/cache cannot be written" in n for n in controller.prepared.plan.notes)
    controller.run()
    surface.until(lambda: controller.queue.runs)
    assert tmp_path in controller.queue.runs[0].path.parents
    controller.queue.runs[0].cancel()
    surface.until(lambda: not controller.queue.runs[0].alive)


def test_plans_are_those_of_the_api(controller, surface, picture):
    choose(controller, surface, Image(data.coins(), path=str(picture)))
    controller.edit("operation.min_size", 50)
    surface.until(lambda: controller.prepared.plan.job.operation.min_size == 50)
    assert controller.prepared.plan.digest == prepare(controller.job()).plan.digest


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("tiling.tile_size", -3, "tile_size"),
        ("operation.prompt_", "x", "prompt"),
        ("engine", "no such engine", "engine"),
        ("region", {"type": "box", "y": [5000, 6000]}, "region"),
    ],
    ids=["negative", "misspelt", "engine", "outside"],
)
def test_a_wrong_field_is_reported_with_a_remedy(controller, surface, picture, field, value, word):
    choose(controller, surface, Image(data.coins(), path=str(picture)))
    controller.edit(field, value)
    surface.until(lambda: controller.refusal is not None)
    assert word in controller.refusal.message.lower()
    assert controller.prepared is None
    controller.edit(field, None)
    surface.until(lambda: controller.prepared is not None)


def test_a_run_waits_for_the_plan_of_what_was_edited_last(controller, surface, picture):
    choose(controller, surface, Image(data.coins(), path=str(picture)))
    started = []
    controller.queue._start = started.append
    controller.edit("operation.prompt", "segment the coins, about 45 px")
    controller.run()
    assert not controller.queue.runs
    surface.until(lambda: started)
    assert started[0].plan.job.operation.prompt == started[0].job.operation.prompt == "segment the coins, about 45 px"
    refused = []
    controller.failed.connect(refused.append)
    controller.edit("tiling.tile_size", -1)
    controller.run()
    surface.until(lambda: refused)
    assert "tile_size" in refused[0].message
    assert len(controller.queue.runs) == 1


def test_a_layer_that_was_moved_is_not_opened_again(controller, surface, picture):
    layer = Image(data.coins(), path=str(picture))
    choose(controller, surface, layer)
    before = controller.source
    moved = Image(layer.data, path=str(picture), translate=(5, 7))
    controller.choose_source(read_layer(moved, [moved]))
    surface.until(lambda: controller.source is not None and controller.source is not before)
    assert controller.source.view.translate == (5, 7)
    assert controller.source.ref == before.ref


@pytest.mark.slow
def test_a_starting_run_can_be_cancelled(controller, surface):
    uri = "synthetic://nuclei?shape=2048,2048&seed=1"
    choose(controller, surface, Image(np.zeros((2048, 2048), np.uint16), path=uri))
    runs = []
    controller.run_added.connect(runs.append)
    controller.run()
    surface.until(lambda: runs)
    runs[0].cancel()
    assert runs[0].status.state in ("starting", "cancelled")
    surface.until(lambda: not runs[0].alive)
    assert runs[0].status.state == "cancelled"


def test_a_job_without_a_layer_is_refused(controller, surface):
    controller.refresh()
    surface.until(lambda: controller.refusal is not None)
    assert "layer" in controller.refusal.message
    with pytest.raises(JobError):
        controller.run()


@pytest.mark.parametrize("layer", [Labels(np.zeros((8, 8), int), name="n"), Points(np.zeros((3, 2)), name="n")])
def test_only_image_layers_are_accepted(layer):
    with pytest.raises(PlanError, match="hoose an image layer"):
        read_layer(layer)


@pytest.mark.parametrize(
    "pixels",
    [
        np.random.default_rng(0).random((64, 80)),
        np.random.default_rng(0).random((64, 80)) > 0.5,
        np.arange(64 * 80, dtype=">u2").reshape(64, 80),
        np.arange(64 * 80, dtype=np.int64).reshape(64, 80),
        np.random.default_rng(0).random((1, 1, 1, 64, 80)).astype(np.float32),
        np.random.default_rng(0).random((3, 2, 64, 80)).astype(np.float32),
    ],
    ids=["float64", "bool", "big-endian", "int64", "5D-singletons", "czyx"],
)
def test_any_type_of_pixels_gets_a_plan(controller, surface, pixels):
    choose(controller, surface, Image(pixels))
    assert controller.prepared.plan.source.size("y") == 64
    assert controller.prepared.plan.source.size("x") == 80


def test_operations_keep_their_fields(controller, surface):
    controller.edit("operation.prompt", "segment the coins")
    controller.choose_operation("super_resolution")
    controller.edit("operation.factor", 4)
    controller.choose_operation("segmentation")
    assert controller.document["operation"]["prompt"] == "segment the coins"
    controller.choose_operation("super_resolution")
    assert controller.document["operation"]["factor"] == 4


def test_a_job_fills_the_document(controller, picture):
    shown = []
    controller.document_changed.connect(shown.append)
    job = Job(
        source=str(picture),
        output="somewhere.zarr",
        operation={"type": "super_resolution", "factor": 4},
        tiling={"tile_size": 64},
        sampling={"seed": 7},
    )
    controller.load(job)
    assert shown[-1]["sampling"] == {"seed": 7}
    again = controller.job(job.source.model_dump())
    assert again == job.replace(engine=again.engine)


def begin_preview(controller, surface, picture):
    """Start a preview of the middle of the coins; return the list of its events."""
    choose(controller, surface, Image(data.coins(), path=str(picture)))
    controller.edit("tiling.tile_size", 128)
    surface.until(lambda: controller.prepared.plan.grid.tile_size == 128)
    events = []
    controller.preview_changed.connect(events.append)
    box = preview_box(controller.prepared.plan.grid, {"y": (0, 303), "x": (0, 384)})
    controller.show_preview(box.model_dump(exclude_none=True))
    return events


def test_a_preview_shows_each_tile_as_it_is_drawn_the_middle_one_first(controller, surface, picture):
    events = begin_preview(controller, surface, picture)
    surface.until(lambda: any(isinstance(e, PreviewResult) for e in events))
    parts = [e for e in events if isinstance(e, PreviewPart)]
    assert [e.done for e in events if isinstance(e, PreviewProgress) and e.total] == [1, 2, 3, 4]
    grid, drawn = parts[0].plan.grid, parts[0].pixels > 0
    middle = [n // 2 for n in drawn.shape]
    assert drawn[: middle[0], : middle[1]].any(), "the tile that reaches over the middle is the first"
    assert not drawn[grid.tile_size :, grid.tile_size :].any()
    assert len(parts[0].thoughts) == 1
    made = controller.preview
    assert np.array_equal(parts[-1].pixels, made.pixels)
    assert made.pixels.shape == made.plan.target.shape
    assert all(thought.trace for thought in made.thoughts.values())
    assert all(event.request == made.request for event in events)


def test_a_cancelled_preview_ends_at_once_and_the_next_one_works(controller, surface, picture):
    events = begin_preview(controller, surface, picture)
    surface.until(lambda: controller.previewer._previewing)
    controller.previewer.cancel()
    surface.until(lambda: any(isinstance(e, PreviewCancelled) for e in events))
    count = len(events)
    controller.show_preview({"type": "box", "y": [0, 64], "x": [0, 64]})
    surface.until(lambda: any(isinstance(e, PreviewResult) for e in events))
    assert {e.request for e in events[count:]} == {controller.preview.request}


def test_a_run_takes_over_the_process_that_has_its_engine(controller, surface, picture):
    events = begin_preview(controller, surface, picture)
    surface.until(lambda: any(isinstance(e, PreviewResult) for e in events))
    loaded = controller.previewer._process.pid
    runs = []
    controller.run_added.connect(runs.append)
    controller.run()
    surface.until(lambda: runs and runs[0].status.pid)
    assert runs[0].status.pid == loaded
    assert controller.previewer._process is None
    surface.until(lambda: not runs[0].alive)
    assert runs[0].status.state == "complete", runs[0].log()
    alone = run(runs[0].job.replace(output=None))
    assert np.array_equal(Result.open(runs[0].path).array[...], alone.array[...])
    surface.until(lambda: controller.previewer.engine == "reference")
    assert controller.previewer._process.pid != loaded


def test_a_run_takes_over_the_process_that_loads_its_engine_while_the_user_looks(controller, surface, picture):
    controller.previewer.start()
    choose(controller, surface, Image(data.coins(), path=str(picture)))
    surface.until(lambda: "reference" in (controller.previewer.engine, controller.previewer._loading))
    loading = controller.previewer._process.pid
    runs = []
    controller.run_added.connect(runs.append)
    controller.run()
    surface.until(lambda: runs and runs[0].status.pid)
    assert runs[0].status.pid == loading
    surface.until(lambda: not runs[0].alive)
    assert runs[0].status.state == "complete", runs[0].log()


def test_a_preview_that_fails_says_why(controller, surface, picture):
    choose(controller, surface, Image(data.coins(), path=str(picture)))
    answers = []
    controller.preview_changed.connect(answers.append)
    picture.unlink()
    controller.show_preview({"type": "box", "y": [0, 64], "x": [0, 64]})
    surface.until(lambda: any(isinstance(a, PreviewFailed) for a in answers))
    assert "nothing at" in answers[-1].failure.message
    assert answers[-1].failure.remedy


def test_a_run_is_watched_to_its_end(controller, surface, tmp_path):
    pixels = data.coins()[:256, :256]
    choose(controller, surface, Image(pixels, scale=(0.5, 0.5), units=("micrometer", "micrometer")))
    controller.edit("tiling.block_size", 128)
    controller.edit("tiling.tile_size", 96)
    controller.edit("tiling.overlap", 32)
    surface.until(lambda: controller.prepared.plan.grid.tile_size == 96)
    stated = controller.prepared.cost.seconds_range
    runs, main = [], threading.current_thread()
    controller.run_added.connect(runs.append)
    controller.run()
    surface.until(lambda: bool(runs))
    run = runs[0]
    seen = []
    run.changed.connect(lambda r: seen.append(threading.current_thread() is main))
    surface.until(lambda: not run.alive)
    assert run.status.state == "complete", run.status
    assert seen
    assert all(seen)
    result = Result.open(run.path)
    assert result.complete
    assert result.spec.scale == (0.5, 0.5)
    assert result.spec.units == ("micrometer", "micrometer")
    levels = run.pyramid
    assert np.array_equal(np.asarray(levels.data[0]), result.array[...])
    key, thought = run.thoughts.of_tile((0, 0, 0, 0, 0))
    assert "seed 0" in run.thoughts.parameters(key)
    assert thought.text
    assert run.thoughts.search("bright")
    assert not run.thoughts.search("zebra")
    assert run.tiles.at(10, 10).state in ("drawn", "empty")
    assert run.tiles.at(10, 10000) is None
    assert not unfinished()
    # It teaches the estimate, which is a range now.
    surface.until(lambda: controller.prepared.cost.seconds_range not in (None, stated))
    assert run.status.tiles_total == controller.prepared.cost.tiles_computed == run.status.tiles_done


def test_the_blocks_of_a_volume_are_those_that_were_shown(controller, surface, monkeypatch):
    monkeypatch.setattr(controller.queue, "put", lambda run, transform: None)
    uri = "synthetic://nuclei?shape=6,64,64&seed=1"
    choose(controller, surface, Image(np.zeros((6, 64, 64), np.uint16), path=uri))
    runs = []
    controller.run_added.connect(runs.append)
    controller.run()
    surface.until(lambda: runs)
    grid, tiling = runs[0].plan.grid, runs[0].job.tiling
    assert (tiling.block_size, tiling.depth) == (grid.block_size, grid.depth)


def test_runs_wait_for_each_other_and_can_be_cancelled(controller, surface):
    choose(controller, surface, Image(np.random.default_rng(0).random((64, 64))))
    runs = []
    controller.run_added.connect(runs.append)
    controller.run()
    controller.run()
    surface.until(lambda: len(runs) == 2)
    assert runs[0].path != runs[1].path
    assert runs[1].queued
    runs[1].cancel()
    assert runs[1].status.state == "cancelled"
    surface.until(lambda: not runs[0].alive)
    assert not list(runs[1].path.iterdir())


@pytest.mark.slow
def test_a_killed_run_is_offered_and_found_again(controller, surface):
    import psutil

    # So many blocks that it cannot end before it is killed.
    uri = "synthetic://nuclei?shape=2048,2048&seed=1"
    choose(controller, surface, Image(np.zeros((2048, 2048), np.uint16), path=uri))
    controller.edit("tiling", {"tile_size": 96, "overlap": 32, "block_size": 64})
    surface.until(lambda: controller.prepared.plan.grid.block_size == 64)
    runs = []
    controller.run_added.connect(runs.append)
    controller.run()
    surface.until(lambda: bool(runs) and runs[0].status.blocks_done > 0)
    run = runs[0]
    psutil.Process(run.status.pid).kill()
    surface.until(lambda: not run.alive)
    assert run.status.state == "stopped"
    (found,) = unfinished()
    assert found[0].output == str(run.path)
    again = reopen(found[0].output, "again", surface.deliver)
    assert again.plan.digest == run.plan.digest
    done = run.status.blocks_done
    again.start()
    surface.until(lambda: again.status.blocks_done > done)
    again.cancel()
    surface.until(lambda: not again.alive)
    assert again.status.state == "cancelled"
    again.unwatch()
