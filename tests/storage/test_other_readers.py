"""All that is written is valid for independent validators, and other libraries read the same from it.

Pixels of every level, axes, sizes, units, positions and channel names, through ome-zarr-py, ngio, bioio and this package.
"""

from dataclasses import dataclass
from pathlib import Path

import bioio_ome_zarr
import ngio
import numpy as np
import ome_zarr.io
import ome_zarr.reader
import ome_zarr_models
import pydantic_zarr.v2
import pytest
import yaozarrs
import zarr
from ngff_images import ids, labels_metadata, write_image, write_labels
from ome_zarr_models import v04

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.image_group.label_place import LabelPlace
from napari_s1omni.storage.result.store import ResultStore
from napari_s1omni.storage.source import open_source

UM = "micrometer"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::Warning:ome_zarr"),
    pytest.mark.filterwarnings("ignore::Warning:ngio"),
    pytest.mark.filterwarnings("ignore::Warning:bioio_ome_zarr"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Object at .s1omni is not recognized"),
]

# These models name types that pydantic cannot find by itself.
for model in (v04.Labels, v04.Image, v04.ImageLabel, v04.Well, v04.HCS):
    model.model_rebuild(_types_namespace=vars(pydantic_zarr.v2))


@dataclass
class Written:
    """What was written, and what must be read from it."""

    path: Path
    axes: str
    levels: list
    scale: list
    """Pixel size of each level."""
    translate: list
    units: tuple
    kind: str
    names: tuple = ()
    image: Path | None = None
    """The image that labels lie in."""
    rgb: bool = False


