"""Options are flat, so that every field of a document must have a name of its own; types and fields agree."""

import inspect
import typing

import numpy as np
import pytest

import napari_s1omni
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.tiling import Tiling
from napari_s1omni.errors import JobError
from napari_s1omni.jobs import options
from napari_s1omni.jobs.options import make_job, option_fields
from napari_s1omni.jobs.run import run
from napari_s1omni.operations import OPERATIONS
from napari_s1omni.planning.job import SourceRef

TYPES = {
    "segmentation": options.SegmentationOptions,
    "super_resolution": options.SuperResolutionOptions,
    "modality_translation": options.TranslationOptions,
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_option_has_a_name_of_its_own(operation):
    models = (OPERATIONS[operation].model, SourceRef, Tiling, Sampling)
    fields = [name for model in models for name in model.model_fields if name not in ("type", "uri")]
    fields += ["engine", "region", *(["into"] if operation == "segmentation" else [])]
    assert sorted(option_fields(operation)) == sorted([*fields, "image"])
    assert not {*fields, "image"} & {"source", "output", "block", *options.RUN_OPTIONS}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_typed_options_are_the_fields(operation):
    hints = typing.get_type_hints(TYPES[operation])
    fields = option_fields(operation)
    assert set(hints) == {*fields, *options.RUN_OPTIONS}
    # A region may also be said in short forms.
    short = typing.get_args(hints["region"])
    assert set(typing.get_args(fields["region"][1].annotation)) < set(short)
    for name, (_, field) in fields.items():
        if name != "region":
            assert hints[name] == field.annotation, name


def test_run_options_are_those_of_run():
    parameters = inspect.signature(run).parameters.values()
    hints = typing.get_type_hints(run)
    keywords = {p.name: hints[p.name] for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert typing.get_type_hints(options.RunOptions) == keywords


def test_translating_says_what_the_source_shows():
    image = np.zeros((8, 8), np.uint8)
    given = {"target": "hematoxylin", "source_modality": "H&E"}
    job, array = make_job("modality_translation", image, options=given)
    assert job.operation.source_modality == "H&E"
    assert array is image
    napari_s1omni.translate(np.zeros((40, 40, 3), np.uint8), engine="reference", **given)


@pytest.mark.parametrize(("name", "nearest"), [("tile_siz", "tile_size"), ("promt", "prompt"), ("worker", "workers")])
def test_an_unknown_option_is_refused_with_the_nearest_name(name, nearest):
    with pytest.raises(JobError, match=f"unknown option '{name}'. Did you mean '{nearest}'"):
        napari_s1omni.segment(np.zeros((8, 8)), **{name: 64})
    with pytest.raises(JobError, match=f"unknown option '{name}'. Did you mean '{nearest}'"):
        napari_s1omni.segment(np.zeros((8, 8)), block=False, **{name: 64})
