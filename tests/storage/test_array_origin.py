"""Arrays whose pixels lie on disk are read there, those of no file are copied as far as a run reads them."""

import dask
import dask.array as da
import numpy as np
import pytest
import tifffile
import xarray
import zarr

import napari_s1omni
from napari_s1omni.errors import SourceError
from napari_s1omni.planning.job import SourceRef
from napari_s1omni.storage.arrays.array_origin import locate_pixels
from napari_s1omni.storage.source import open_source

SHAPE = (3, 120, 150)
OPENED = []
"""Files that tifffile holds open."""


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """One stack in several formats."""
    folder = tmp_path_factory.mktemp("arrays")
    pixels = np.random.default_rng(0).integers(0, 4000, SHAPE).astype(np.uint16)
    zarr.create_array(folder / "a.zarr", shape=SHAPE, chunks=(1, 64, 64), dtype=pixels.dtype)[:] = pixels
    np.save(folder / "a b.npy", pixels)
    (folder / "raw 50%.dat").write_bytes(b"header" + pixels.tobytes())
    tifffile.imwrite(folder / "a.tif", pixels, compression="zlib", photometric="minisblack", metadata={"axes": "ZYX"})
    tifffile.imwrite(folder / "plain.tif", pixels, photometric="minisblack")
    sizes = {"z": 2.0, "y": 0.5, "x": 0.5}
    coordinates = {a: (a, np.arange(n) * sizes[a], {"units": "micrometer"}) for a, n in zip(sizes, SHAPE, strict=True)}
    dataset = xarray.Dataset({"image": (tuple(sizes), pixels)}, coords=coordinates)
    dataset.to_zarr(folder / "x.zarr", zarr_format=2, consolidated=False)
    yield folder
    while OPENED:
        OPENED.pop().close()


def opened(disk):
    return zarr.open(disk / "a.zarr", mode="r")


def raw(disk, mode="r"):
    return np.memmap(disk / "raw 50%.dat", np.uint16, mode, 6, SHAPE)


def tiff(disk):
    OPENED.append(tifffile.imread(disk / "a.tif", aszarr=True))
    return zarr.open(OPENED[-1], mode="r")


def data_array(disk, **options):
    return xarray.open_zarr(disk / "x.zarr", consolidated=False, **options)["image"]


STORED = {
    "zarr": opened,
    "dask from_zarr of a path": lambda d: da.from_zarr(str(d / "a.zarr")),
    "dask from_zarr of an array, other chunks": lambda d: da.from_zarr(opened(d), chunks=(1, 50, 50)),
    "dask from_zarr, inline": lambda d: da.from_zarr(opened(d), inline_array=True),
    "xarray of a zarr store": lambda d: data_array(d),
    "xarray without dask": lambda d: data_array(d, chunks=None),
    "xarray of dask": lambda d: xarray.DataArray(da.from_zarr(opened(d)), dims=("z", "y", "x")),
    "npy": lambda d: np.load(d / "a b.npy", mmap_mode="r"),
    "a part of npy": lambda d: np.load(d / "a b.npy", mmap_mode="r")[1, 10:90, ::2],
    "memmap with an offset": raw,
    "memmap as an array": lambda d: np.asarray(raw(d)),
    "memmap of a TIFF": lambda d: tifffile.memmap(d / "plain.tif", mode="r"),
    "TIFF as zarr": tiff,
    "TIFF as zarr in dask": lambda d: da.from_zarr(tiff(d)),
    "levels of a pyramid": lambda d: [opened(d)],
}
COMPUTED = {
    "numpy": lambda d: np.load(d / "a b.npy"),
    "a private map": lambda d: raw(d, "c"),
    "a map backwards": lambda d: raw(d)[::-1],
    "dask, one added": lambda d: da.from_zarr(opened(d)) + 1,
    "dask, one added and fused": lambda d: dask.optimize(da.from_zarr(opened(d)) + 1)[0],
    "dask, turned": lambda d: da.from_zarr(opened(d)).transpose(0, 2, 1),
    "dask, a plane": lambda d: da.from_zarr(opened(d))[0],
    "xarray, backwards": lambda d: data_array(d, chunks=None)[::-1],
    "xarray, a function": lambda d: data_array(d, chunks=None) + 1,
    "zarr in memory": lambda d: zarr.array(np.zeros(SHAPE, np.uint16)),
}


@pytest.mark.parametrize("make", STORED.values(), ids=STORED)
def test_what_is_stored_is_read_there_by_any_process(disk, make):
    array = make(disk)
    whole = open_source(array)
    ref, left, source = locate_pixels(SourceRef(uri="memory:array"), array)
    assert left is None
    # All that another process has is this text.
    found = open_source(ref.uri, axes=ref.axes, scale=ref.scale, units=ref.units)
    assert found.spec.replace(source=None) == source.spec.replace(source=None) == whole.spec.replace(source=None)
    np.testing.assert_array_equal(found.read(), whole.read())


@pytest.mark.parametrize("make", COMPUTED.values(), ids=COMPUTED)
def test_what_is_computed_or_in_memory_is_no_file(disk, make):
    array = make(disk)
    ref, left, _ = locate_pixels(SourceRef(uri="memory:array"), array)
    assert left is array
    assert ref.uri == "memory:array"


def test_axes_and_sizes_given_by_the_user_stay(disk):
    given = SourceRef(uri="memory:array", axes="tyx", scale=0.5, units="um")
    ref, left, source = locate_pixels(given, raw(disk))
    assert left is None
    assert ref == given.replace(uri=ref.uri)
    assert source.spec.axes == ("t", "y", "x")
    assert source.spec.scale_of("x") == 0.5


def test_names_that_the_store_does_not_hold_are_not_lost(disk):
    named = xarray.DataArray(da.from_zarr(opened(disk)), dims=("c", "y", "x"), coords={"c": ["DAPI", "GFP", "RFP"]})
    _, left, source = locate_pixels(SourceRef(uri="memory:array"), named)
    assert left is named
    assert source.spec.channel_names == ("DAPI", "GFP", "RFP")


def test_a_blocking_run_names_the_file_and_agrees_with_one_in_memory(disk, tmp_path):
    options = {"prompt": "segment the nuclei", "engine": "reference", "axes": "zyx", "region": "z=0:1"}
    there = napari_s1omni.segment(raw(disk), tmp_path / "a.zarr", **options)
    here = napari_s1omni.segment(np.array(raw(disk)), tmp_path / "b.zarr", **options)
    assert there.plan.source.source.startswith("memmap://")
    assert there.plan.digest == here.plan.digest
    # Intensities are measured, whether the image is a file or not.
    np.testing.assert_array_equal(there.table()["intensity_mean"], here.table()["intensity_mean"])


@pytest.mark.parametrize(
    ("query", "words"),
    [("shape=3,120,151&dtype=<u2", "need 108,720"), ("shape=3,x&dtype=<u2", "address"), ("dtype=<u2", "address")],
)
def test_an_address_that_does_not_fit_its_file_is_refused(disk, query, words):
    with pytest.raises(SourceError, match=words):
        open_source(f"memmap://{disk}/raw%2050%25.dat?{query}")
