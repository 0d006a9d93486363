"""What is not above noise, slopes and single dots is said, not segmented; dim objects still are."""

import numpy as np
import pytest

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.registry import create_engine
from napari_s1omni.operations.instance_segmentation import InstanceRules, label_plane

EDGE = 160
Y, X = np.mgrid[:EDGE, :EDGE]
RNG = np.random.default_rng(0)
WHERE = [(40, 50), (100, 120), (130, 40), (30, 120)]
BLOBS = sum(np.exp(-((Y - y) ** 2 + (X - x) ** 2) / 60) for y, x in WHERE)
NOISE = RNG.normal(100, 10, (EDGE, EDGE))
DICE = RNG.random((EDGE, EDGE))


def dots(plane):
    return np.where(DICE < 0.03, plane.min(), np.where(DICE > 0.97, plane.max(), plane))


def segment(plane, request="segment the nuclei"):
    """Return the trace and the number of objects of a plane in the layer's range, as a run sees it."""
    low, high = np.percentile(plane, (0.1, 99.9))
    image = np.repeat(((plane - low) / max(high - low, 1)).astype(np.float32)[None], 3, axis=0)
    engine, sampling = create_engine("reference"), Sampling(think="once")
    (thought,) = engine.think(image[None], Instruction("segmentation", request, (EDGE, EDGE)), sampling)
    wide = np.pad(image, ((0, 0), *[(thought.margin, thought.margin)] * 2), constant_values=np.nan)
    (fields,) = engine.generate(wide[None], [thought], sampling, [NoiseField(0, (0, 0), (0, 0), (EDGE, EDGE))])
    rules = InstanceRules(12, None, True, False, 32, 800)
    return thought.trace, int(label_plane(fields, rules, (True,) * 4, engine.description.division).max())


@pytest.mark.parametrize(
    "plane",
    [
        pytest.param(NOISE, id="noise"),
        pytest.param(RNG.poisson(5, (EDGE, EDGE)).astype(float), id="photons"),
        pytest.param(np.full((EDGE, EDGE), 7.0), id="constant"),
        pytest.param(X + 2.0 * Y, id="gradient"),
        pytest.param(X + RNG.normal(0, 5, (EDGE, EDGE)), id="gradient and noise"),
        pytest.param(-((X - 80.0) ** 2) - (Y - 80.0) ** 2, id="vignette"),
        pytest.param(np.where(DICE < 0.03, 0.0, np.where(DICE > 0.97, 1.0, 0.5)), id="salt and pepper"),
    ],
)
@pytest.mark.parametrize("request_", ["segment the nuclei", "segment the nuclei, about 15 px"])
def test_an_image_without_objects_says_so_and_has_none(plane, request_):
    trace, count = segment(plane, request_)
    assert "Nothing stands out" in trace
    assert count == 0


@pytest.mark.parametrize(
    "plane",
    [
        pytest.param(NOISE + 20 * BLOBS, id="twice the noise"),
        pytest.param(NOISE + 15 * BLOBS, id="one and a half times the noise"),
        pytest.param(dots(0.2 + 0.4 * BLOBS), id="among black and white dots"),
        pytest.param(100 + RNG.normal(0, 0.3, (EDGE, EDGE)) + BLOBS, id="dim, with little noise"),
    ],
)
def test_dim_objects_are_found(plane):
    trace, count = segment(plane)
    assert "Nothing stands out" not in trace
    assert count == len(WHERE)
