"""A queue with a run that fails at each stage: the others still run, and each failure is told."""

import numpy as np
import psutil
import pytest
from surface import Image, Surface

from napari_s1omni.errors import S1OmniError
from napari_s1omni.frontends.napari_layers.layer_view import read_layer
from napari_s1omni.frontends.session.controller import Controller

pytest.importorskip("psygnal")

URI = "synthetic://nuclei?shape=1024,1024"
SMALL = {"type": "box", "y": [0, 96], "x": [0, 96]}


@pytest.fixture
def surface():
    return Surface()


@pytest.fixture
def controller(surface, tmp_path, monkeypatch):
    monkeypatch.setenv("S1OMNI_CACHE", str(tmp_path / "cache"))
    made = Controller(surface.deliver)
    made.document["engine"] = "reference"
    made.failures, made.added = [], []
    made.failed.connect(made.failures.append)
    made.run_added.connect(made.added.append)
    made.choose_source(read_layer(Image(np.zeros((1024, 1024), np.uint16), path=URI)))
    made.edit("region", SMALL)
    surface.until(lambda: made.prepared is not None)
    yield made
    made.close()
    for run in made.queue.alive:
        if run.status.pid:
            psutil.Process(run.status.pid).kill()


@pytest.fixture
def submit(controller, surface):
    """Edit the job and queue it; returns its run."""

    def put(**edits):
        for path, value in edits.items():
            controller.edit(path.replace("__", "."), value)
        count = len(controller.added)
        controller.run()
        surface.until(lambda: len(controller.added) > count)
        return controller.added[-1]

    return put


def script(folder, words):
    file = folder / f"python-{len(list(folder.iterdir()))}"
    file.write_text(f"#!/bin/sh\n{words}\n")
    file.chmod(0o755)
    return str(file)


def test_one_that_fails_at_each_stage_keeps_nobody_waiting(controller, surface, submit, tmp_path, monkeypatch):
    # One thought for the whole image would take longest of all.
    controller.edit("sampling.think", "per_tile")
    # Killed while it runs, which takes so many blocks that the others are queued meanwhile.
    killed = submit(region=None, tiling={"tile_size": 96, "overlap": 32, "block_size": 64})
    controller.edit("tiling", None)
    controller.edit("region", SMALL)
    # No plan: nothing is queued.
    controller.edit("operation.channels", [7])
    controller.run()
    surface.until(lambda: controller.failures)
    assert "7" in controller.failures.pop().message
    controller.edit("operation.channels", None)
    # An output that holds something else: nothing is queued, and what is there stays.
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("dear diary")
    controller.output = str(tmp_path / "mine")
    controller.refresh()
    surface.until(lambda: controller.is_planned)
    assert not controller.may_run
    with pytest.raises(S1OmniError, match="another name"):
        controller.run()
    # An output that somebody takes while the run waits.
    controller.output = str(tmp_path / "taken")
    controller.refresh()
    taken = submit()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("dear diary")
    controller.output = None
    controller.refresh()
    # A process that cannot start, one that dies while it starts, and a result that cannot be shown when it has finished.
    missing, dying, unseen = submit(), submit(), submit()
    pythons = {missing: "/nowhere/python", dying: script(tmp_path, "echo out of luck; exit 9")}
    start = type(killed).start
    monkeypatch.setattr(type(killed), "start", lambda run, python, *rest: start(run, pythons.get(run, python), *rest))
    failing = RuntimeError("the view has gone")

    def fail(*_):
        raise failing

    monkeypatch.setattr(unseen.pyramid, "finish", fail)
    unseen.ended.connect(fail)
    waiting = submit()
    waiting.cancel()
    assert waiting.status.state == "cancelled"
    assert all(run.queued for run in (taken, missing, dying, unseen))
    surface.until(lambda: killed.status.blocks_done > 0)
    psutil.Process(killed.status.pid).kill()
    seen = []
    while controller.queue.alive:
        try:
            surface.until(lambda: not controller.queue.alive)
        except Exception as error:
            seen.append(error.__cause__)
    assert seen == [failing]
    states = [run.status.state for run in (killed, taken, missing, dying, unseen)]
    assert states == ["stopped", "failed", "failed", "failed", "complete"]
    assert "notes.txt" in taken.status.error.message
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["notes.txt"]
    assert dying.status.error.message == "out of luck"


def test_a_run_is_cancelled_while_it_starts(controller, surface, submit, tmp_path):
    controller.queue.python = script(tmp_path, "exec sleep 600")
    run = submit()
    surface.until(lambda: run._thread is not None)
    run.cancel()
    surface.until(lambda: not run.alive)
    assert run.status.state == "cancelled"
    assert run.read_status().state == "cancelled"


def test_what_belongs_to_a_layer_stays_with_it(controller, surface):
    controller.choose_layer("a")
    controller.edit("operation.channels", [0])
    controller.edit("source", {"scale": 0.5})
    controller.edit("region", {"type": "box", "y": [0, 64], "x": [0, 64]})
    controller.edit("operation.prompt", "segment the nuclei, about 20 px")
    controller.output, controller.fields.region_from = "a.zarr", "view"
    changed = controller.fields.changed_fields("engine", "operation.type", "operation.prompt", "region")
    assert changed == {"operation.channels": [0], "source.scale": 0.5}
    controller.choose_layer("b")
    document = controller.document
    assert not {"source", "region"} & document.keys(), "the region of the fixture belongs to the first layer too"
    assert document["operation"] == {"type": "segmentation", "prompt": "segment the nuclei, about 20 px"}
    assert (controller.output, controller.fields.region_from) == (None, "whole")
    controller.output = "b.zarr"
    controller.choose_layer("a")
    assert controller.document["source"] == {"scale": 0.5}
    assert controller.document["operation"]["channels"] == [0]
    assert controller.document["region"]["y"] == [0, 64]
    assert (controller.output, controller.fields.region_from) == ("a.zarr", "view")
    # A job that is loaded goes to the layer that is chosen for it, and leaves the others as they are.
    controller.load(controller.job().replace(output="job.zarr"))
    controller.choose_layer("c")
    assert controller.output.endswith("job.zarr")
    controller.choose_layer("b")
    assert controller.output == "b.zarr"
    controller.choose_layer("a")
    assert controller.output == "a.zarr"
