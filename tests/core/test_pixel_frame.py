"""Frames of pixels: levels, crops and enlarged results among the pixels of full resolution."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.core.pixel_frame import PixelFrame
from napari_s1omni.core.spec import LayerSpec

steps = st.sampled_from([1.0, 2.0, 4.0, 8.0, 1.5, 255 / 128])


@pytest.mark.parametrize("step", [2.0, 4.0, 8.0])
def test_a_level_that_begins_at_the_same_corner_has_its_first_centre_further_in(step):
    level = PixelFrame.of_level({"y": 64, "x": 64}, {"x": step}, {"x": (step - 1) / 2})
    assert level == PixelFrame.of_level({"y": 64, "x": 64}, {"x": step})
    assert level.to_full("x", 0) == 0
    assert level.to_full("x", 0.5) == step / 2
    strided = PixelFrame.of_level({"y": 64, "x": 64}, {"x": step}, {"x": 0.0})
    assert strided.to_full("x", 0.5) == 0.5


def test_rounding_errors_of_stored_sizes_do_not_count():
    level = PixelFrame.of_level({"x": 100}, {"x": 0.6500001 / 0.325}, {"x": 0.1625 / 0.325})
    assert level.step_of("x") == 2
    assert level.integral


@settings(deadline=None, max_examples=60)
@given(
    step=steps,
    shift=st.sampled_from([0.0, 0.5, -0.5, 1.25, 3.0]),
    first=st.integers(0, 50),
    index=st.integers(0, 500),
    zoom=st.sampled_from([1, 2, 4]),
)
def test_positions_and_planes_return(step, shift, first, index, zoom):
    whole = PixelFrame.of_level({"z": 999, "x": 999}, dict.fromkeys("zyx", step), dict.fromkeys("zyx", shift))
    part = whole.part({"x": first, "z": first}, {"x": zoom})
    assert part.to_full("x", index) == pytest.approx(whole.to_full("x", first + index / zoom))
    assert part.from_full("x", part.to_full("x", index)) == pytest.approx(index, abs=1e-9)
    assert part.index_of_full("z", part.full_index("z", index)) == index
    assert PixelFrame.from_json(part.to_json()) == part


def test_only_a_coarser_level_is_stored_with_its_frame():
    spec = LayerSpec((4, 6), ("y", "x"), "uint8")
    assert "frame" not in spec.to_json()
    assert spec.pixel_frame.to_full("x", 3) == 3
    level = spec.replace(frame=PixelFrame.of_level({"y": 8, "x": 12}, {"y": 2.0, "x": 2.0}))
    assert LayerSpec.from_json(level.to_json()) == level
