"""What a request asks for: read before a run, said, and refused if it is nothing."""

import dataclasses

import numpy as np
import pytest
from skimage import data

from napari_s1omni.core.requests.reading import in_english, read_request
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.description import Vocabulary
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.reference.description import describe
from napari_s1omni.errors import JobError
from napari_s1omni.jobs.options import make_job
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.operations.segmentation import Segmentation
from napari_s1omni.operations.super_resolution import SuperResolution

SPEC = LayerSpec((300, 400), ("y", "x"), "uint8")


@pytest.mark.parametrize(
    ("prompt", "kind", "polarity", "unknown", "left_out"),
    [
        ("segment the nuclei, about 12 px", "nuclei", None, (), ()),
        ("cell nuclei", "nuclei", None, (), ()),
        ("find the dark round nuclei", "nuclei", "dark", ("round",), ()),
        ("bright spots in the GFP channel", "spots", "bright", ("GFP",), ()),
        ("segment asdf", None, None, ("asdf",), ()),
        ("segment everything", "objects", None, (), ()),
        ("glomeruli", "bodies", None, (), ()),
        ("20 px", None, None, (), ()),
        ("nuclei, but not the dark ones", "nuclei", None, (), ("not the dark ones",)),
        ("cells without debris", "cells", None, (), ("without debris",)),
        ("nothing but nuclei", "nuclei", None, (), ()),
        ("segmentiere die dunklen Zellkerne, etwa 20 px", "nuclei", "dark", (), ()),
        ("segmente os núcleos no canal 1", "nuclei", None, ("canal",), ()),
        ("noyaux sombres d'environ 10 µm", "nuclei", "dark", (), ()),
        ("busca las células brillantes", "cells", "bright", (), ()),
        ("分割所有细胞核, 约 20 像素", "nuclei", None, (), ()),
    ],
)
def test_requests_are_read(prompt, kind, polarity, unknown, left_out):
    found = read_request(prompt)
    assert (found.kind, found.polarity, found.unknown, found.left_out) == (kind, polarity, unknown, left_out)
    assert found.wants


@pytest.mark.parametrize(
    "prompt",
    [
        "asdf qwer",
        "",
        "  ",
        "do not segment anything",
        "don't segment the cells",
        "segment nothing",
        "ignore debris smaller than 5 px",
        "please leave the image alone",
        "what is this image?",
        "nichts segmentieren",
        "ne segmente rien",
        "no segmentar nada",
        "não segmente nada",
        "不要分割",
    ],
)
def test_a_request_that_asks_for_nothing_is_a_question(prompt):
    with pytest.raises(JobError, match="What should be segmented"):
        Segmentation(prompt=prompt).understanding(SPEC, describe())


def test_an_engine_that_reads_any_words_gets_any_but_none():
    free = dataclasses.replace(describe(), vocabulary=None)
    assert Segmentation(prompt="asdf qwer").understanding(SPEC, free).sentences == ()
    assert Segmentation(prompt="do not segment anything").understanding(SPEC, free).sentences == ()
    with pytest.raises(JobError, match="the request is empty"):
        Segmentation(prompt=" ").understanding(SPEC, free)


def test_what_is_understood_is_said_and_what_is_not():
    def read(prompt, spec=SPEC, engine=None):
        found = Segmentation(prompt=prompt).understanding(spec, engine or describe())
        return found.understood, [doubt.brief for doubt in found.doubts]

    um = SPEC.replace(scale=(0.5, 0.5), units=("micrometer", "micrometer"))
    assert read("find the bright nuclei, about 6 um", um) == ("nuclei, bright, about 12 px (6 um)", [])
    assert read("nuclei, about 12 um") == ("nuclei", ["'12 um' is not used: the image has no pixel size."])
    assert read("about 5000 px") == ("objects, about 5000 px", ["5000 px is larger than the image."])
    assert read("small nuclei") == ("nuclei", ["'small' is not understood."])
    trained = dataclasses.replace(describe(), vocabulary=Vocabulary(("en",), kinds=True, adjectives=("small",)))
    assert read("small nuclei", engine=trained) == ("nuclei", [])
    assert read("nuclei and cells") == ("nuclei", ["'cells' is not asked for."])
    (doubt,) = SuperResolution(prompt="remove the blur").understanding(SPEC, describe()).doubts
    assert "changes nothing" in doubt.brief
    assert not SuperResolution().understanding(SPEC, describe()).doubts


def test_another_language_is_told_in_english_to_a_model_that_reads_no_other():
    assert in_english("segment the dark nuclei") is None
    assert in_english("asdf") is None
    told = Instruction("segmentation", "dunkle Zellkerne, etwa 10 µm", (256, 256), pixel=0.5).plain
    assert told.request == "segment the dark nuclei, about 20 px"
    assert told.object_size == 20
    same = Instruction("segmentation", "segment the nuclei, about 20 px", (256, 256))
    assert same.plain is same


def test_a_plan_tells_doubts_about_brightness_and_axes():
    def doubts(image, prompt):
        prepared = prepare(*make_job("segmentation", image, None, {"prompt": prompt, "engine": "reference"}))
        assert {doubt.sentence for doubt in prepared.doubts} <= set(prepared.plan.notes)
        assert any(f"Understood: {prepared.understood}" in note for note in prepared.plan.notes)
        return [doubt.brief for doubt in prepared.doubts]

    fluorescence = np.zeros((128, 128), np.uint16)
    fluorescence[30:60, 30:60] = 900
    assert doubts(fluorescence, "find the dark nuclei") == ["Most of this image is dark, as ground is."]
    assert not doubts(fluorescence, "find the bright nuclei")
    tissue = data.immunohistochemistry()[:128, :128]
    assert not doubts(tissue, "find the dark nuclei")
    assert "Axes are read as 'zyx'." in doubts(np.zeros((40, 32, 32)), "nuclei")
    assert not doubts(np.zeros((32, 32, 3), np.uint8), "nuclei")
