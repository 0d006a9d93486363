"""The thoughts of the reference engine state what it measured and draws: edited steps change pixels, other words do not."""

import re

import numpy as np
import pytest

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.engine.registry import create_engine
from napari_s1omni.errors import OperationRefused
from napari_s1omni.operations.modality_translation import ModalityTranslation

ENGINE = create_engine("reference")
EDGE = 96
Y, X = np.mgrid[:EDGE, :EDGE]


def tile(slope=0.0, dark=False):
    """float32 (3, 96, 96): nine discs of 14 px, the middle one faint, on a ground that may slope."""
    plane = 0.2 + slope * X / EDGE + np.random.default_rng(0).normal(0, 0.01, (EDGE, EDGE))
    for i in range(9):
        row, col = 16 + 32 * (i // 3), 16 + 32 * (i % 3)
        plane += (0.2 if i == 4 else 0.5) * (np.hypot(Y - row, X - col) < 7)
    plane = 1 - plane if dark else plane
    return np.repeat(plane[None].astype(np.float32), 3, axis=0)


def think(image, request, task="segmentation", **facts):
    words = Instruction(task, request, (EDGE, EDGE), **facts)
    (thought,) = ENGINE.think(image[None], words, Sampling())
    return thought


def generate(image, thought):
    (drawn,) = ENGINE.generate(image[None], [thought], Sampling(), [NoiseField(0, (0, 0), (0, 0), (EDGE, EDGE))])
    return drawn


def edited(thought, pattern, words):
    text, count = re.subn(pattern, words, thought.text)
    assert count == 1, thought.text
    return Thought(text, route=thought.route)


@pytest.fixture
def thought():
    return think(tile(), "segment the bright blobs")


@pytest.mark.parametrize(
    ("step", "value"),
    [
        ("signal", "dark"),
        ("object size", "40 px"),
        ("smoothing", "3 px"),
        ("ground", "0.3"),
        ("threshold", "0.3"),
        ("summit", "2.5"),
        ("least area", "500 px"),
        ("outline", "0.8"),
        ("rounding", "3 px"),
        ("necks", "1"),
    ],
)
def test_an_edited_step_changes_the_pixels(thought, step, value):
    other = edited(thought, rf"(?m)^(- {step}:) [^(\n]*", rf"\1 {value} ")
    assert not np.array_equal(generate(tile(), other), generate(tile(), thought))


def test_a_higher_threshold_leaves_the_faint_object_out(thought):
    drawn = generate(tile(), thought)[0]
    higher = generate(tile(), edited(thought, r"(?m)^(- threshold:) [\d.]+", r"\1 0.3"))[0]
    assert drawn[48, 48] > 0.5 > higher[48, 48]
    assert min(drawn[16, 16], higher[16, 16]) > 0.5


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"What I see\.[^\n]*", "What I see. Three ducks, each 300 px wide, at a threshold of 0.9."),
        (r"How I read the request\.[^\n]*", "How I read the request. With care."),
        (r"(?m)^(- threshold: [\d.]+) \(.*\)$", r"\1 (because my professor says so)"),
        (r"(?m)^(- threshold: [\d.]+) \(.*\)$", r"\1"),
        (r"I outlined the blobs[^\n]*", "I did what you asked."),
    ],
)
def test_words_outside_steps_change_nothing(thought, pattern, words):
    np.testing.assert_array_equal(generate(tile(), edited(thought, pattern, words)), generate(tile(), thought))


