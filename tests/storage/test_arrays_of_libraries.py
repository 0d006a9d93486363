"""Arrays of other libraries are read with what they say of themselves, or refused in one sentence."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from dask import delayed
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.labelled_array import axis_metadata
from napari_s1omni.storage.source import open_source

STACK = np.arange(3 * 20 * 30, dtype=np.uint16).reshape(3, 20, 30)


def read(array, **options):
    source = open_source(array, **options)
    return source.spec, source.read(), source.notes


class OnADevice:
    """An array like those of cupy: numpy gets its pixels only with get()."""

    def __init__(self, array):
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, index):
        return OnADevice(self._array[index])

    def __array__(self, *args, **options):
        raise TypeError("implicit conversion to a NumPy array is not allowed")

    def get(self):
        return self._array


class Exchanged:
    """An array that only speaks dlpack."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


@pytest.mark.parametrize("wrap", [OnADevice, Exchanged, memoryview, lambda a: a.view(np.matrix)])
def test_pixels_come_in_whatever_way_an_array_offers(wrap):
    pixels = STACK[0].astype(np.int16)
    np.testing.assert_array_equal(read(wrap(pixels))[1], pixels)


@pytest.mark.parametrize("kind", ["uint8", "float32", "bfloat16", "float16", "int64"])
def test_torch(kind):
    torch = pytest.importorskip("torch")
    tensor = torch.arange(600).reshape(20, 30).to(getattr(torch, kind))
    if tensor.is_floating_point():
        tensor.requires_grad_()
    spec, pixels, _ = read(tensor)
    assert spec.dtype == ("float32" if kind == "bfloat16" else kind)
    np.testing.assert_array_equal(pixels, tensor.detach().to(torch.float64).numpy().astype(spec.dtype))
    with pytest.raises(SourceError, match="Tensor failed"):
        open_source(torch.zeros(20, 30, device="meta"))


def test_dask_without_a_known_shape_says_how_to_get_one():
    lazy = da.from_array(STACK[0], chunks=10)
    with pytest.raises(SourceError, match=r"\(nan, 30\).*compute_chunk_sizes"):
        open_source(lazy[da.from_array(np.arange(20) % 2 == 0, chunks=10)])


@pytest.mark.parametrize(
    ("dtype", "becomes"), [("u1", "float32"), ("u2", "float32"), ("i4", "float64"), ("f4", "float32")]
)
@pytest.mark.parametrize("lazy", [False, True])
def test_masked_pixels_are_nan(dtype, becomes, lazy):
    values = (STACK[0] % 100).astype(dtype)
    mask = values < 7
    masked = np.ma.masked_array(values, mask)
    spec, pixels, notes = read(da.from_array(masked, chunks=10) if lazy else masked)
    assert spec.dtype == becomes
    np.testing.assert_array_equal(pixels, np.where(mask, np.nan, values))
    assert any("masked pixels are read as NaN" in note for note in notes)
    plain = read(np.ma.masked_array(values, np.zeros_like(mask)))
    assert (plain[0].dtype, plain[2]) == (np.dtype(dtype).name, ())


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("samples", [3, 4])
def test_pictures_are_colours_in_every_type_and_container(tmp_path, dtype, samples):
    picture = np.random.default_rng(0).integers(1, 100, (40, 50, samples)).astype(dtype)
    picture[..., 3:] = 100
    np.save(tmp_path / "a.npy", picture)
    zarr.create_array(tmp_path / "a.zarr", data=picture)
    for array in (picture, da.from_array(picture, chunks=20), tmp_path / "a.npy", tmp_path / "a.zarr"):
        spec, pixels, _ = read(array)
        assert spec.rgb
        np.testing.assert_array_equal(pixels, np.moveaxis(picture[..., :3], -1, 0))
    assert not open_source(picture[..., :2], axes="yxc").spec.rgb


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((4, 5), [("red", "u1"), ("green", "u1")]), r"array\['red'\]"),
        (np.array([[1, None], [2, 3]], object), "astype"),
        ([[1, 2], [3, 4]], r"numpy\.asarray"),
        (["a.tif", "b.tif"], "one path or array at a time"),
        ({"a": 1}, "a dict"),
        (None, "NoneType"),
        (np.float32(3), "0 dimensions"),
    ],
    ids=["fields", "objects", "numbers in lists", "paths", "dict", "None", "number"],
)
def test_what_is_no_image_is_refused_with_what_to_give(array, words):
    with pytest.raises(SourceError, match=words):
        open_source(array)


