"""The levels of an OME-Zarr image on disk, which labels inside it follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_s1omni.errors import SourceError, StoreError
from napari_s1omni.planning.zarr_folder import ZarrFormat, is_array, read_json, read_ome, zarr_format
from napari_s1omni.storage.axis_names import read_axes
from napari_s1omni.storage.readers.zarr_nodes.ngff_metadata import Multiscale

_REMEDY = "write to a separate output folder"


@dataclass(frozen=True, slots=True)
class ImageLevel:
    """One level of an image; mappings are by axis letter."""

    path: str
    """Path of its array in the image."""
    shape: Mapping[str, int]
    """Size in pixels."""
    scale: Mapping[str, float]
    """Pixel size."""
    translate: Mapping[str, float]
    """Position of the centre of the first pixel."""


@dataclass(frozen=True, slots=True)
class ImageLevels:
    """The levels of an image, full resolution first."""

    levels: tuple[ImageLevel, ...]
    axes: Mapping[str, Mapping[str, Any]]
    """The image's own description of each axis, by axis letter."""
    zarr_format: ZarrFormat
    """2 for OME-Zarr 0.4, 3 for 0.5."""

    def index(self, path: str) -> int:
        """Return which level an array is."""
        return [level.path for level in self.levels].index(path)


def is_image(path: Path) -> bool:
    """Whether a folder is an OME-Zarr image of any version, or a Zarr array."""
    return is_array(path) or "multiscales" in read_ome(path)


def read_image_levels(image: Path, axes: str | None = None) -> ImageLevels:
    """Read the levels of an OME-Zarr 0.4 or 0.5 image from its metadata.

    Parameters
    ----------
    image : Path
        The folder of the image.
    axes : str, optional
        One letter per stored dimension, instead of those of the metadata.

    Raises
    ------
    StoreError
        If it is no such image, or one of its levels is missing or has other dimensions.
    """
    attributes = read_ome(image)
    found = zarr_format(image)
    if found is None or "multiscales" not in attributes:
        raise StoreError(f"{image} is not an OME-Zarr image", "labels go into an image of OME-Zarr 0.4 or 0.5", _REMEDY)
    try:
        whole = Multiscale.read(attributes, str(image), [])
        paths = [str(dataset.get("path")) for dataset in whole.datasets]
        shapes = [_array_shape(image / path) for path in paths]
        for path, shape in zip(paths, shapes, strict=True):
            if len(shape) != len(whole.names):
                raise StoreError(
                    f"level '{path}' of {image} " + (f"has shape {shape}" if shape else "does not exist"),
                    f"labels inside an image have its levels, each an array of {len(whole.names)} dimensions",
                    _REMEDY,
                )
        whole = whole.with_letters(shapes[0], [])
        transforms = [whole.transform(i) for i in range(len(paths))]
    except SourceError as error:
        raise StoreError(error.given, error.allowed, _REMEDY) from error
    letters = read_axes(axes, shapes[0]).letters if axes else whole.axes
    levels = []
    for path, shape, (scale, translate) in zip(paths, shapes, transforms, strict=True):
        place = (dict(zip(letters, values.values(), strict=True)) for values in (scale, translate))
        levels.append(ImageLevel(path, dict(zip(letters, shape, strict=True)), *place))
    described = dict(zip(letters, attributes["multiscales"][0]["axes"], strict=True))
    return ImageLevels(tuple(levels), described, found)


def _array_shape(folder: Path) -> tuple[int, ...]:
    """Return the shape of an array; empty if there is none."""
    document = read_json(folder / ("zarr.json" if zarr_format(folder) == 3 else ".zarray"))
    shape = document.get("shape")
    return tuple(shape) if isinstance(shape, list) and all(isinstance(n, int) for n in shape) else ()
