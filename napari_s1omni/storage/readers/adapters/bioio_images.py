"""Read what a plugin of bioio reads, such as Bio-Formats, for endings that no reader of this package has."""

from __future__ import annotations

import functools
import threading
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.acquisition import Acquisition, Channel
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.adapters.bioio_endings import bioio_endings
from napari_s1omni.storage.readers.file_format import FormatInfo, ImageHeader
from napari_s1omni.storage.readers.foreign_array import chunks_of
from napari_s1omni.storage.readers.raw_image import RawImage
from napari_s1omni.storage.readers.volumes.headers import make_header
from napari_s1omni.storage.readers.volumes.stored_pixels import StoredPixels

_ONE_AT_A_TIME = threading.RLock()
"""Plugins of bioio are not made for several threads."""


def describe() -> FormatInfo:
    """Describe what the installed plugins read."""
    return FormatInfo(
        "an image that a plugin of bioio reads",
        bioio_endings(),
        "bioio",
        "BSD-3-Clause, and that of the plugin",
        tried="a plugin made for the test; what a plugin loses is lost",
    )


def list_images(path: Path) -> Sequence[ImageHeader]:
    """List the scenes of a file."""
    with _ONE_AT_A_TIME:
        image = _open(path)
        scenes = [str(scene) for scene in image.scenes]
        counts = Counter(scenes)
        headers = []
        for number, scene in enumerate(scenes):
            found = _scene(image, number, path)
            name = scene if counts[scene] == 1 else f"{scene} ({number})"
            headers.append(
                make_header(name, found.shape, found.dtype, found.axes, found.scale, found.units, found.channels)
            )
    return headers


def read_image(path: Path, number: int) -> RawImage:
    """Return a scene."""
    with _ONE_AT_A_TIME:
        image = _open(path)
        found = _scene(image, number, path)
    pixels = _BioioPixels(f"scene {number} of {path}", found.axes, found.shape, found.dtype, found.chunks, found.array)
    names = tuple(channel.name for channel in found.channels)
    return RawImage(
        pixels=pixels,
        axes=found.axes,
        chunks=found.chunks,
        scale=found.scale,
        units=found.units,
        channel_names=names if "c" in found.axes and any(names) else (),
        notes=(f"read by {_reader(image)}; metadata that this plugin does not pass on is lost", *found.notes),
        acquisition=Acquisition(channels=found.channels),
    )


@dataclass(frozen=True, slots=True)
class _BioioPixels(StoredPixels):
    """The dask array of a scene, computed box by box in this thread."""

    array: Any

    def read(self, index: tuple[slice, ...]) -> NDArray[Any]:
        """Read a box."""
        with _ONE_AT_A_TIME:
            return np.asarray(self.array[index].compute(scheduler="synchronous"))


@dataclass(frozen=True, slots=True)
class _Scene:
    array: Any
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    scale: dict[str, float]
    units: dict[str, str]
    channels: tuple[Channel, ...]
    notes: tuple[str, ...]


def _open(path: Path) -> Any:
    import bioio

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bioio.BioImage(path, use_plugin_cache=True)
    except Exception as error:
        raise SourceError(
            f"no plugin of bioio reads {path} ({type(error).__name__}: {str(error).partition('. ')[0]})",
            "a plugin of bioio for this kind of file is installed and works",
            "update the plugin, or convert the file to OME-TIFF or OME-Zarr",
            path=str(path),
        ) from error


def _scene(image: Any, number: int, path: Path) -> _Scene:
    """Return a scene without the dimensions of 1 pixel among time, channels and sections."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image.set_scene(number)
        array = image.xarray_dask_data
        sizes = image.physical_pixel_sizes
        names = [str(name) for name in image.channel_names or ()]
        step = _seconds(image)
    dims = [str(dim).lower() for dim in array.dims]
    kept = [i for i, (dim, n) in enumerate(zip(dims, array.shape, strict=True)) if n > 1 or dim in "yx"]
    axes = "".join(dims[i] for i in kept)
    pixels = array.data[tuple(slice(None) if i in kept else 0 for i in range(len(dims)))]
    shape = tuple(int(n) for n in pixels.shape)
    notes = []
    scale = {}
    for a in "zyx":
        size = getattr(sizes, a.upper())
        if a in axes and size is not None and size > 0:
            scale[a] = float(size)
    units = dict.fromkeys(scale, "micrometer")
    if "t" in axes and step:
        scale["t"], units["t"] = step, "second"
    if "m" in axes:
        notes.append("the plugin does not join the tiles of this mosaic; choose one with axes, or stitch it first")
    count = shape[axes.index("c")] if "c" in axes else 1
    channels = tuple(Channel(name) for name in names) if len(names) == count else ()
    chunks = chunks_of(pixels, shape) or shape
    return _Scene(pixels, axes, shape, np.dtype(pixels.dtype), chunks, scale, units, channels, tuple(notes))


def _seconds(image: Any) -> float | None:
    """Return the time between two time points; None if the plugin does not know it."""
    try:
        interval = image.time_interval
    except Exception:  # a property that many plugins lack
        return None
    seconds = getattr(interval, "total_seconds", lambda: interval)()
    return float(seconds) if isinstance(seconds, int | float) and seconds > 0 else None


def _reader(image: Any) -> str:
    """Return plugin and version, such as ``bioio-lif 2.0 through bioio 3.6``."""
    package = type(image.reader).__module__.partition(".")[0]
    return f"{package.replace('_', '-')}{_version(package)} through bioio{_version('bioio')}"


@functools.cache
def _version(package: str) -> str:
    try:
        return f" {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return ""
