"""Nuclei of a section that is brown from DAB are looked for in hematoxylin alone, and the plan says so."""

import numpy as np
import pytest
from skimage.data import immunohistochemistry

import napari_s1omni
from napari_s1omni.engine.reference.stains import brown_share, keep_stain
from napari_s1omni.frontends.session.request_line import request_line
from napari_s1omni.jobs.prepare import measure_source, prepare
from napari_s1omni.planning.job import Job
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.source_boxes import source_boxes
from napari_s1omni.storage.arrays.layer_copy import LayerCopy

TISSUE = immunohistochemistry()[150:406, 150:406]


def job(prompt="segment the nuclei", engine="nano", **more):
    source = {"uri": "memory:array", "axes": "yxc"}
    return Job.read(
        {"source": source, "operation": {"type": "segmentation", "prompt": prompt}, "engine": engine} | more
    )


@pytest.mark.parametrize("engine", ["nano", "reference"])
def test_the_plan_takes_brown_out_and_says_so(engine):
    prepared = prepare(job(engine=engine), TISSUE)
    plan = prepared.plan
    assert plan.counterstain == "dab"
    assert plan.fingerprint()["counterstain"] == "dab"
    assert any(note.startswith("Nuclei are looked for in hematoxylin alone") for note in plan.notes)
    line = request_line(prepared)
    assert line.startswith("Understood: nuclei. ")
    assert "Nuclei are looked for in hematoxylin alone" in line
    assert plan.instruction.polarity == ("dark" if engine == "nano" else None)
    assert Plan.from_json(plan.to_json()).digest == plan.digest
    pixels = np.moveaxis(TISSUE, -1, 0)
    seen = plan.to_model(pixels, 0)
    assert brown_share(np.moveaxis(TISSUE / np.float32(255), -1, 0)) > 0.5
    assert brown_share(seen) == 0
    np.testing.assert_array_equal(plan.to_model(pixels[:, 31:90, 17:80], 0), seen[:, 31:90, 17:80])


@pytest.mark.parametrize("prompt", ["segment the brown nuclei", "DAB-positive nuclei", "segment the cells", "glands"])
def test_other_requests_see_the_section_as_it_is(prompt):
    plan = prepare(job(prompt), TISSUE).plan
    assert plan.consensus is None
    assert "counterstain" not in plan.fingerprint()


def test_a_user_who_says_dark_still_gets_hematoxylin(tmp_path):
    """A worker that opens the copy of a layer plans the same, whichever request was planned first."""
    measured = measure_source(job().source, TISSUE)
    dark = prepare(job("segment the dark nuclei"), TISSUE, seen=measured).plan
    assert (dark.counterstain, dark.consensus.polarity) == ("dab", None)
    plain = prepare(job(), TISSUE, seen=measured).plan
    copy = LayerCopy(measured.source, tmp_path / "copy.zarr", measured.measures())
    copy.add(source_boxes(plain))
    copy.keep(measured.known, measured.described)
    stored = {"uri": str(copy.path), "axes": "syx"}
    assert prepare(job().replace(source=stored)).plan.digest == plain.digest
    assert prepare(job("segment the dark nuclei").replace(source=stored)).plan.digest == dark.digest


def test_hematoxylin_and_eosin_stay_as_they_are():
    """Purple blobs on pink."""
    y, x = np.mgrid[:200, :200]
    blob = (np.hypot(y % 40 - 20, x % 40 - 20) < 9)[None]
    density = np.where(blob, [[[0.65]], [[0.7]], [[0.29]]], [[[0.02]], [[0.3]], [[0.03]]])
    picture = np.moveaxis(np.rint(255 * 10**-density), 0, -1).astype(np.uint8)
    plan = prepare(job(), picture).plan
    assert plan.counterstain is None
    assert plan.instruction.polarity == "dark"


def test_blue_nuclei_are_found_and_brown_walls_are_not():
    labels = napari_s1omni.segment(TISSUE, engine="reference", axes="yxc", durable=False).array[...]
    light = np.moveaxis(TISSUE / np.float32(255), -1, 0)
    inside = labels > 0
    outside = (labels == 0) & (light.mean(axis=0) < 0.75)
    assert labels.max() > 60
    for stain, other, sign in (("hematoxylin", "dab", 1), ("dab", "hematoxylin", -1)):
        dark = 1 - keep_stain(light, stain, other).mean(axis=0)
        assert sign * dark[inside].mean() > sign * dark[outside].mean()
