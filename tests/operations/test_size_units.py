"""One table of lengths: pixel sizes, options and requests in every unit; what a plan says about the size it understood."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.sizes.plain_words import in_plain_words
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import read_size, unit_name
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.jobs.options import make_job
from napari_s1omni.operations.pixel_size import length_in_px, object_size, pixel_um
from napari_s1omni.planning.resolve import resolve
from napari_s1omni.testing.fake_engine import FakeEngine

METRES = {
    "pm": 1e-12, "picometer": 1e-12, "picometre": 1e-12, "Å": 1e-10, "\u212b": 1e-10, "angstrom": 1e-10,
    "Ångström": 1e-10, "nm": 1e-9, "NM": 1e-9, "nanometers": 1e-9, "um": 1e-6, "µm": 1e-6, "\u03bcm": 1e-6,
    "micron": 1e-6, "Microns": 1e-6, "micrometre": 1e-6, "Mikrometer": 1e-6, "micromètre": 1e-6, "micrómetros": 1e-6,
    "micrômetro": 1e-6, "micras": 1e-6, "微米": 1e-6, "\\u00B5m": 1e-6, "mm": 1e-3, "millimetres": 1e-3, "毫米": 1e-3,
    "cm": 1e-2, "m": 1.0, "meter": 1.0, "km": 1e3, "in": 0.0254, "inch": 0.0254, "inches": 0.0254, "Zoll": 0.0254, "ft": 0.3048,
}  # fmt: skip
IN_OPTIONS = [unit for unit in METRES if unit.isalpha() and unit not in ("km", "ft")]
IN_REQUESTS = [unit for unit in IN_OPTIONS if unit not in ("in", "m", "pm")]


def layer(scale, unit):
    name = unit_name(unit)
    return LayerSpec((64, 64), ("y", "x"), "uint8", scale=(scale, scale), units=(name, name))


@settings(max_examples=200, deadline=None)
@given(st.floats(0.01, 50), st.sampled_from(list(METRES)), st.floats(2, 500), st.sampled_from(IN_OPTIONS))
def test_every_unit_converts_into_every_other(scale, stored, size, typed):
    spec = layer(scale, stored)
    pixel = scale * METRES[stored]
    length, area = (f"{size * pixel**power / METRES[typed] ** power:.9e} {typed}" for power in (1, 2))
    assert pixel_um(spec) == pytest.approx(pixel * 1e6)
    assert length_in_px(length, spec) == pytest.approx(size, rel=1e-6)
    assert length_in_px(area + "2", spec, 2) == pytest.approx(size, rel=1e-6)
    if typed in IN_REQUESTS:
        assert object_size(f"nuclei of about {length}", spec) == pytest.approx(size, rel=1e-6)


@pytest.mark.parametrize("word", ["px", "pixel", "Pixels", "píxeles", "像素", "voxel", "", "none"])
def test_pixels_are_no_unit(word):
    assert unit_name(word) is None


def test_a_pixel_that_is_not_square_has_the_area_of_its_sides():
    spec = LayerSpec((8, 8), ("y", "x"), "uint8", scale=(2.0, 50.0), units=("micrometer", "nanometer"))
    assert length_in_px("1 um2", spec, 2) == pytest.approx(10)


@pytest.mark.parametrize(
    ("text", "power", "expected"),
    [
        ("78,5 um2", 2, (78.5, "um")),
        ("20 pixels", 1, (20, "px")),
        ("1·10^2 nm^2", 2, (100, "nm")),
        ("0,500 um", 1, (0.5, "um")),
    ],
)
def test_options_are_read_as_requests_are(text, power, expected):
    assert read_size(text, power) == expected


@pytest.mark.parametrize("text", ["10,000 nm", "1,250 um"])
def test_an_option_with_two_readings_is_refused(text):
    with pytest.raises(ValueError, match="write a decimal point"):
        read_size(text)


def notes(prompt, scale=0.5, unit="micrometer"):
    spec = LayerSpec((200, 200), ("y", "x"), "uint8", scale=(scale, scale), units=(unit, unit))
    job, _ = make_job("segmentation", "a.zarr", "out", options={"prompt": prompt})
    return resolve(job, spec, Normalization((0.0,), (1.0,)), FakeEngine().description).notes


def test_a_plan_says_which_size_it_understood():
    assert "Objects are about 20 px (10 um) across, as the request says." in notes("nuclei, 8 to 12 um")
    assert "Objects are about 20 px (4 nm) across, as the request says." in notes("particles of 4 nm", 2, "angstrom")
    assert "Objects are about 20 px across, as the request says." in notes("nuclei of 20 px", 1, None)
    assert not [note for note in notes("segment the nuclei") if "px" in note or "size" in note]


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        ("nuclei in 5 um thick sections", "'5 um' is not used as the object size: it is a thickness."),
        ("nuclei, area about 314 px", "needs a square unit"),
        (
            "nuclei of 20 px in cells of 60 px",
            "'20 px' and '60 px' are not used: the request states several object sizes.",
        ),
        ("Kerne von 1.250 µm", "it may mean 1.25 or 1250"),
        ("diameter 20", "it has no unit"),
    ],
)
def test_a_plan_says_which_length_it_does_not_use(prompt, why):
    assert any(why in note for note in notes(prompt)), notes(prompt)


def test_a_length_without_a_pixel_size_is_said_not_to_count():
    (note,) = [note for note in notes("nuclei, about 10 um", 1, None) if "um" in note]
    assert note.startswith("'10 um' is not used as the object size: the image has no pixel size; give scale and units")


def told(request, pixel=None):
    return Instruction("segmentation", request, (64, 64), pixel=pixel)


def test_a_plain_size_stands_in_the_instruction_as_it_always_did():
    """Stored runs have this text in their fingerprints, and models were trained with it."""
    text = "Task: segmentation\nTile: 64 x 64 px\nPixel: 0.5 um\nRequest: nuclei, about 10 um"
    assert told("nuclei, about 10 um", 0.5).text == text
    for request in ("nuclei", "about 20 px", "nuclei of 8-12 um", "nuclei, about 10 um wide"):
        assert "Size" not in told(request, 0.5).text
        assert told(request, 0.5).plain == told(request, 0.5)


@pytest.mark.parametrize(
    ("request_", "line", "plain"),
    [
        ("nuclei between 8 and 12 um", "Size: 20 px", "nuclei, about 20 px"),
        ("nuclei of radius 10 px, bright", "Size: 20 px", "nuclei, bright, about 20 px"),
        ("nuclei, ignore debris smaller than 5 px", "Size: not stated", "nuclei"),
        ("8-12 um nuclei in 5 um sections", None, None),
    ],
)
def test_an_engine_gets_the_size_as_a_number_and_in_words(request_, line, plain):
    instruction = told(request_, 0.5)
    assert Instruction.read(instruction.text) == instruction
    assert instruction.object_size == object_size(request_, layer(0.5, "um"))
    assert (line in instruction.text) if line else "Size" not in instruction.text
    if plain:
        assert instruction.plain.request == plain
        assert "Size" not in instruction.plain.text


def test_another_request_has_another_size():
    assert told("nuclei of 20 px").replace(request="nuclei of radius 20 px").object_size == 40
    assert Instruction("super_resolution", "blur of 2 px", (64, 64)).object_size is None


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(("segment the nuclei", "find all dark cells", "nuclei")),
    st.sampled_from(
        (
            " of radius 10 px",
            " between 16 and 24 px",
            " 20 ± 5 px",
            ", between 8 um and 12 um",
            " with an area of 314.16 px2",
        )
    ),
    st.sampled_from(
        ("", ", ignore debris smaller than 5 px", ", scale bar 50 um", " in 5 um thick sections", "; at 0.5 um/px")
    ),
)
def test_plain_words_state_the_same_size(start, size, rest):
    plain = in_plain_words(start + size + rest, 0.5)
    assert plain == f"{start}, about 20 px"
    assert object_size(plain, layer(0.5, "um")) == 20