def test_objects_of_other_packages_say_what_to_give():
    from PIL import Image
    from scipy import sparse

    pandas = pytest.importorskip("pandas")
    for array, words in (
        (pandas.DataFrame(STACK[0]), "to_numpy"),
        (Image.fromarray(STACK[0].astype("u1")), "convert"),
        (sparse.csr_array(STACK[0]), "toarray"),
        (zarr.create_group(zarr.storage.MemoryStore()), "one of its arrays"),
    ):
        with pytest.raises(SourceError, match=words):
            open_source(array)


def test_quantities_lose_their_unit_with_a_note():
    pint = pytest.importorskip("pint")
    units = pint.UnitRegistry()
    spec, pixels, notes = read(units.Quantity(STACK[0].astype(float), "volt"))
    np.testing.assert_array_equal(pixels, STACK[0])
    assert any("'volt'" in note for note in notes)
    with pytest.raises(SourceError, match="units='um'"):
        open_source(STACK[0], scale=units.Quantity(0.5, "um"))
    assert open_source(STACK[0], scale=np.float32(0.5)).spec.scale == (0.5, 0.5)


def test_an_hdf5_dataset_says_its_axes_and_pixel_size(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("image", data=STACK, chunks=(1, 10, 10))
        data.attrs["element_size_um"] = np.array([2, 0.65, 0.65], "f4")
        for dimension, label in zip(data.dims, ("section", "y", "x"), strict=True):
            dimension.label = label
        source = open_source(data)
        assert source.spec.axes == ("z", "y", "x")
        assert source.spec.scale == (2.0, 0.65, 0.65)
        assert source.chunks == (1, 10, 10)
        np.testing.assert_array_equal(source.read(), STACK)
        with pytest.raises(SourceError, match="one of its datasets"):
            open_source(file)
    with pytest.raises(SourceError, match="cannot be read"):
        open_source(data)


def test_a_zarr_array_brings_its_image(tmp_path):
    group = zarr.create_group(tmp_path / "a.zarr")
    array = group.create_array("0", data=STACK, chunks=(1, 10, 10))
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    step = {"type": "scale", "scale": [2.0, 0.5, 0.5]}
    datasets = [{"path": "0", "coordinateTransformations": [step]}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    for given_ in (array, group):
        spec = open_source(given_).spec
        assert (spec.scale, spec.units[0]) == ((2.0, 0.5, 0.5), "micrometer")
    store = zarr.storage.MemoryStore()
    memory = zarr.create_array(store, data=STACK, chunks=(1, 10, 10), dimension_names=("frame", "y", "x"))
    source = open_source(memory)
    assert source.spec.axes == ("t", "y", "x")
    assert source.chunks == (1, 10, 10)


xarray = pytest.importorskip("xarray")


def labelled(dims, coords, shape=None, **options):
    shape = shape or [len(np.atleast_1d(coords[d][1])) if d in coords else 8 for d in dims]
    return xarray.DataArray(np.zeros(shape, np.uint16), dims=dims, coords=coords, **options)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 99_999).map(lambda n: n / 10_000),
    st.integers(2, 3000),
    st.integers(-1000, 1000).map(lambda n: n / 10),
    st.sampled_from(["f4", "f8"]),
    st.booleans(),
)
def test_even_coordinates_give_the_size_that_was_meant(size, n, start, dtype, descending):
    values = (start + size * np.arange(n)).astype(dtype)
    if descending:
        values = values[::-1]
    coords = {"x": ("x", values, {"units": "um"})}
    found = axis_metadata(labelled(("y", "x"), coords), (8, n))
    exact = float(np.spacing(np.abs(values).max())) * 2 / (n - 1)
    assert found.scale["x"] == pytest.approx(size, abs=max(2 * exact, 1e-12 * size))
    assert found.units["x"] == "um"
    assert ("x" in found.translate) != descending
    assert any("descend" in note for note in found.notes) == descending


def test_coordinates_of_32_bits_give_round_numbers():
    coords = {
        a: (a, (np.arange(n) * np.float32(0.65)).astype("f4"), {"units": "um"}) for a, n in (("y", 20), ("x", 999))
    }
    assert read(labelled(("y", "x"), coords))[0].scale == (0.65, 0.65)