def result(path, axes, shape, block, dtype="uint16", **more):
    """Write an image or labels into a folder of its own."""
    target = LayerSpec(shape, tuple(axes), dtype, **more)
    store = ResultStore.create(path, target=target, block=block, attributes={}, name="demo", disk=Disk(durable=False))
    pixels = ids(shape) if target.kind == "labels" else np.random.default_rng(0).integers(1, 200, shape).astype(dtype)
    for index in np.ndindex(*(-(-n // b) for n, b in zip(shape, block, strict=True))):
        origin = tuple(i * b for i, b in zip(index, block, strict=True))
        store.write_block(origin, pixels[tuple(slice(o, o + b) for o, b in zip(origin, block, strict=True))])
    store.complete_pyramid()
    store.finish()
    levels = [np.asarray(level[...]) for level in store.levels]
    assert np.array_equal(levels[0], pixels)
    factors = [level.factor for level in store.pyramid.levels]
    scale = [[s * f for s, f in zip(target.scale, factor, strict=True)] for factor in factors]
    translate = [
        [t + s * (f - 1) / 2 for t, s, f in zip(target.translate, target.scale, factor, strict=True)]
        for factor in factors
    ]
    return Written(
        path, axes, levels, scale, translate, target.units, target.kind, target.channel_names, None, target.rgb
    )


def labels(image, version, axes, shape, block, *, part=None, base=0, **options):
    """Write labels into an image of some version; `part` is the origin and the size of a region."""
    shapes = write_image(image, version, np.ones(shape, "uint16"), axes, **options)
    flat = axes.replace("c", "")
    size = tuple(n for n, a in zip(shapes[base], axes, strict=True) if a != "c")
    origin = (0,) * len(size)
    if part is not None:
        origin, size = part
    store, _ = write_labels(image, ids(size), flat, block, place=LabelPlace(base, origin))
    group = zarr.open_group(store.path, mode="r", zarr_format=2 if version == "0.4" else 3)
    steps = [d["coordinateTransformations"] for d in labels_metadata(store.path)["multiscales"][0]["datasets"]]
    units = {"t": "second"}
    return Written(
        store.path,
        flat,
        [group[str(i)][...] for i in range(len(shapes))],
        [step[0]["scale"] for step in steps],
        [step[1]["translation"] if len(step) > 1 else [0.0] * len(flat) for step in steps],
        tuple(units.get(a, UM) for a in flat),
        "labels",
        image=image,
    )


def in_image(version, *args, **options):
    return lambda home: labels(home / "image.zarr", version, *args, **options)


def alone(*args, **options):
    return lambda home: result(home / "result.zarr", *args, **options)


HALF = {"y": 0.5, "x": 0.25}
CASES = {
    "image": alone("yx", (700, 601), (256, 256), scale=(0.5, 0.25), units=(UM, UM)),
    "super-resolved": alone(
        "yx", (602, 600), (512, 512), "float32", scale=(0.25, 0.25), translate=(-0.125, -0.125), units=(UM, UM)
    ),
    "region": alone("yx", (300, 200), (128, 128), scale=(0.5, 0.5), translate=(12.5, 7.0), units=(UM, UM)),
    "channels": alone(
        "cyx", (2, 540, 300), (1, 512, 512), scale=(1, 0.5, 0.5), units=(None, UM, UM), channel_names=("DAPI", "actin")
    ),
    "colours": alone("cyx", (3, 120, 90), (3, 64, 64), "uint8", rgb=True),
    "volume": alone("zyx", (5, 520, 300), (2, 512, 512), scale=(0.5, 0.5, 0.5), units=(UM, UM, UM)),
    "time": alone("tyx", (3, 60, 50), (1, 64, 64), scale=(2.5, 0.5, 0.5), units=("second", UM, UM)),
    "all axes": alone(
        "tczyx", (2, 2, 3, 60, 50), (1, 1, 3, 64, 64), units=("second", None, UM, UM, UM), channel_names=("a", "b")
    ),
    "labels": alone("yx", (700, 601), (256, 256), "uint32", kind="labels", scale=(0.5, 0.5), units=(UM, UM)),
    "labels of a volume": alone("zyx", (4, 90, 70), (2, 64, 64), "uint32", kind="labels", units=(UM, UM, UM)),
    **{
        f"{name} {version}": in_image(version, *args, **options)
        for version in ("0.4", "0.5")
        for name, args, options in (
            ("in an image", ("yx", (301, 255), (128, 128)), {"levels": 4, "scale": HALF}),
            ("rounded down", ("yx", (301, 255), (128, 128)), {"levels": 3, "rounding": "floor", "shifted": True}),
            (
                "in a volume",
                ("zyx", (9, 130, 100), (4, 64, 64)),
                {"levels": 3, "factors": {"z": 2, "y": 3, "x": 3}, "scale": {"z": 2.0, **HALF}},
            ),
            (
                "in channels and time",
                ("tczyx", (2, 2, 3, 70, 90), (1, 2, 64, 64)),
                {"levels": 2, "scale": {"t": 2.5, **HALF}},
            ),
            ("of a region", ("yx", (301, 255), (64, 64)), {"levels": 3, "part": ((40, 60), (96, 128)), "scale": HALF}),
            ("of a coarse level", ("yx", (300, 250), (64, 64)), {"levels": 3, "base": 1, "scale": HALF}),
        )
    },
}


@pytest.fixture(scope="module", params=CASES, ids=lambda name: name.replace(" ", "-"))
def written(request, tmp_path_factory):
    return CASES[request.param](tmp_path_factory.mktemp("written"))


def test_yaozarrs_finds_no_fault(written):
    yaozarrs.validate_zarr_store(str(written.path))
    if written.image is not None:
        yaozarrs.validate_zarr_store(str(written.image))


def test_ome_zarr_models_finds_no_fault(written):
    for path in filter(None, (written.path, written.image)):
        ome_zarr_models.open_ome_zarr(zarr.open_group(path, mode="r"))


def place_of(written, level):
    """Where a level lies: one that the file places as level 0 begins at the same outer corner as it."""
    (fine, first), (coarse, own) = ((written.scale[i], written.translate[i]) for i in (0, level))
    return [t + (c - f) / 2 if t == t0 else t for t, t0, f, c in zip(own, first, fine, coarse, strict=True)]


def test_this_package_reads_the_same(written):
    for level, pixels in enumerate(written.levels):
        source = open_source(str(written.path), level=level)
        spec = source.spec
        assert np.array_equal(source.read(), pixels)
        assert ("".join(spec.axes), spec.units, spec.kind, spec.rgb) == (
            written.axes,
            written.units,
            written.kind,
            written.rgb,
        )
        assert spec.scale == pytest.approx(written.scale[level])
        assert spec.translate == pytest.approx(place_of(written, level))
    assert not written.names or spec.channel_names == written.names


def test_ome_zarr_py_reads_the_same(written):
    where = written.image or written.path
    nodes = [n for n in ome_zarr.reader.Reader(ome_zarr.io.parse_url(where))() if Path(n.zarr.path) == written.path]
    (node,) = nodes
    assert len(node.data) == len(written.levels)
    for mine, its in zip(written.levels, node.data, strict=True):
        assert np.array_equal(np.asarray(its), mine)
    assert [(a["name"], a.get("unit")) for a in node.metadata["axes"]] == list(
        zip(written.axes, written.units, strict=True)
    )
    for level, steps in enumerate(node.metadata["coordinateTransformations"]):
        assert steps[0]["scale"] == pytest.approx(written.scale[level])
        shift = steps[1]["translation"] if len(steps) > 1 else [0] * len(written.axes)
        assert shift == pytest.approx(written.translate[level])
    if written.names:
        assert tuple(node.metadata["channel_names"]) == written.names


def test_ngio_reads_the_same(written):
    if written.image is not None:
        container = ngio.open_ome_zarr_container(written.image)
        assert container.list_labels() == ["nuclei"]
        opened = [container.get_label("nuclei", path=path) for path in container.level_paths]
    elif written.kind == "labels":
        opened = [ngio.open_label(written.path, path=str(i)) for i in range(len(written.levels))]
    else:
        container = ngio.open_ome_zarr_container(written.path)
        opened = [container.get_image(path=path) for path in container.level_paths]
        assert not written.names or tuple(container.channel_labels) == written.names
    assert len(opened) == len(written.levels)
    for level, (mine, its) in enumerate(zip(written.levels, opened, strict=True)):
        assert "".join(its.axes) == written.axes
        assert np.array_equal(its.get_as_numpy(), mine)
        for axis, scale in zip(written.axes, written.scale[level], strict=True):
            assert axis == "c" or getattr(its.pixel_size, axis) == pytest.approx(scale)
        if UM in written.units:
            assert its.pixel_size.space_unit == UM


def test_bioio_reads_the_same(written):
    reader = bioio_ome_zarr.Reader(written.path)
    assert reader.dims.order == written.axes.upper()
    assert len(reader.resolution_levels) == len(written.levels)
    for level, pixels in enumerate(written.levels):
        reader.set_resolution_level(level)
        assert np.array_equal(reader.data, pixels)
        for axis, scale, unit in zip(written.axes, written.scale[level], written.units, strict=True):
            assert getattr(reader.scale, axis.upper()) == pytest.approx(scale)
            found = getattr(reader.dimension_properties, axis.upper()).unit
            assert unit is None or str(found) == unit
    if written.names:
        assert tuple(reader.channel_names) == written.names
