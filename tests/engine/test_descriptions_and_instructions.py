"""Values that pass between plans and engines: descriptions and instructions, and their stored forms."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.description import Division, EngineDescription, EngineHost, EngineLimits, EngineMemory
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.planning.job import Job
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.resolve import resolve

DESCRIPTION = EngineDescription(
    name="nano",
    revision="1-abc",
    operations=("segmentation", "modality_translation"),
    limits=EngineLimits(16, 32, 1024),
    targets=("nuclei",),
    division=Division(0.25, 0.1, 0.2),
    threads=2,
    host=EngineHost(EngineMemory(10**9, 512.0), 0.5, ("cuda", "cpu"), 1, "cuda:0: all", "first choice"),
    title="a model",
    citation="somebody",
    weights_license="MIT",
)
OLD = {
    "name": "nano",
    "revision": "1-abc",
    "operations": ["segmentation", "modality_translation"],
    "title": "a model",
    "limits": {"multiple_of": 16, "min_size": 32, "max_size": 1024},
    "memory": {"resident": 10**9, "per_tile_pixel": 512.0},
    "tile_size": 256,
    "overlap": 64,
    "micro_batch": 8,
    "targets": ["nuclei"],
    "encoding": "fields",
    "division": {"distance": 0.25, "rise": 0.1, "least": 0.2},
    "seconds_per_tile": 0.5,
    "think": "per_tile",
    "weights_license": "MIT",
    "citation": "somebody",
    "generates": True,
    "devices": ["cuda", "cpu"],
    "gpus": 1,
    "placement": "cuda:0: all",
    "threads": 2,
    "why": "first choice",
}
"""The same description as plans stored it before identity and host were separated."""
NOT_IN_OLD_FINGERPRINT = {
    "title", "why", "citation", "seconds_per_tile", "memory", "devices", "gpus", "placement", "weights_license"
}  # fmt: skip


def plan_of(description):
    job = Job.read({"source": "image.zarr", "operation": {"type": "segmentation", "prompt": "nuclei, 12 um"}})
    layer = LayerSpec((500, 500), ("y", "x"), "uint16", scale=(0.612345, 0.612345), units=("micrometer",) * 2)
    return resolve(job, layer, Normalization((0.0,), (1000.0,)), description)


def test_old_and_new_descriptions_are_read():
    assert EngineDescription.from_json(OLD) == DESCRIPTION
    assert EngineDescription.from_json(json.loads(json.dumps(DESCRIPTION.to_json()))) == DESCRIPTION
    early = {key: value for key, value in OLD.items() if key not in ("division", "threads", "gpus", "placement")}
    assert EngineDescription.from_json(early).division == Division()


def test_the_fingerprint_has_the_keys_and_values_it_had_before():
    """A run that was begun before identity and host were separated is resumed."""
    new = {key: value for key, value in plan_of(DESCRIPTION).fingerprint().items() if key.startswith("engine.")}
    old = {}
    for key, value in OLD.items():
        if key not in NOT_IN_OLD_FINGERPRINT:
            nested = value.items() if isinstance(value, dict) else [("", value)]
            old.update({".".join(filter(None, ("engine", key, inner))): v for inner, v in nested})
    assert json.loads(json.dumps(new)) == old


def test_identity_is_all_that_the_fingerprint_sees():
    plan = plan_of(DESCRIPTION)
    elsewhere = dataclasses.replace(DESCRIPTION, host=EngineHost(), title="", citation="", weights_license="")
    assert elsewhere.identity == DESCRIPTION.identity
    assert plan_of(elsewhere).digest == plan.digest
    for field in dataclasses.fields(DESCRIPTION.identity):
        changed = {"think": "off", "encoding": "overlay", "generates": False}.get(field.name)
        if changed is not None:
            other = plan_of(dataclasses.replace(DESCRIPTION, **{field.name: changed}))
            assert f"engine.{field.name}" in plan.fingerprint()
            assert other.digest != plan.digest


def test_a_stored_plan_has_the_same_instruction():
    plan = plan_of(DESCRIPTION)
    stored = json.loads(json.dumps(plan.to_json()))
    assert stored["instruction"].splitlines()[0] == "Task: segmentation"
    again = Plan.from_json(stored)
    assert again.instruction == plan.instruction
    assert again.engine == plan.engine
    assert again.digest == plan.digest
    assert Plan.from_json(stored | {"engine": OLD}) == again


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp", "Cs")), max_size=30)


@given(
    st.builds(
        Instruction,
        task=st.sampled_from(("segmentation", "super_resolution", "modality_translation")),
        request=st.text(max_size=60),
        tile=st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
        view=st.integers(1, 99999).map(float),
        pixel=st.none() | st.floats(1e-6, 1e7),
        factor=st.tuples(st.integers(1, 16), st.integers(1, 16)),
        source=st.none() | words.filter(lambda text: "Request: " not in text),
        target=st.none() | words.filter(lambda text: "Request: " not in text),
    )
)
def test_text_and_value_say_the_same(instruction):
    assert Instruction.read(instruction.text) == instruction


@pytest.mark.parametrize("question", ["What do you see?", "", "Task: nothing\nhere"])
def test_free_words_are_a_question(question):
    instruction = Instruction.read(question)
    assert instruction.task == ""
    assert instruction.text == question
