"""The panel without a browser: messages of a view and their replies."""

import io
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.io import imsave

import napari_s1omni
from napari_s1omni.frontends.notebook.panel import Panel
from napari_s1omni.frontends.session.preview.events import PreviewCancelled, PreviewPart
from napari_s1omni.jobs.options import make_job
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.planning.job import Job


def until(condition, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)


@pytest.fixture
def opened(tmp_path):
    """A panel of a finished job, and the messages that it sent."""
    job = napari_s1omni.segment(
        data.coins()[:256, :256], tmp_path / "out.zarr", prompt="segment the coins", tile_size=128, engine="reference",
        think="per_tile", block=False,
    )  # fmt: skip
    panel = job.panel
    sent = []
    panel.send = lambda content, buffers=None: sent.append((content, buffers or []))
    job.wait(240)
    until(lambda: panel.status.get("state") == "complete" and panel.ready)
    yield panel, sent
    job.close()


def ask(opened, **message):
    panel, sent = opened
    sent.clear()
    panel._received(panel, {"view": "v1", **message}, [])
    until(lambda: sent)
    return sent[-1]


def test_replies_to_a_view(opened):
    panel, _ = opened
    assert panel.scene["extent"] == [256, 256]
    assert panel.scene["result"] == "labels"
    assert "tile" in panel.forecast
    assert panel.status["done"] == panel.status["total"] > 0

    start = panel.scene["start"]
    content, (before, after) = ask(opened, kind="view", **start)
    assert content["view"] == "v1"
    assert content["before"] == [0, 256, 0, 256]
    assert [layer["name"] for layer in content["layers"]] == ["result"]
    assert Image.open(io.BytesIO(before)).size == (256, 256)
    overlay = np.asarray(Image.open(io.BytesIO(after)))
    assert 0 < (overlay[..., 3] > 0).mean() < 1
    assert len(before) + len(after) < 2_000_000

    content, (lattice,) = ask(opened, kind="grid", by="state")
    assert content["rows"] * content["cols"] >= 4
    assert content["counts"]["drawn"] == panel.status["total"]
    cells = Image.open(io.BytesIO(lattice))
    assert cells.mode == "RGBA"

    content, _ = ask(opened, kind="trace", y=200.0, x=10.0)
    assert "drawn" in content["sentence"]
    assert content["key"].startswith("t0/z0/g0/tile/")
    assert "What I will do" in content["trace"]
    assert content["box"][0] <= 200 < content["box"][1]
    assert ask(opened, kind="trace", y=-5, x=0)[0]["sentence"] == "outside of the region"

    assert ask(opened, kind="alive")[0] == {"kind": "alive", "view": "v1"}
    content, _ = ask(opened, kind="nonsense")
    assert content["kind"] == "notice"
    assert "nonsense" in content["text"]


