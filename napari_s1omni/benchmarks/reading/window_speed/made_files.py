"""A large file of each format, made where a folder has none, so that windows of it can be timed."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.benchmarks.reading.instrument_files import leica, nikon, zeiss

_PLANE = (2048, 2048)
_VOLUME = (8, 1024, 1024)
_CHUNK = (4, 128, 128)
_STEP = 0.25
"""Pixel size in micrometres, where a format holds it."""


def make_file(name: str, folder: Path) -> Path:
    """Write a file of a format into an empty folder, and return its path.

    Parameters
    ----------
    name : str
        One of :data:`MADE`.
    folder : Path
    """
    return _WRITERS[name](folder)


def _noise(*shape: int, top: int = 4000, dtype: Any = np.uint16) -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, top, shape, dtype)


def _czi(folder: Path, *colours: int) -> Path:
    pixels = _noise(*_PLANE, *colours, top=255, dtype=np.uint8) if colours else _noise(*_PLANE)
    places = [(y, x) for y in range(0, _PLANE[0], 512) for x in range(0, _PLANE[1], 512)]
    tiles = [(pixels[y : y + 512, x : x + 512], (x, y), {"T": 0, "Z": 0, "C": 0}, 0) for y, x in places]
    return zeiss.write_czi(folder / "made.czi", tiles)


def _nd2(folder: Path) -> Path:
    return nikon.write_nd2(folder / "made.nd2", _noise(3, *_PLANE, 1), nikon.planes(3, 2.0))


def _lif(folder: Path) -> Path:
    lengths = {"x": (0.0, 5e-4), "y": (0.0, 5e-4), "z": (0.0, 1e-5)}
    return leica.write_lif(folder / "made.lif", [("made", _noise(3, *_PLANE), "zyx", {"lengths": lengths})])


def _smooth_colours() -> NDArray[Any]:
    """Return colours that a JPEG packs as well as tissue."""
    y, x = np.mgrid[: _PLANE[0], : _PLANE[1]]
    waves = [127 + 100 * np.sin(y / k) * np.cos(x / k) for k in (17.0, 29.0, 41.0)]
    return np.stack(waves, -1).astype(np.uint8)


def _tiff(folder: Path) -> Path:
    import tifffile

    pixels = _smooth_colours()
    options = {"tile": (256, 256), "compression": "jpeg", "photometric": "rgb"}
    with tifffile.TiffWriter(folder / "made.tif") as file:
        file.write(pixels, subifds=1, resolution=(40_000, 40_000), resolutionunit="CENTIMETER", **options)
        file.write(pixels[::2, ::2], subfiletype=1, **options)
    return folder / "made.tif"


def _slide(folder: Path) -> Path:
    from napari_s1omni.benchmarks.reading.instrument_files.dicom_slide import write_slide

    return write_slide(folder / "slide", _smooth_colours(), tile=256, label=False)


def _dicom(folder: Path) -> Path:
    from napari_s1omni.benchmarks.reading.instrument_files.dicom import write_series

    stored = _noise(*_VOLUME, top=3000, dtype=np.int16)
    return write_series(folder / "series", stored, RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")


def _itk(ending: str, folder: Path) -> Path:
    import SimpleITK

    image = SimpleITK.GetImageFromArray(_noise(*_VOLUME))
    image.SetSpacing((_STEP, _STEP, 2.0))
    SimpleITK.WriteImage(image, str(folder / f"made{ending}"))
    return folder / f"made{ending}"


def _hdf5(folder: Path) -> Path:
    import h5py

    with h5py.File(folder / "made.h5", "w") as file:
        data = file.create_dataset("raw", data=_noise(*_VOLUME), chunks=_CHUNK, compression="gzip", compression_opts=1)
        data.attrs["element_size_um"] = (2.0, _STEP, _STEP)
    return folder / "made.h5"


def _big_data_viewer(folder: Path) -> Path:
    import h5py

    z, y, x = _VOLUME
    with h5py.File(folder / "made.h5", "w") as file:
        file["s00/resolutions"], file["s00/subdivisions"] = np.ones((1, 3)), np.array([_CHUNK[::-1]])
        pixels = _noise(*_VOLUME).view(np.int16)
        file.create_dataset("t00000/s00/0/cells", data=pixels, chunks=_CHUNK, compression="gzip", compression_opts=1)
    (folder / "made.xml").write_text(
        "<SpimData version='0.2'><BasePath type='relative'>.</BasePath><SequenceDescription><ImageLoader "
        "format='bdv.hdf5'><hdf5 type='relative'>made.h5</hdf5></ImageLoader><ViewSetups><ViewSetup><id>0</id>"
        f"<name>made</name><size>{x} {y} {z}</size><voxelSize><unit>um</unit><size>{_STEP} {_STEP} 2.0</size>"
        "</voxelSize><attributes><channel>0</channel></attributes></ViewSetup></ViewSetups><Timepoints type='range'>"
        "<first>0</first><last>0</last></Timepoints></SequenceDescription><ViewRegistrations><ViewRegistration "
        f"timepoint='0' setup='0'><ViewTransform type='affine'><affine>{_STEP} 0 0 0 0 {_STEP} 0 0 0 0 2 0</affine>"
        "</ViewTransform></ViewRegistration></ViewRegistrations></SpimData>",
        "utf-8",
    )
    return folder / "made.xml"


def _imaris(folder: Path) -> Path:
    import h5py

    def put(node: Any, **values: object) -> None:
        # Imaris writes attributes letter by letter.
        for name, value in values.items():
            node.attrs[name] = np.array([letter.encode() for letter in str(value)], "S1")

    z, y, x = _VOLUME
    with h5py.File(folder / "made.ims", "w") as file:
        group = file.create_group("DataSet/ResolutionLevel 0/TimePoint 0/Channel 0")
        put(group, ImageSizeZ=z, ImageSizeY=y, ImageSizeX=x)
        pixels = _noise(*_VOLUME)
        group.create_dataset("Data", data=pixels, chunks=_CHUNK, compression="gzip", compression_opts=1)
        image = file.create_group("DataSetInfo/Image")
        put(image, ExtMin0=0, ExtMin1=0, ExtMin2=0, ExtMax0=x * _STEP, ExtMax1=y * _STEP, ExtMax2=z * 2.0, Unit="um")
        put(file.create_group("DataSetInfo/Channel 0"), Name="made")
    return folder / "made.ims"


def _n5(folder: Path) -> Path:
    import tensorstore

    metadata: dict[str, Any] = {"dataType": "uint16", "dimensions": _VOLUME[::-1], "blockSize": _CHUNK[::-1]}
    metadata |= {"compression": {"type": "gzip", "level": 1}, "axes": ["x", "y", "z"]}
    metadata |= {"resolution": [_STEP, _STEP, 2.0], "units": ["um", "um", "um"]}
    place = {"driver": "file", "path": f"{folder}/made.n5/"}
    array = tensorstore.open({"driver": "n5", "kvstore": place, "metadata": metadata}, create=True).result()
    array.T.write(_noise(*_VOLUME)).result()
    return folder / "made.n5"


def _precomputed(folder: Path) -> Path:
    import tensorstore

    scale = {"size": _VOLUME[::-1], "resolution": [250, 250, 2000], "chunk_size": _CHUNK[::-1], "encoding": "raw"}
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{folder}/made/"},
        "multiscale_metadata": {"data_type": "uint16", "num_channels": 1, "type": "image"},
        "scale_metadata": scale,
    }
    tensorstore.open(spec, create=True).result().T[0].write(_noise(*_VOLUME)).result()
    return folder / "made"


def _mrc(folder: Path) -> Path:
    import mrcfile

    with mrcfile.new(folder / "made.mrc") as file:
        file.set_data(_noise(*_VOLUME))
        file.set_volume()
        file.voxel_size = (1e4 * _STEP, 1e4 * _STEP, 2e4)
    return folder / "made.mrc"


def _zipped_zarr(folder: Path) -> Path:
    import zarr
    import zarr.storage

    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [2.0, _STEP, _STEP]}]}
    image = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level]}]}
    with zarr.storage.ZipStore(folder / "made.ozx", mode="w", compression=zipfile.ZIP_STORED) as store:
        group = zarr.create_group(store, attributes={"ome": image})
        group.create_array("0", data=_noise(*_VOLUME), chunks=_CHUNK)
    return folder / "made.ozx"


_WRITERS: Mapping[str, Callable[[Path], Path]] = {
    "Zeiss CZI": _czi,
    "Zeiss CZI, colours": lambda folder: _czi(folder, 3),
    "Nikon ND2": _nd2,
    "Leica LIF": _lif,
    "TIFF, colours": _tiff,
    "DICOM whole slide, colours": _slide,
    "DICOM": _dicom,
    "MetaImage": lambda folder: _itk(".mha", folder),
    "NRRD": lambda folder: _itk(".nrrd", folder),
    "HDF5": _hdf5,
    "BigDataViewer": _big_data_viewer,
    "Imaris": _imaris,
    "N5": _n5,
    "Neuroglancer precomputed": _precomputed,
    "MRC": _mrc,
    "zipped OME-Zarr": _zipped_zarr,
}
MADE = tuple(_WRITERS)
"""The formats, as they are named in the table."""
