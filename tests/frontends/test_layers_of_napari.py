"""Layers of napari as users turn, flip and shear them: their pixel sizes and axes, and where results lie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_layers import store_layer

from napari_s1omni import layer_source
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import PlanError
from napari_s1omni.frontends.napari_layers.layer_source import locate_source
from napari_s1omni.frontends.napari_layers.layer_transforms import result_transform
from napari_s1omni.frontends.napari_layers.layer_view import read_layer
from napari_s1omni.frontends.napari_layers.result_layers import display_axes
from napari_s1omni.frontends.napari_layers.transform_file import read_transform, write_transform
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.planning.job import Job
from napari_s1omni.storage.source import open_source

layers = pytest.importorskip("napari.layers")
PIXELS = np.random.default_rng(0).random((96, 128), np.float32)


def found(data=PIXELS, **options):
    return layer_source(layers.Image(data, **options))


def turned(degrees):
    a = np.deg2rad(degrees)
    return np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])


def homogeneous(linear, shift=(0, 0)):
    return np.block([[np.asarray(linear, float), np.array(shift, float)[:, None]], [np.zeros((1, 2)), 1]])


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({"scale": (-0.5, 0.25)}, (0.5, 0.25)),
        ({"scale": (-0.5, -0.25), "translate": (10, 20)}, (0.5, 0.25)),
        ({"affine": np.diag([0.5, 0.25, 1])}, (0.5, 0.25)),
        ({"scale": (2, 2), "affine": np.diag([0.25, 0.5, 1])}, (0.5, 1)),
        ({"affine": homogeneous([[0, 0.5], [-0.25, 0]])}, (0.25, 0.5)),
        ({"scale": (0.325, 0.65), "rotate": 30}, (0.325, 0.65)),
        ({"scale": (0.325, 0.65), "rotate": 180}, (0.325, 0.65)),
        ({"scale": (0.5, 0.25), "affine": homogeneous([[0, 1], [1, 0]])}, (0.5, 0.25)),
        ({"scale": (0.5, 0.5), "rotate": turned(20) @ np.diag([1, -1])}, (0.5, 0.5)),
    ],
)
def test_the_size_of_a_pixel_is_the_length_of_its_edges_in_the_world(options, sizes):
    layer = found(**options, units=("um", "um"))
    assert layer.spec.scale == pytest.approx(sizes, rel=1e-9)
    assert layer.spec.units == ("micrometer", "micrometer")
    assert layer.notes == ()


@pytest.mark.parametrize("shape", [(24, 32, 3), (24, 32, 4), (5, 24, 32, 3)])
def test_a_picture_of_equal_colours_keeps_its_pixel_size(shape):
    pixels = np.zeros(shape, np.uint8)
    pixels[..., :3] = np.arange(32)[:, None]
    sizes = (2, 0.5, 0.25)[-(len(shape) - 1) :]
    layer = found(pixels, rgb=True, scale=sizes, units=("um",) * len(sizes))
    assert layer.spec.scale == sizes
    assert layer.spec.units == ("micrometer",) * len(sizes)
    assert layer.axes == "zyx"[-len(sizes) :]


@pytest.mark.parametrize(
    ("label", "unit", "note"),
    [
        ("z", "s", "the unit of axis z is second, which is no length"),
        ("t", "um", "the unit of axis t is micrometer, which is no time"),
        ("z", "um", None),
        ("t", "ms", None),
    ],
)
def test_a_unit_that_does_not_fit_its_axis_is_noted(label, unit, note):
    layer = found(np.zeros((6, 24, 32)), axis_labels=(label, "y", "x"), units=(unit, "um", "um"))
    assert layer.axes == f"{label}yx"
    assert layer.notes == ((note,) if note else ())


@pytest.mark.parametrize(
    "options",
    [
        {"shear": [0.5]},
        {"scale": (0.5, 0.5), "affine": homogeneous([[1, 0.5], [0, 1]])},
        {"rotate": 30, "affine": np.diag([0.2, 1, 1])},
    ],
    ids=["shear", "shear by affine", "stretched after a rotation"],
)
def test_pixels_without_right_angles_are_noted_with_the_size_that_is_used(options):
    layer = found(**options, units=("um", "um"))
    (note,) = (note for note in layer.notes if "no right angles" in note)
    assert " x ".join(f"{s:g}" for s in layer.spec.scale) in note


@pytest.mark.parametrize(
    ("shape", "units", "labels", "axes"),
    [
        ((4, 32, 32), ("s", "um", "um"), None, "tyx"),
        ((4, 32, 32), ("ms", "pixel", "pixel"), None, "tyx"),
        ((4, 32, 32), ("um", "um", "um"), None, "zyx"),
        ((4, 32, 32), ("pixel",) * 3, ("time", "y", "x"), "tyx"),
        ((4, 32, 32), ("pixel",) * 3, ("Channel", "row", "column"), "cyx"),
        ((4, 32, 32), ("pixel",) * 3, ("t", "-2", "-1"), "tyx"),
        ((5, 3, 32, 32), ("min", "um", "um", "um"), None, "tzyx"),
        ((5, 9, 32, 32), ("min", "pixel", "um", "um"), None, "tcyx"),
        ((5, 9, 32, 32), ("pixel", "um", "um", "um"), None, "tzyx"),
        ((2, 9, 32, 32), ("pixel", "um", "um", "um"), None, "czyx"),
        ((2, 5, 32, 32), ("pixel", "s", "um", "um"), None, "ctyx"),
        ((2, 3, 4, 16, 16), ("h", "pixel", "um", "um", "um"), None, "tczyx"),
        ((3, 2, 4, 16, 16), ("pixel", "s", "um", "um", "um"), None, "ctzyx"),
        ((32, 32), ("um", "um"), ("x", "y"), "xy"),
    ],
)
def test_axes_are_those_of_labels_and_units(shape, units, labels, axes):
    pixels = np.random.default_rng(0).random(shape, np.float32)
    layer = found(pixels, units=units, axis_labels=labels, scale=[0.5] * len(shape))
    assert layer.axes == axes
    assert layer.spec.scale == (0.5,) * len(shape)
    for a, unit in zip(axes, units, strict=True):
        assert (layer.spec.unit_of(a) is None) == (unit == "pixel")


def test_a_movie_of_colours_in_seconds():
    layer = found(
        np.random.default_rng(0).random((3, 32, 32, 3), np.float32), rgb=True, scale=(10, 1, 1), units=("s", "um", "um")
    )
    assert layer.axes == "tyx"
    assert (layer.spec.scale_of("t"), layer.spec.unit_of("t")) == (10, "second")
    assert layer.spec.rgb


def test_a_guess_is_noted_and_a_name_that_says_nothing_is_refused():
    assert any("taken as 'zyx'" in note for note in found(np.zeros((4, 32, 32), np.float32)).notes)
    for labels, words in (
        (("angle", "y", "x"), "another name"),
        (("y", "y", "x"), "the same axis"),
        (("t", "c"), "is x"),
    ):
        with pytest.raises(PlanError, match=words) as caught:
            found(np.zeros((4,) * len(labels), np.float32), axis_labels=labels)
        assert caught.value.remedy


def test_axes_that_the_user_named_count_more_than_those_of_the_file(tmp_path):
    stack = np.random.default_rng(0).integers(1, 999, (4, 32, 32), np.uint16)
    path = store_layer(open_source(stack, axes="zyx"), tmp_path / "a.zarr")
    from napari.layers._source import layer_source as opened_from

    with opened_from(path=str(path)):
        named = layers.Image(stack, axis_labels=("t", "y", "x"))
        timed = layers.Image(stack, units=("s", "um", "um"), scale=(30, 0.5, 0.5))
        plain = layers.Image(stack, scale=(2, 0.5, 0.5), units=("um", "um", "um"))
    for layer in (named, timed):
        located = layer_source(layer)
        assert located.axes == "tyx"
        assert any("axes" in note for note in located.notes)
        np.testing.assert_array_equal(open_source(located.array, axes=located.ref.axes).read(), stack)
    located = layer_source(plain)
    assert located.array is None
    assert located.spec.scale == (2, 0.5, 0.5)
    assert located.ref.scale == (2, 0.5, 0.5)
    assert any("while its file says" in note for note in located.notes)


def test_the_time_of_a_file_is_corrected_by_its_layer(tmp_path):
    movie = np.random.default_rng(0).integers(1, 999, (4, 32, 32), np.uint16)
    path = store_layer(open_source(movie, axes="tyx"), tmp_path / "a.zarr")
    from napari.layers._source import layer_source as opened_from

    with opened_from(path=str(path)):
        layer = layers.Image(movie, units=("s", "um", "um"), scale=(30, 0.5, 0.5))
    spec = layer_source(layer).spec
    assert spec.scale == (30, 0.5, 0.5)
    assert spec.units == ("second", "micrometer", "micrometer")


NUMBERS = st.floats(0.05, 20).flatmap(lambda n: st.sampled_from([n, -n]))


@st.composite
def transforms(draw):
    """Options of a layer of two to four dimensions."""
    n = draw(st.sampled_from([2, 3, 4]))
    options = {
        "scale": [draw(NUMBERS) for _ in range(n)],
        "translate": [draw(st.floats(-100, 100)) for _ in range(n)],
        "rotate": draw(st.sampled_from([0, 90, 180, 270, 17.5]))
        if n == 2
        else draw(st.sampled_from([(0, 0, 0), (0, 0, 90), (10, 20, 30)])),
        "shear": [draw(st.floats(-0.5, 0.5)) for _ in range(n * (n - 1) // 2)],
    }
    if draw(st.booleans()):
        linear = np.eye(n)[draw(st.permutations(range(n)))] * [draw(NUMBERS) for _ in range(n)]
        options["affine"] = np.block(
            [[linear, np.array([[draw(st.floats(-50, 50))] for _ in range(n)])], [np.zeros((1, n)), 1]]
        )
    return options


PLANS = {}


def plan_of(kind, located):
    """The plan of a job on a layer, made once for each operation and shape, with the pixel size of the layer."""
    import dataclasses

    key = kind, located.spec.shape
    if key not in PLANS:
        region = {"type": "box", "y": [0, 96], "x": [32, 96]}
        job = Job.read(
            {
                "source": {"uri": "memory:a", "axes": located.axes},
                "engine": "reference",
                "region": region,
                "operation": {"type": kind},
            }
        )
        PLANS[key] = prepare(job, located.array, memory=2**40).plan
    plan = PLANS[key]
    unit = [size / was for size, was in zip(located.spec.scale, plan.source.scale, strict=True)]
    sized = {
        side: getattr(plan, side).replace(
            scale=tuple(s * u for s, u in zip(getattr(plan, side).scale, unit, strict=True)),
            translate=tuple(s * u for s, u in zip(getattr(plan, side).translate, unit, strict=True)),
        )
        for side in ("source", "target")
    }
    assert isinstance(sized["source"], LayerSpec)
    return dataclasses.replace(plan, **sized)


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
@settings(max_examples=25, deadline=None)
@given(options=transforms(), kind=st.sampled_from(["segmentation", "super_resolution"]), pyramid=st.booleans())
def test_results_lie_exactly_above_their_source(tmp_path_factory, options, kind, pyramid):
    n = len(options["scale"])
    pixels = np.broadcast_to(PIXELS, (2, 3, *PIXELS.shape)[4 - n :])
    data = [pixels, pixels[..., ::2, ::2]] if pyramid else pixels
    layer = layers.Image(data, multiscale=pyramid, units=("um",) * n, axis_labels=tuple("tzyx"[-n:]), **options)
    located = locate_source(read_layer(layer))
    linear = np.array([np.subtract(layer.data_to_world(e), layer.data_to_world(np.zeros(n))) for e in np.eye(n)])
    np.testing.assert_allclose(located.spec.scale, np.linalg.norm(linear, axis=1), rtol=1e-9)
    plan = plan_of(kind, located)
    show = display_axes(located, plan.target)
    placed = result_transform(located, plan, show)
    path = tmp_path_factory.mktemp("result")
    (path / ".s1omni").mkdir()
    write_transform(path, show.axes, placed)
    size = np.array([plan.target.size(a) for a in "tzyx"[-n:]])
    factor = np.array([2.0 if kind == "super_resolution" and a in "yx" else 1.0 for a in "tzyx"[-n:]])
    start = np.array([plan.grid.t[0], plan.grid.z[0], plan.grid.y[0], plan.grid.x[0]][-n:])
    for transform in (
        placed,
        read_transform(path, show.axes, {k: placed[k] for k in ("scale", "translate", "units", "axis_labels")}),
    ):
        result = (layers.Image if kind == "super_resolution" else layers.Labels)(np.zeros(size, np.uint8), **transform)
        for corner in np.ndindex(*(2,) * n):
            # The outer corner of the first and of the last pixel.
            at = np.array(corner) * size - 0.5
            same = start + (at + 0.5) / factor - 0.5
            np.testing.assert_allclose(result.data_to_world(at), layer.data_to_world(same), rtol=1e-7, atol=1e-6)
        assert result.units == layer.units
        assert result.axis_labels == layer.axis_labels