def test_the_form_forecasts_previews_and_runs_again(opened):
    panel, sent = opened
    job = panel._session
    before = panel.forecast
    panel.receive({"kind": "edit", "path": "tiling.tile_size", "value": 64})
    until(lambda: panel.ready and panel.forecast not in (before, "planning ..."))
    panel.receive({"kind": "edit", "path": "tiling.overlap", "value": 999})
    until(lambda: "overlap" in panel.forecast)
    assert not panel.ready
    panel.receive({"kind": "edit", "path": "tiling.overlap", "value": None})
    until(lambda: panel.ready)

    panel.receive({"kind": "preview", **panel.scene["start"], "view": "v1"})
    until(lambda: panel.preview.get("shown") or panel.preview.get("failed"))
    assert panel.preview.get("shown"), panel.preview
    content, buffers = ask(opened, kind="view", **panel.scene["start"])
    assert [layer["name"] for layer in content["layers"]] == ["preview"]
    assert len(buffers) == 2
    # Tiles of a preview that did not end are not left over the result.
    drawn = job.controller.preview
    job.controller.preview_changed.emit(PreviewPart(drawn.request, drawn.plan, drawn.pixels, drawn.thoughts))
    job.controller.preview_changed.emit(PreviewCancelled(drawn.request))
    content, _ = ask(opened, kind="view", **panel.scene["start"])
    assert [layer["name"] for layer in content["layers"]] == ["result"]
    panel.receive({"kind": "preview", "off": True})
    assert panel.preview == {}

    first = job.path
    assert panel.target["name"] == "out-2.zarr"
    panel.receive({"kind": "edit", "path": "operation.prompt", "value": "segment the bright coins", "view": "v1"})
    until(lambda: panel.ready)
    panel.receive({"kind": "run", "view": "v1"})
    # The job is another run a moment before the panel shows it.
    until(lambda: panel.scene["output"] != str(first) and panel.status["state"] == "complete")
    # What the panel shows is what the job is.
    assert job.path == first.with_name("out-2.zarr")
    assert panel.scene["output"] == str(job.path)
    assert "bright" in panel.title
    assert job.result.plan.grid.tile_size == 64
    assert "bright" in job.job.operation.prompt
    assert panel.target["name"] == "out-3.zarr"
    # The result before is kept, to be compared.
    assert [shown["name"] for shown in panel.results] == ["out.zarr", "out-2.zarr"]
    panel.receive({"kind": "show", "path": str(first), "view": "v1"})
    assert job.path == first
    assert panel.scene["output"] == str(first)
    assert job.result.plan.grid.tile_size == 128
    assert ask(opened, kind="show", path="elsewhere.zarr")[0]["kind"] == "notice"
    # A name that is taken is refused, and nothing changes.
    panel.receive({"kind": "edit", "path": "output", "value": str(first), "view": "v1"})
    until(lambda: panel.ready)
    assert "exists already" in ask(opened, kind="run")[0]["text"]
    assert len(job.runs) == 2


def written(plan):
    return json.dumps(plan.to_json(), sort_keys=True)


def test_form_python_job_file_and_command_line_make_one_plan_to_the_byte(tmp_path):
    image, output = str(tmp_path / "münzen 1.png"), str(tmp_path / "out put.zarr")
    imsave(image, data.coins()[:128, :160], check_contrast=False)
    options = {"engine": "reference", "scale": (0.5, 0.5), "units": "um"}
    job = napari_s1omni.segment(image, tmp_path / "first.zarr", prompt="coins", block=False, **options)
    # As the browser sends it.
    for path, value in {
        "operation.prompt": "segment the coins, it's about 45 px",
        "operation.min_size": 30,
        "operation.fill_holes": False,
        "tiling.tile_size": 64,
        "tiling.overlap": 16,
        "sampling.think": "once",
        "sampling.seed": 7,
    }.items():
        until(lambda: job.controller.source is not None)
        job.panel.receive({"kind": "edit", "path": path, "value": value, "view": "v1"})
    job.controller.output = output
    job.controller.refresh()
    until(lambda: (p := job.controller.prepared) and p.plan.job.output == output and p.plan.sampling.seed == 7)
    form = written(job.controller.prepared.plan)
    first = written(job.wait(240).plan)
    job.close()

    made, _ = make_job("segmentation", image, tmp_path / "first.zarr", {**options, "prompt": "coins"})
    assert first == written(prepare(made).plan)
    prompt = "segment the coins, it's about 45 px"
    more = {"min_size": 30, "fill_holes": False, "tile_size": 64, "overlap": 16, "think": "once", "seed": 7}
    made, _ = make_job("segmentation", image, output, {**options, **more, "prompt": prompt})
    assert written(prepare(made).plan) == form
    (tmp_path / "job.yaml").write_text(made.dump(), encoding="utf-8")
    assert written(prepare(Job.load(tmp_path / "job.yaml")).plan) == form
    command = [sys.executable, "-m", "napari_s1omni", "run", tmp_path / "job.yaml", "--dry-run", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert json.dumps(json.loads(done.stdout)["plan"], sort_keys=True) == form


def test_changing_the_operation_changes_the_form(opened):
    panel, _ = opened
    panel.receive({"kind": "edit", "path": "operation.type", "value": "super_resolution"})
    until(lambda: any(field["path"] == "operation.factor" for field in panel.form))
    until(lambda: panel.ready)


def test_everything_the_browser_needs_is_in_the_package():
    script, style = str(Panel._esm), str(Panel._css)
    assert "export default" in script
    assert ".s1o-root" in style
    assert "http" not in script + style