@pytest.mark.parametrize("dark", [False, True])
def test_the_trace_states_what_is_there(dark):
    trace = think(tile(slope=0.4, dark=dark), "segment the blobs").trace
    assert ("dark objects on a brighter ground" if dark else "bright objects on a darker ground") in trace
    number = r"(\d+(?:\.\d+)?)"
    even = think(tile(dark=dark), "segment the blobs").trace
    slopes = [float(re.search(rf"varies by {number} across", text)[1]) for text in (even, trace)]
    noise, contrast = (float(v) for v in re.search(rf"noise is {number}, the contrast {number},", trace).groups())
    size, cover, crowding = re.search(rf"about {number} px across and cover {number}% \((\w+)\)", trace).groups()
    assert slopes[0] < 0.05, "an even ground"
    assert 0.2 <= slopes[1] <= 0.4, "what of the slope is left when the ground is smoothed"
    assert noise == pytest.approx(0.01, abs=0.003)
    assert contrast == pytest.approx(0.5, abs=0.1)
    assert float(size) == pytest.approx(14, abs=3)
    assert float(cover) == pytest.approx(100 * 9 * np.pi * 49 / EDGE**2, abs=5)
    assert crowding == "scattered"


def test_the_trace_states_that_a_tile_has_no_objects():
    assert "Nothing stands out" in think(np.full((3, EDGE, EDGE), 0.3, np.float32), "segment the blobs").trace


@pytest.mark.parametrize(("request_", "pixel"), [("the nuclei, about 20 px", None), ("nuclei of 10 um", 0.5)])
def test_a_size_in_the_request_is_taken(request_, pixel):
    trace = think(tile(), request_, pixel=pixel).trace
    assert "- object size: 20.0 px (from the request)" in trace
    assert f"a size of 20 px{'' if pixel is None else ' (10.0 um at 0.5 um a px)'}, which I take" in trace


def test_a_size_in_um_is_ignored_without_a_pixel_size():
    trace = think(tile(), "nuclei of 10 um").trace
    assert "gives no size" in trace
    assert "(as measured)" in trace


def translated(image, target, **facts):
    return generate(image, think(image, "translate", "modality_translation", target=target, **facts))


def test_inverted_contrast_is_one_minus_the_value():
    np.testing.assert_array_equal(translated(tile(), "inverted contrast"), 1 - tile())


def test_an_equalized_histogram_is_flat_and_keeps_the_order():
    image = tile(slope=0.4)
    drawn = translated(image, "equalized histogram")
    counts = np.histogram(drawn, bins=8, range=(0, 1))[0] / drawn.size
    assert counts == pytest.approx(np.full(8, 1 / 8), abs=0.03)
    assert (np.diff(drawn[0].ravel()[np.argsort(image[0].ravel())]) >= 0).all()


def test_stains_are_separated():
    colours = {"hematoxylin": (0.65, 0.70, 0.29), "eosin": (0.07, 0.99, 0.11)}
    amounts = {"hematoxylin": 0.6 * (X < 40), "eosin": 0.4 * (Y < 60)}
    density = sum(np.multiply.outer(np.array(c) / np.linalg.norm(c), amounts[name]) for name, c in colours.items())
    slide = (10.0**-density).astype(np.float32)
    for name, amount in amounts.items():
        drawn = translated(slide, name, source="H&E")
        np.testing.assert_allclose(drawn, np.repeat(amount[None], 3, axis=0), atol=1e-4)


def test_another_counterstain_in_the_thought_draws_another_amount():
    slide = np.random.default_rng(1).random((3, EDGE, EDGE)).astype(np.float32)
    thought = think(slide, "translate", "modality_translation", target="hematoxylin", source="H&E")
    other = edited(thought, r"- counterstain: eosin", "- counterstain: dab")
    assert not np.allclose(generate(slide, other), generate(slide, thought), atol=0.01)


def test_refusing_a_target_suggests_an_engine_that_draws_it():
    layer = LayerSpec((64, 64), ("y", "x"), "uint16")
    with pytest.raises(OperationRefused, match="an engine that does: 'nano'"):
        ModalityTranslation(target="Nuclei").output_spec(layer, ENGINE.description)
    with pytest.raises(OperationRefused, match="an engine trained for it"):
        think(tile(), "translate", "modality_translation", target="CT")
