"""Layers resampled to the size of an engine and back: places, areas, values."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.core.tile_fit import TileFit

FITS = st.builds(
    TileFit,
    layer=st.tuples(st.integers(24, 120), st.integers(24, 120)),
    seen=st.tuples(st.integers(48, 320), st.integers(48, 320)),
    factor=st.sampled_from([(1, 1), (2, 2), (2, 1)]),
    keeps_aspect=st.booleans(),
)


def spot(shape, centre, sigma):
    """A round spot, (1, h, w), whose width along each axis is `sigma`."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    part = [((v - c) / s) ** 2 / 2 for v, c, s in zip((y, x), centre, sigma, strict=True)]
    return np.exp(-(part[0] + part[1]))[None].astype(np.float32)


def centre(image):
    total = image.sum()
    return [
        float((image[0] * np.arange(n).reshape(-1, 1) if axis == 0 else image[0] * np.arange(n)).sum() / total)
        for axis, n in enumerate(image.shape[1:])
    ]


@settings(max_examples=60, deadline=None)
@given(FITS, st.floats(0.35, 0.65), st.floats(0.35, 0.65))
def test_a_place_comes_back_to_a_hundredth_of_a_pixel(fit, y, x):
    place = [y * (fit.layer[0] - 1), x * (fit.layer[1] - 1)]
    width = [max(1.2, 1.5 / s) for s in fit.scale]
    # What lies at the edge would be reflected into the sums.
    if any(w > n / 14 for w, n in zip(width, fit.layer, strict=True)):
        return
    seen = fit.see(spot(fit.layer, place, width))
    assert seen.shape[1:] == fit.seen
    expected = [(p + 0.5) * s - 0.5 for p, s in zip(place, fit.scale, strict=True)]
    inside = seen[:, : round(fit.layer[0] * fit.scale[0]), : round(fit.layer[1] * fit.scale[1])]
    assert np.allclose(centre(inside), expected, atol=0.01 * max(1, *fit.scale))
    # An engine that puts the spot where it belongs.
    drawn_at = [(p + 0.5) * s * f - 0.5 for p, s, f in zip(place, fit.scale, fit.factor, strict=True)]
    drawn = spot(fit.drawn, drawn_at, [w * s * f for w, s, f in zip(width, fit.scale, fit.factor, strict=True)])
    for bounded in (True, False):
        back = fit.bring_back(drawn, max(fit.layer), bounded=bounded)
        assert back.shape == (1, max(fit.layer) * fit.factor[0], max(fit.layer) * fit.factor[1])
        wanted = [(p + 0.5) * f - 0.5 for p, f in zip(place, fit.factor, strict=True)]
        assert np.allclose(centre(back), wanted, atol=0.01)


@pytest.mark.parametrize(
    "fit",
    [
        TileFit((240, 240), (1024, 1024)),
        TileFit((240, 131), (1024, 1024)),
        TileFit((240, 131), (1024, 1024), keeps_aspect=False),
        TileFit((900, 700), (1024, 1024)),
        TileFit((1500, 1200), (1024, 1024), keeps_aspect=False),
    ],
    ids=str,
)
def test_areas_of_masks_are_kept_within_a_hundredth(fit):
    """Discs that are drawn as fields, and the same discs in the layer."""
    rng = np.random.default_rng(0)
    radius = 12.0 * max(1, max(fit.layer) / 1024)
    y, x = np.ogrid[: fit.layer[0], : fit.layer[1]]
    rows, cols = np.ogrid[: fit.drawn[0], : fit.drawn[1]]
    areas = []
    for _ in range(8):
        at = [rng.uniform(2 * radius, n - 2 * radius) for n in fit.layer]
        there = [((v + 0.5) / s - 0.5 - c) for v, s, c in zip((rows, cols), fit.scale, at, strict=True)]
        drawn = np.clip(0.5 + radius - np.hypot(*there), 0, 1).astype(np.float32)[None]
        found = fit.bring_back(drawn, max(fit.layer), bounded=True)[0] >= 0.5
        areas.append(found.sum())
        truth = np.hypot(y - at[0], x - at[1]) <= radius
        assert (found[: fit.layer[0], : fit.layer[1]] ^ truth).sum() < 0.03 * truth.sum()
    # A disc of whole pixels has another area than its circle by about a hundredth, by chance.
    assert np.mean(areas) == pytest.approx(np.pi * radius**2, rel=0.01)


@settings(max_examples=30, deadline=None)
@given(FITS, st.floats(-2, 2, width=32))
def test_a_plane_of_one_value_keeps_it_and_fields_stay_in_range(fit, value):
    flat = np.full((3, *fit.layer), value, np.float32)
    assert (fit.see(flat) == np.float32(value)).all()
    noisy = (np.random.default_rng(1).random((3, *fit.drawn)) > 0.5).astype(np.float32)
    back = fit.bring_back(noisy, max(fit.layer), bounded=True)
    assert back.min() >= -1e-6
    assert back.max() <= 1 + 1e-6
    assert TileFit.from_json(json.loads(json.dumps(fit.to_json()))) == fit


@pytest.mark.parametrize("layer", [(5, 5), (1, 1), (1, 40), (20, 1000)])
def test_beyond_the_layer_its_pixels_are_mirrored(layer):
    fit = TileFit(layer, (64, 1024))
    image = np.random.default_rng(2).random((1, *layer)).astype(np.float32)
    seen = fit.see(image)
    end = round(layer[0] * fit.scale[0])
    assert np.isfinite(seen).all()
    if 2 * end <= 64 and end == layer[0] * fit.scale[0]:
        assert np.allclose(seen[:, end : 2 * end], seen[:, :end][:, ::-1], atol=1e-5)
