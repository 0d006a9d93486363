"""An image unlike those that nano was trained on: 'auto' passes nano over, and whoever names it is told."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from napari_s1omni.frontends.session.request_line import request_line
from napari_s1omni.jobs.batch import run_batch
from napari_s1omni.jobs.prepare import measure_source, prepare
from napari_s1omni.planning.job import Job
from napari_s1omni.planning.source_boxes import source_boxes
from napari_s1omni.results.report.page import report
from napari_s1omni.results.result import Result
from napari_s1omni.storage.arrays.layer_copy import LayerCopy
from napari_s1omni.storage.collections import list_sources

skdata = pytest.importorskip("skimage.data")
pytest.importorskip("diffusers")


@pytest.fixture(autouse=True)
def _auto_decides(monkeypatch):
    monkeypatch.delenv("S1OMNI_AUTO", raising=False)


def job(engine="auto", prompt="segment the nuclei", **more):
    source = {"uri": "memory:array", **more.pop("source", {})}
    return Job.read(
        {"source": source, "operation": {"type": "segmentation", "prompt": prompt}, "engine": engine} | more
    )


def nuclei(shape=(700, 800)):
    """Smooth bright nuclei of 18 px on a dark ground with a little noise, as a Hoechst stain looks."""
    rng, (height, width) = np.random.default_rng(4), shape
    image = np.zeros(shape)
    for y in range(20, height, 42):
        for x in range(20, width, 42):
            cy, cx = rng.normal((y, x), 7)
            a, b, turn, light = *rng.uniform(7, 12, 2), rng.uniform(0, np.pi), rng.uniform(0.4, 1)
            yy, xx = np.mgrid[max(0, y - 30) : min(height, y + 30), max(0, x - 30) : min(width, x + 30)]
            u, v = (
                np.cos(turn) * (yy - cy) + np.sin(turn) * (xx - cx),
                np.cos(turn) * (xx - cx) - np.sin(turn) * (yy - cy),
            )
            part = image[yy[0, 0] : yy[-1, 0] + 1, xx[0, 0] : xx[0, -1] + 1]
            np.maximum(part, light * ((u / a) ** 2 + (v / b) ** 2 < 1), out=part)
    return (300 + 2500 * ndimage.gaussian_filter(image, 1.5) + rng.normal(0, 30, shape)).astype(np.uint16)


def test_auto_takes_nano_for_nuclei_and_says_why():
    prepared = prepare(job(), nuclei())
    plan = prepared.plan
    assert plan.engine.name == "nano"
    (said,) = [note for note in plan.notes if "trained on" in note]
    assert said.startswith("'auto' chose nano: the image is like those that nano was trained on (p 0.")
    assert not prepared.doubts


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "brick", "horse"])
def test_auto_takes_the_reference_engine_for_what_nano_does_not_know(name):
    pixels = getattr(skdata, name)()
    pixels = pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels
    prepared = prepare(job(source={"axes": "yxc"} if pixels.ndim == 3 else {}), pixels)
    assert prepared.plan.engine.name == "reference"
    (said,) = [note for note in prepared.plan.notes if "trained on" in note]
    assert said.startswith("'auto' chose reference: the image is unlike those that nano was trained on (p 0.0")
    assert "Unlike the images that nano knows: reference is used." in request_line(prepared)


def test_auto_keeps_nano_with_a_warning_where_an_image_is_unlike_but_not_far():
    prepared = prepare(job(), skdata.text())
    assert prepared.plan.engine.name == "nano"
    assert "Unlike the images that nano knows." in request_line(prepared)


def test_who_names_nano_is_told_too(monkeypatch):
    monkeypatch.setenv("S1OMNI_AUTO", "nano")
    for engine in ("nano", "auto"):
        prepared = prepare(job(engine), skdata.text())
        assert prepared.plan.engine.name == "nano"
        assert "Unlike the images that nano knows." in request_line(prepared)
        (said,) = [note for note in prepared.plan.notes if "trained on" in note]
        assert "The image is unlike those that nano was trained on (p 0.0" in said
        assert "compare a part of the result" in said
    (said,) = [note for note in prepare(job("nano"), nuclei()).plan.notes if "trained on" in note]
    assert said.startswith("The image is like those that nano was trained on (p ")


def test_nothing_is_said_where_nothing_is_known_or_used():
    for engine, prompt in (("reference", "segment the nuclei"), ("nano", "segment the axons")):
        assert not [note for note in prepare(job(engine, prompt), skdata.text()).plan.notes if "trained on" in note]
    larger = Job.read({"source": "memory:array", "operation": {"type": "super_resolution"}, "engine": "nano"})
    assert not [note for note in prepare(larger, skdata.text()).plan.notes if "trained on" in note]


def test_a_region_and_a_copy_of_a_part_are_judged_as_the_whole_layer(tmp_path):
    pixels = nuclei((1500, 1500))
    pixels[:600, :600] = 300
    part = job(region={"y": [0, 200], "x": [0, 200]})
    measured = measure_source(part.source, pixels)
    prepared = prepare(part, pixels, seen=measured)
    assert prepared.plan.engine.name == "nano"
    copy = LayerCopy(measured.source, tmp_path / "copy.zarr", measured.measures())
    copy.add(source_boxes(prepared.plan))
    copy.keep(measured.known, measured.described)
    again = prepare(part.replace(source={"uri": str(copy.path)})).plan
    assert again.digest == prepared.plan.digest
    assert [note for note in again.notes if "trained on" in note] == [
        note for note in prepared.plan.notes if "trained on" in note
    ]


def test_a_batch_and_a_report_name_the_unfamiliar_images(tmp_path):
    from tifffile import imwrite

    (tmp_path / "in").mkdir()
    imwrite(tmp_path / "in/noise.tif", np.random.default_rng(0).integers(0, 256, (128, 200), np.uint8))
    imwrite(tmp_path / "in/brick.tif", skdata.brick()[:256, :256])
    rows = run_batch(job(), list_sources(tmp_path / "in"), tmp_path / "out")
    assert all("unlike what nano knows (reference was used)" in row.warnings.split("; ") for row in rows)
    page = report(Result.open(rows[0].output))
    assert "image unlike those that nano knows" in page
    assert "&#x27;auto&#x27; chose reference: the image is unlike those that nano was trained on" in page


def test_judging_an_image_loads_no_torch():
    code = (
        "import sys, numpy as np, napari_s1omni\n"
        "job = napari_s1omni.Job(source={'uri': 'synthetic://nuclei?shape=600,800'}, operation={'type': 'segmentation'}, engine='nano')\n"
        "assert any('trained on' in note for note in napari_s1omni.prepare(job).plan.notes)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
