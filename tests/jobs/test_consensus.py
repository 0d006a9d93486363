"""The polarity of a layer is measured before its tiles, told to engines that take it, and overruled by the request."""

import numpy as np
import pytest
from scipy import ndimage

import napari_s1omni
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.execution.pipeline.plane_reader import PlaneReader
from napari_s1omni.execution.pipeline.retry import Retry
from napari_s1omni.frontends.session.request_line import request_line
from napari_s1omni.jobs.prepare import MeasuredSource, measure_source, prepare
from napari_s1omni.planning.job import Job
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.source_boxes import source_boxes
from napari_s1omni.storage.arrays.layer_copy import LayerCopy


def discs(shape, height=3000.0, ground=500.0):
    """Discs of 18 px, 40 px apart, on an even ground."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    inside = np.hypot(y % 40 - 20, x % 40 - 20) < 9
    noise = np.random.default_rng(0).normal(0, 40, shape)
    return (ground + height * ndimage.gaussian_filter(inside.astype(float), 1) + noise).astype(np.uint16)


def job(prompt="segment the nuclei", engine="nano", **more):
    return Job.read(
        {"source": {"uri": "memory:array"}, "operation": {"type": "segmentation", "prompt": prompt}, "engine": engine}
        | more
    )


@pytest.mark.parametrize(("height", "ground", "polarity"), [(3000, 500, "bright"), (-3000, 4000, "dark")])
def test_what_is_measured_is_told_said_and_stored(height, ground, polarity):
    prepared = prepare(job(), discs((1000, 1000), height, ground))
    plan = prepared.plan
    other = {"bright": "dark", "dark": "bright"}[polarity]
    assert plan.instruction.plain.request == f"segment the {polarity} nuclei"
    said = f"Objects are {polarity} on {other} ground, measured on 4 places of the layer."
    assert said in plan.notes
    # Even discs are no nuclei: that is said between the two.
    assert request_line(prepared).startswith("Understood: nuclei. ")
    assert request_line(prepared).endswith(said)
    again = Plan.from_json(plan.to_json())
    assert (again.consensus, again.digest) == (plan.consensus, plan.digest)
    assert plan.consensus.size == pytest.approx(18, rel=0.2)


def test_a_region_and_a_copy_of_a_part_are_told_the_same(tmp_path):
    """The copy holds the region only, in which there is nothing but ground."""
    pixels = discs((1500, 1500))
    pixels[:600, :600] = 500
    part = job(region={"y": [0, 200], "x": [0, 200]})
    measured = measure_source(part.source, pixels)
    prepared = prepare(part, pixels, seen=measured)
    assert prepared.plan.instruction == prepare(job(), pixels).plan.instruction
    assert prepared.plan.instruction.polarity == "bright"
    copy = LayerCopy(measured.source, tmp_path / "copy.zarr", measured.measures())
    copy.add(source_boxes(prepared.plan))
    copy.keep(measured.known, {})
    assert prepare(part.replace(source={"uri": str(copy.path)})).plan.digest == prepared.plan.digest


@pytest.mark.parametrize(
    ("prompt", "engine"),
    [("segment the dark nuclei", "nano"), ("dunkle Zellkerne", "nano"), ("nuclei", "reference"), ("coins", "nano")],
)
def test_nothing_is_measured_where_the_request_says_it_or_nobody_would_be_told(prompt, engine):
    plan = prepare(job(prompt, engine), discs((200, 200))).plan
    assert plan.consensus is None
    assert "consensus" not in plan.to_json()
    assert "Polarity" not in plan.instruction.text
    assert not plan.told


def test_where_it_is_unsure_nothing_is_said():
    stripes = np.tile(np.repeat([0, 1000], 20), (400, 10)).astype(np.uint16)
    plan = prepare(job(), stripes).plan
    assert plan.instruction.polarity is None
    assert not plan.told


@pytest.mark.parametrize(
    ("request_", "plain"),
    [
        ("segment the nuclei", "segment the bright nuclei"),
        ("all cell nuclei, about 12 px", "all bright cell nuclei, about 12 px"),
        ("Segmentiere die Zellkerne, etwa 20 px", "segment the bright nuclei, about 20 px"),
        ("about 20 px", "segment the bright objects: about 20 px"),
        ("segment the dark nuclei", "segment the dark nuclei"),
    ],
)
def test_an_instruction_says_it_in_the_words_of_training(request_, plain):
    told = Instruction("segmentation", request_, polarity="bright")
    assert told.plain.request == plain
    assert told.plain.object_size == told.object_size
    assert Instruction.read(told.text) == told
    assert told.replace(request="dark cells").plain.request == "dark cells"


def test_a_result_begun_without_it_goes_on_as_it_was_begun(tmp_path, monkeypatch):
    image = tmp_path / "discs.npy"
    np.save(image, discs((96, 96)))
    one = Job.read(
        {"source": {"uri": str(image)}, "operation": {"type": "segmentation"}, "engine": "nano"}
        | {"output": str(tmp_path / "nuclei.zarr")}
    )
    with monkeypatch.context() as earlier:
        earlier.setattr(MeasuredSource, "consensus", lambda *a: None)
        begun = napari_s1omni.run(one, durable=False)
    assert next(iter(begun.thoughts.values())).prompt.endswith("segment the nuclei")
    plan = prepare(one).plan
    assert plan.digest == begun.plan.digest
    assert "The engine gets of the layer what it got when this result was begun." in plan.notes
    assert napari_s1omni.run(one, durable=False).complete

    told = napari_s1omni.run(one.replace(output=str(tmp_path / "other.zarr")), durable=False)
    assert next(iter(told.thoughts.values())).prompt.endswith("segment the bright nuclei")


def on_a_slope(shape=(150, 200)):
    """Bright discs on ground that is as bright as they are at the upper edge."""
    return (discs(shape, 2000.0) + 2000 * np.exp(-np.arange(shape[0]) / 60)[:, None]).astype(np.uint16)


def test_uneven_ground_is_said_and_taken_out_of_what_the_engine_sees():
    """It is the same in every block and tile, and in a part of the layer."""
    pixels = on_a_slope()
    prepared = prepare(job("segment the discs, about 18 px"), pixels)
    plan = prepared.plan
    assert "The ground is uneven: " in plan.told
    assert plan.told in plan.notes
    again = Plan.from_json(plan.to_json())
    assert (again.even_ground, again.digest) == (plan.even_ground, plan.digest)
    reader = PlaneReader(plan, prepared.source, Retry(), lambda step: None)
    whole = reader.read(0, 0, 0, (0, 150), (0, 200))
    assert np.median(whole[0, :20]) == pytest.approx(np.median(whole[0, -20:]), abs=0.1)
    part = reader.read(0, 0, 0, (20, 97), (31, 200))
    assert np.array_equal(part, whole[:, 20:97, 31:200])


@pytest.mark.parametrize(
    ("prompt", "engine", "pixels"),
    [
        ("segment the discs, about 18 px", "nano", discs((150, 200))),
        ("segment the dark discs, about 18 px", "nano", on_a_slope()),
        ("segment the discs, about 18 px", "reference", on_a_slope()),
    ],
    ids=["even ground", "dark objects", "an engine that finds the ground itself"],
)
def test_ground_is_left_as_it_is(prompt, engine, pixels):
    plan = prepare(job(prompt, engine), pixels).plan
    assert plan.even_ground is None
    assert "even_ground" not in plan.fingerprint()
    assert "uneven" not in plan.told


def test_a_result_begun_on_uneven_ground_goes_on_with_it(tmp_path, monkeypatch):
    """Earlier versions left the ground as it was."""
    image = tmp_path / "slope.npy"
    np.save(image, on_a_slope())
    one = job("segment the discs, about 18 px", source={"uri": str(image)}, output=str(tmp_path / "discs.zarr"))
    with monkeypatch.context() as earlier:
        earlier.setattr(MeasuredSource, "consensus", lambda *a: None)
        begun = napari_s1omni.run(one, durable=False)
    plan = prepare(one).plan
    assert plan.digest == begun.plan.digest
    assert plan.even_ground is None
    assert napari_s1omni.run(one, durable=False).complete
