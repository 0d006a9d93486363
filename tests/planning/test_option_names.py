"""Options of the verbs are flat, so every field of a document must be free to be one."""

import inspect

import numpy as np
import pytest

import napari_s1omni
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.tiling import Tiling
from napari_s1omni.jobs.run import make_job
from napari_s1omni.operations import ModalityTranslation, Segmentation, SuperResolution

VERBS = {"segment": Segmentation, "super_resolve": SuperResolution, "translate": ModalityTranslation}


@pytest.mark.parametrize("verb", VERBS)
def test_no_field_has_the_name_of_a_parameter_that_means_something_else(verb):
    own = set(inspect.signature(getattr(napari_s1omni, verb)).parameters) - {"prompt", "options"}
    for model in (VERBS[verb], Tiling, Sampling):
        assert not own & set(model.model_fields)


def test_translating_says_what_the_source_shows():
    image = np.zeros((8, 8), np.uint8)
    options = {"target": "hematoxylin", "source_modality": "H&E"}
    job, array = make_job("modality_translation", image, options=options)
    assert job.operation.source_modality == "H&E"
    assert array is image
    napari_s1omni.translate(np.zeros((40, 40, 3), np.uint8), engine="reference", **options)