@pytest.mark.parametrize(
    ("values", "size", "words"),
    [
        ([0, 1, 2.1], 1.05, "not quite evenly spaced"),
        ([0, 1, 20], 1.0, "not evenly spaced.*not used"),
        ([0, np.nan, 2], 1.0, "not finite"),
        (["a", "b", "c"], 1.0, "no numbers"),
        ([5, 5, 5], 1.0, "not evenly spaced"),
    ],
)
def test_uneven_coordinates_are_noted(values, size, words):
    spec, _, notes = read(labelled(("z", "y", "x"), {"z": ("z", values, {"units": "um"})}))
    assert spec.scale[0] == size
    assert len([note for note in notes if words.split(".")[0] in note]) == 1


def test_times_are_seconds_from_the_first():
    start = np.datetime64("2024-05-01T10:00", "ns")
    times = start + np.arange(4) * np.timedelta64(90, "s")
    spec, _, notes = read(labelled(("time", "y", "x"), {"time": ("time", times)}))
    assert (spec.axes[0], spec.scale[0], spec.translate[0], spec.units[0]) == ("t", 90.0, 0.0, "second")
    assert any("2024-05-01T10:00" in note for note in notes)
    lasting = read(labelled(("time", "y", "x"), {"time": ("time", times - times[0] + np.timedelta64(5, "s"))}))[0]
    assert (lasting.scale[0], lasting.translate[0]) == (90.0, 5.0)


def test_names_of_channels_and_what_is_dropped():
    coords = {"channel": ("channel", ["dapi", "gfp"]), "exposure": ("channel", [10, 20])}
    spec, _, notes = read(labelled(("channel", "y", "x"), coords, attrs={"units": "counts", "lens": "63x"}))
    assert spec.channel_names == ("dapi", "gfp")
    assert any("'counts'" in note for note in notes)
    assert any("lens" in note for note in notes)
    assert any("exposure" in note for note in notes)
    lines = {"wavelength": ("wavelength", [488, 561], {"units": "nm"})}
    assert read(labelled(("wavelength", "y", "x"), lines))[0].channel_names == ("488 nm", "561 nm")
    assert read(labelled(("c", "y", "x"), {}, (1, 8, 9), name="actin"))[0].channel_names == ("actin",)
    assert read(labelled(("c", "y", "x"), {"c": ("c", [0, 1])}))[0].channel_names == ()


def test_dimensions_without_names_are_guessed_with_a_note_and_a_dataset_is_refused():
    source = open_source(xarray.DataArray(STACK))
    assert source.spec.axes == ("z", "y", "x")
    assert any("no axes" in note for note in source.notes)
    with pytest.raises(SourceError, match=r"Dataset of the arrays raw, mask.*dataset\['raw'\]"):
        open_source(xarray.Dataset({"raw": (("y", "x"), STACK[0]), "mask": (("y", "x"), STACK[1])}))


def test_an_array_that_is_not_what_it_states_is_refused():
    def of(block, dtype=np.uint16):
        return da.from_delayed(delayed(lambda: block)(), shape=(20, 30), dtype=dtype)

    with pytest.raises(SourceError, match=r"shape \(20, 30\), but reading .* gives the shape \(10, 30\)"):
        read(of(STACK[0, :10]))
    with pytest.raises(SourceError, match="states the type uint16, but its pixels are float64"):
        read(of(STACK[0] + 0.5))
    with pytest.raises(SourceError, match="states the type uint8"):
        read(of(STACK[1], np.uint8))
    spec, pixels, _ = read(of(STACK[0].astype(np.float64)))
    assert spec.dtype == pixels.dtype == "uint16"
    assert np.array_equal(pixels, STACK[0])
    with pytest.raises(SourceError, match="compute"):
        read(delayed(lambda: STACK[0])())


@settings(max_examples=20, deadline=None)
@given(height=st.integers(5, 40), width=st.integers(5, 40), samples=st.integers(1, 4), kind=st.sampled_from("ufi"))
def test_a_few_numbers_at_the_end_are_no_width(height, width, samples, kind):
    pixels = np.arange(height * width * samples).reshape(height, width, samples).astype(f"{kind}4")
    if samples == 2:
        with pytest.raises(SourceError, match="axes='yxc'"):
            read(pixels)
    else:
        spec, _, notes = read(pixels)
        assert spec.shape[-2:] == (height, width)
        assert any("yxs" in note for note in notes)
    with pytest.raises(SourceError, match="axes='tzyxs'"):
        read(pixels[None, None])
