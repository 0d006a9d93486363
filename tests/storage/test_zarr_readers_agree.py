"""OME-Zarr images read here and by ome-zarr-py and ngio are the same: pixels, axes, scale, units, channel names."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.storage.source import open_source

ome_reader = pytest.importorskip("ome_zarr.reader")
ome_io = pytest.importorskip("ome_zarr.io")
KINDS = {"t": "time", "c": "channel"}
ENCODINGS = {"0.4": (("v2", "."), ("v2", "/")), "0.5": (("default", "/"), ("default", "."), ("v2", "."), ("v2", "/"))}


@st.composite
def images(draw):
    """What an image is written from."""
    axes = draw(st.sampled_from(["yx", "zyx", "cyx", "tyx", "czyx", "tcyx", "tzyx", "tczyx"]))
    sizes = {"t": 2, "c": draw(st.integers(1, 3)), "z": draw(st.integers(2, 5))}
    shape = tuple(sizes.get(a) or draw(st.integers(16, 40)) for a in axes)
    version = draw(st.sampled_from(["0.4", "0.5"]))
    unit = draw(st.sampled_from(["micrometer", "nanometer", None]))
    return {
        "axes": [
            {"name": a, "type": KINDS.get(a, "space"), **({"unit": unit} if unit and a in "zyx" else {})} for a in axes
        ],
        "version": version,
        "values": np.random.default_rng(draw(st.integers(0, 99)))
        .integers(0, 200, shape)
        .astype(draw(st.sampled_from(["u1", "<u2", ">u2", "i4", "<f4", ">f8"]))),
        "levels": draw(st.integers(1, 3)),
        "scale": [draw(st.sampled_from([0.1, 0.5, 2.0])) if a in "zyx" else 1.0 for a in axes],
        "common": [1.0 if a == "c" else draw(st.sampled_from([1.0, 3.0])) for a in axes],
        "shift": draw(st.booleans()),
        "names": [f"stain {i}" for i in range(sizes["c"])] if "c" in axes and draw(st.booleans()) else [],
        "encoding": draw(st.sampled_from(ENCODINGS[version])),
        "order": draw(st.sampled_from("CF")),
        "shards": draw(st.booleans()),
        "named": draw(st.booleans()),
        "consolidated": draw(st.booleans()),
    }


def written(path, image):
    """Write an image as some program might, with zarr alone."""
    new = image["version"] == "0.5"
    group = zarr.create_group(path, zarr_format=3 if new else 2)
    letters, datasets = [a["name"] for a in image["axes"]], []
    for i in range(image["levels"]):
        pixels = image["values"][(..., slice(None, None, 2**i), slice(None, None, 2**i))]
        chunks = tuple(min(n, 9) for n in pixels.shape)
        more = {"order": image["order"]}
        if new:
            more = {"shards": tuple(2 * c for c in chunks) if image["shards"] else None}
            more |= {"dimension_names": letters} if image["named"] else {}
        encoding = dict(zip(("name", "separator"), image["encoding"], strict=True))
        group.create_array(str(i), data=pixels, chunks=chunks, chunk_key_encoding=encoding, **more)
        step = [2.0**i if a in "yx" else 1.0 for a in letters]
        transforms = [{"type": "scale", "scale": [s * f for s, f in zip(image["scale"], step, strict=True)]}]
        if image["shift"]:
            shift = [(f - 1) / 2 * s for s, f in zip(image["scale"], step, strict=True)]
            transforms.append({"type": "translation", "translation": shift})
        datasets.append({"path": str(i), "coordinateTransformations": transforms})
    multiscale = {
        "axes": image["axes"],
        "datasets": datasets,
        "name": "a",
        "coordinateTransformations": [{"type": "scale", "scale": image["common"]}],
    }
    shown = {"color": "FFFFFF", "active": True, "window": {"min": 0, "max": 255, "start": 0, "end": 255}}
    omero = {"omero": {"channels": [{"label": name, **shown} for name in image["names"]]}}
    more = omero if image["names"] else {}
    if new:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale], **more}
    else:
        group.attrs.update({"multiscales": [{"version": "0.4", **multiscale}], **more})
    if image["consolidated"] and not new:
        zarr.consolidate_metadata(group.store)
    return path


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=12, deadline=None)
@given(image=images())
def test_pixels_and_metadata_are_those_that_ome_zarr_py_reads(tmp_path_factory, image):
    logging.getLogger("ome_zarr").setLevel(logging.ERROR)
    path = written(tmp_path_factory.mktemp("agree") / "a.zarr", image)
    node = next(iter(ome_reader.Reader(ome_io.parse_url(str(path)))()))
    letters = [axis["name"] for axis in node.metadata["axes"]]
    for level, pixels in enumerate(node.data):
        source = open_source(path, level=level)
        spec = source.spec
        assert list(spec.axes) == letters
        np.testing.assert_array_equal(source.read(), np.asarray(pixels))
        scale, *shift = node.metadata["coordinateTransformations"][level]
        # A level without a position begins at the outer corner of level 0, which ome-zarr-py leaves to its user.
        own = np.subtract(scale["scale"], node.metadata["coordinateTransformations"][0][0]["scale"]) / 2
        shift = shift[0]["translation"] if shift else own
        np.testing.assert_allclose(spec.scale, np.multiply(scale["scale"], image["common"]))
        np.testing.assert_allclose(spec.translate, np.multiply(shift, image["common"]))
        assert spec.units == tuple(axis.get("unit") for axis in node.metadata["axes"])
        assert len(source.levels()) == len(node.data) - 1 - level
        assert list(spec.channel_names) == image["names"]


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=8, deadline=None)
@given(image=images())
def test_pixels_and_sizes_are_those_that_ngio_reads(tmp_path_factory, image):
    ngio = pytest.importorskip("ngio")
    path = written(tmp_path_factory.mktemp("agree") / "a.zarr", image)
    theirs = ngio.open_ome_zarr_container(str(path), mode="r").get_image(path="0")
    source = open_source(path)
    np.testing.assert_array_equal(source.read(), np.asarray(theirs.get_as_numpy()).reshape(source.spec.shape))
    for a in set("zyx") & set(source.spec.axes):
        assert source.spec.scale_of(a) == pytest.approx(getattr(theirs.pixel_size, a))
    if image["names"]:
        assert list(theirs.channel_labels) == list(source.spec.channel_names)
