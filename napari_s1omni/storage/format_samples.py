"""Small sample files, one of each format and variant, for the table in ``docs/formats.md``."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from PIL import Image


@dataclass(frozen=True, slots=True)
class Sample:
    """How to make one small file of a format."""

    format: str
    """Name in the table."""
    name: str
    """A file name, or a URI, to be opened."""
    make: Callable[[Path], None]
    """Writes the file; does nothing for a URI."""


def format_samples() -> list[Sample]:
    """Return one sample per row of the table, in its order."""
    return [
        Sample("NumPy", "a.npy", lambda p: np.save(p, _values(5, 20, 30, dtype=">i4"))),
        Sample(
            "PNG, colour with alpha", "a.png", lambda p: Image.fromarray(_values(20, 30, 4, dtype=np.uint8)).save(p)
        ),
        Sample("PNG, 16-bit grey", "b.png", lambda p: Image.fromarray(_values(20, 30)).save(p)),
        Sample("PNG, palette", "c.png", _palette),
        Sample("JPEG", "a.jpg", lambda p: Image.fromarray(_values(20, 30, dtype=np.uint8)).save(p)),
        Sample("JPEG, turned camera", "b.jpg", _turned),
        Sample("BMP", "a.bmp", lambda p: Image.fromarray(_values(20, 30, dtype=np.uint8)).save(p)),
        Sample("GIF, animated", "a.gif", _animated),
        Sample("TIFF, tiled, deflated", "a.tif", _tiled_tiff),
        Sample("TIFF, 0 is white, 300 dpi", "c.tif", _white_is_zero),
        Sample("ImageJ TIFF", "b.tif", _imagej_tiff),
        Sample("OME-TIFF", "a.ome.tif", _ome_tiff),
        Sample("Aperio slide", "a.svs", _slide),
        Sample("Zarr v2 array", "v2.zarr", lambda p: _array(p, 2)),
        Sample("Zarr v3 array, sharded", "v3.zarr", lambda p: _array(p, 3)),
        Sample("OME-Zarr 0.4", "image04.zarr", lambda p: _ngff(p, "0.4")),
        Sample("OME-Zarr 0.5", "image05.zarr", lambda p: _ngff(p, "0.5")),
        Sample("OME-Zarr level", "image05b.zarr/1", lambda p: _ngff(p.parent, "0.5")),
        Sample("OME-Zarr labels", "image05c.zarr/labels/nuclei", lambda p: _ngff(p, "0.5", labels=True)),
        Sample("OME-Zarr plate field", "plate.zarr/A/1/0", lambda p: _ngff(p, "0.5")),
        Sample("NIfTI", "a.nii.gz", _nifti),
        Sample("HDF5 of ilastik", "a.h5", _ilastik),
        Sample("N5", "a.n5", _n5),
        Sample("Neuroglancer precomputed", "volume", _precomputed),
        Sample("MRC", "a.mrc", _mrc),
        Sample("Zipped OME-Zarr", "a.ozx", _zipped),
        Sample("Synthetic", "synthetic://nuclei?shape=4,64,64&scale=2,0.5,0.5", lambda p: None),
        Sample("Synthetic truth", "synthetic://nuclei-labels?shape=4,64,64&scale=2,0.5,0.5", lambda p: None),
    ]


def _values(*shape: int, dtype: Any = np.uint16) -> np.ndarray[Any, Any]:
    return np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)


def _palette(path: Path) -> None:
    picture = Image.fromarray(_values(20, 30, dtype=np.uint8) % 3, "P")
    picture.putpalette([0, 0, 0, 200, 30, 30, 30, 30, 200])
    picture.save(path)


def _turned(path: Path) -> None:
    about = Image.Exif()
    about[0x0112] = 6
    Image.fromarray(_values(20, 30, dtype=np.uint8)).save(path, exif=about)


def _animated(path: Path) -> None:
    first, *others = (Image.fromarray(np.full((20, 30), 80 * i, np.uint8)) for i in range(3))
    first.save(path, save_all=True, append_images=others, duration=100)


def _white_is_zero(path: Path) -> None:
    tifffile.imwrite(path, _values(20, 30), photometric="miniswhite", resolution=(300, 300), resolutionunit="INCH")


def _slide(path: Path) -> None:
    about = "Aperio Image Library v11.2.1\r\n300x200 [0,0 300x200] (32x32)|AppMag = 20|MPP = 0.4990"
    colours = _values(200, 300, 3, dtype=np.uint8)
    options: dict[str, Any] = {"photometric": "rgb", "metadata": None, "compression": "zlib"}
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(colours, tile=(32, 32), description=about, **options)
        tiff.write(colours[::5, ::5], description="Aperio thumbnail", **options)
        tiff.write(colours[::2, ::2], tile=(32, 32), description=about, **options)


def _tiled_tiff(path: Path) -> None:
    options: dict[str, Any] = {"photometric": "minisblack", "tile": (16, 16), "compression": "zlib"}
    tifffile.imwrite(path, _values(5, 20, 30), metadata={"axes": "ZYX"}, **options)


def _imagej_tiff(path: Path) -> None:
    about = {"axes": "ZCYX", "spacing": 2.5, "unit": "um"}
    tifffile.imwrite(path, _values(5, 2, 20, 30), imagej=True, resolution=(4.0, 4.0), metadata=about)


def _ome_tiff(path: Path) -> None:
    about: dict[str, Any] = {"axes": "CZYX", "Channel": {"Name": ["DNA", "actin"]}}
    about |= {f"PhysicalSize{a}": s for a, s in zip("ZYX", (1.0, 0.1, 0.1), strict=True)}
    tifffile.imwrite(path, _values(2, 5, 20, 30), metadata=about)


def _array(path: Path, version: int) -> None:
    shards = (1, 20, 30) if version == 3 else None
    names = ("z", "y", "x") if version == 3 else None
    values = _values(5, 20, 30)
    zarr.create_array(path, data=values, chunks=(1, 10, 10), shards=shards, zarr_format=version, dimension_names=names)


def _ngff(path: Path, version: str, *, labels: bool = False) -> None:
    values = _values(5, 20, 30, dtype=np.uint32) if labels else _values(2, 5, 20, 30)
    letters = "zyx" if labels else "czyx"
    group = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    datasets = []
    for i, level in enumerate((values, values[..., ::2, ::2])):
        group.create_array(str(i), data=level, chunks=(*level.shape[:-2], 10, 10))
        scale = [{"c": 1.0, "z": 2.0}.get(a, 0.5 * 2**i) for a in letters]
        datasets.append({"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    axes = [
        {"name": a, "type": "channel"} if a == "c" else {"name": a, "type": "space", "unit": "micrometer"}
        for a in letters
    ]
    image: dict[str, Any] = {"axes": axes, "datasets": datasets}
    about: dict[str, Any] = (
        {"image-label": {}} if labels else {"omero": {"channels": [{"label": "DNA"}, {"label": "actin"}]}}
    )
    if version == "0.4":
        group.attrs.update({"multiscales": [{**image, "version": version}], **about})
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [image], **about}


def _nifti(path: Path) -> None:
    import nibabel

    volume = nibabel.Nifti1Image(_values(30, 20, 5, dtype=np.int16), np.diag([0.8, 0.8, 3.0, 1.0]))
    volume.header.set_xyzt_units("mm")
    nibabel.save(volume, path)


def _ilastik(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        data = file.create_dataset("exported_data", data=_values(5, 20, 30, 2))
        tags = [{"key": a, "typeFlags": 1 if a == "c" else 2, "resolution": 0, "description": ""} for a in "zyxc"]
        data.attrs["axistags"] = json.dumps({"axes": tags})
        data.attrs["element_size_um"] = [2.0, 0.5, 0.5]


def _n5(path: Path) -> None:
    about = {"dataType": "uint16", "dimensions": [30, 20, 5], "blockSize": [10, 10, 5], "compression": {"type": "gzip"}}
    about |= {"axes": ["x", "y", "z"], "resolution": [4.0, 4.0, 40.0], "units": ["nm"] * 3}
    _tensor({"driver": "n5", "metadata": about}, path, _values(5, 20, 30))


def _precomputed(path: Path) -> None:
    scale = {"size": [30, 20, 5], "resolution": [4, 4, 40], "chunk_size": [10, 10, 5], "encoding": "raw"}
    about = {"data_type": "uint16", "num_channels": 1, "type": "image"}
    spec = {"driver": "neuroglancer_precomputed", "multiscale_metadata": about, "scale_metadata": scale}
    _tensor(spec, path, _values(1, 5, 20, 30))


def _tensor(spec: dict[str, Any], path: Path, values: np.ndarray[Any, Any]) -> None:
    import tensorstore

    spec = {**spec, "kvstore": {"driver": "file", "path": f"{path}/"}}
    tensorstore.open(spec, create=True).result().write(values.T).result()


def _mrc(path: Path) -> None:
    import mrcfile

    with mrcfile.new(path) as file:
        file.set_data(_values(5, 20, 30, dtype=np.int16))
        file.voxel_size = 3.5


def _zipped(path: Path) -> None:
    folder = path.with_name("zipped.zarr")
    _ngff(folder, "0.5")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
