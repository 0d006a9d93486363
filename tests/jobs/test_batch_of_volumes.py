"""A folder with one volume of each kind goes through a batch to one table, each object where and as large as it is."""

import csv
import zipfile

import numpy as np
import pytest
import zarr

from napari_s1omni.frontends.cli.main import main
from napari_s1omni.storage.collections import list_sources
from napari_s1omni.storage.source import open_source

h5py = pytest.importorskip("h5py")
mrcfile = pytest.importorskip("mrcfile")
tensorstore = pytest.importorskip("tensorstore")
STEP = {"z": 1.0, "y": 0.5, "x": 0.5}
"""Micrometres, in every file."""


@pytest.fixture(scope="module")
def nuclei():
    return open_source("synthetic://nuclei?shape=2,160,200").read()


def tensor(folder, values, **spec):
    place = {"driver": "file", "path": f"{folder}/"}
    tensorstore.open({**spec, "kvstore": place}, create=True).result().write(values.T).result()


@pytest.fixture
def folder(tmp_path, nuclei):
    home = tmp_path / "volumes"
    home.mkdir()
    with h5py.File(home / "hdf5.h5", "w") as file:
        for name in ("a/raw", "b/raw"):
            data = file.create_dataset(name, data=nuclei, chunks=(1, 64, 64), compression="gzip")
            data.attrs["element_size_um"] = list(STEP.values())
    with mrcfile.new(home / "mrc.mrc") as file:
        file.set_data(nuclei)
        file.set_volume()
        file.voxel_size = (5000, 5000, 10_000)
    about = {
        "dataType": "uint16",
        "dimensions": [200, 160, 2],
        "blockSize": [64, 64, 2],
        "compression": {"type": "gzip"},
    }
    about |= {"axes": ["x", "y", "z"], "resolution": [0.5, 0.5, 1.0], "units": ["um"] * 3}
    tensor(home / "store.n5", nuclei, driver="n5", metadata=about)
    scale = {"size": [200, 160, 2], "resolution": [500, 500, 1000], "chunk_size": [64, 64, 2], "encoding": "raw"}
    tensor(
        home / "volume",
        nuclei[None],
        driver="neuroglancer_precomputed",
        multiscale_metadata={"data_type": "uint16", "num_channels": 1, "type": "image"},
        scale_metadata=scale,
    )
    group = zarr.create_group(tmp_path / "image.zarr")
    group.create_array("0", data=nuclei, chunks=(1, 64, 64))
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in STEP]
    steps = [{"type": "scale", "scale": list(STEP.values())}]
    image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": steps}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    with zipfile.ZipFile(home / "zipped.ozx", "w") as archive:
        for path in sorted((tmp_path / "image.zarr").rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(tmp_path / "image.zarr").as_posix())
    return home


@pytest.mark.slow
def test_each_kind_gives_the_same_objects(folder, tmp_path, capsys):
    job = tmp_path / "job.yaml"
    job.write_text(
        "operation: {type: segmentation, prompt: 'segment the nuclei, about 10 um'}\n"
        "engine: reference\nsource: x\noutput: y\n"
    )
    with pytest.raises(SystemExit) as end:
        main(["run", str(job), "--source", str(folder), "--output", str(tmp_path / "out"), "--measure"])
    assert not end.value.code, capsys.readouterr().err
    with (tmp_path / "out" / "objects.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    images = {row["image"] for row in rows}
    assert images == {"hdf5-a-raw", "hdf5-b-raw", "mrc", "store", "volume", "zipped"}
    by_image = {name: [row for row in rows if row["image"] == name] for name in images}
    expected = by_image["hdf5-a-raw"]
    assert len(expected) > 5
    for found in by_image.values():
        assert {row["unit"] for row in found} == {"micrometer"}
        for key in ("num_pixels", "area", "centroid_y", "centroid_x"):
            np.testing.assert_allclose(
                [float(row[key]) for row in found], [float(row[key]) for row in expected], rtol=1e-5
            )
    for entry in list_sources(folder):
        labels, source = (open_source(p).spec for p in (tmp_path / "out" / f"{entry.name}.zarr", entry.uri))
        assert (labels.scale, labels.translate, labels.units) == (source.scale, source.translate, source.units)
