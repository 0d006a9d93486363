"""Read HDF5: each dataset that can be an image is one, named by its path. Files of ilastik say their axes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.file_format import FileFormat, FormatInfo, ImageHeader
from napari_s1omni.storage.readers.raw_image import RawImage
from napari_s1omni.storage.readers.volumes import imaris
from napari_s1omni.storage.readers.volumes.hdf5_axes import DatasetMeaning, dataset_meaning
from napari_s1omni.storage.readers.volumes.hdf5_file import Hdf5Pixels, hdf5_file, open_hdf5
from napari_s1omni.storage.readers.volumes.headers import UNKNOWN, make_header
from napari_s1omni.storage.readers.volumes.views import big_data_viewer

_SMALLEST = 8
"""Pixels along the two longest dimensions from which a dataset without axes is taken for an image, not a table."""
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class _Dataset:
    """A dataset that is an image."""

    header: ImageHeader
    meaning: DatasetMeaning


@dataclass(frozen=True, slots=True)
class _Listing:
    images: tuple[_Dataset, ...]
    others: tuple[str, ...]
    """Datasets that are no images, with their shapes."""


def describe() -> FormatInfo:
    """Describe the format."""
    return FormatInfo(
        "HDF5",
        (".h5", ".hdf5", ".hdf", ".he5"),
        "h5py",
        "BSD-3-Clause",
        "volumes",
        "files that h5py writes, with the axistags of ilastik",
    )


def list_images(path: Path) -> Sequence[ImageHeader]:
    """List the image-like datasets of a file; those of BigDataViewer and Imaris are listed as their own formats do."""
    if other := _special(path):
        return other.list_images(path)
    listing = _listed(path)
    if not listing.images:
        held = ", ".join(listing.others[:_SHOWN]) or "nothing"
        raise SourceError(
            f"{path} holds no image; its datasets: {held}",
            "an image is a dataset of numbers with 2 or more dimensions",
            "give another file",
            path=str(path),
        )
    return [image.header for image in listing.images]


def read_image(path: Path, number: int) -> RawImage:
    """Return a dataset."""
    if other := _special(path):
        return other.read_image(path, number)
    listing = _listed(path)
    image = listing.images[number]
    meaning = image.meaning
    axes = meaning.axes.letters if meaning.axes else None
    pixels = Hdf5Pixels.of(open_hdf5(path)[image.header.name], path, axes or image.header.axes.strip(UNKNOWN))
    notes = list(meaning.notes)
    if not meaning.scale:
        notes.append(f"'{image.header.name}' has no pixel size; give scale and units")
    if listing.others:
        shown = ", ".join(listing.others[:_SHOWN]) + (", ..." if len(listing.others) > _SHOWN else "")
        notes.append(f"left out of {path.name}, as no images: {shown}")
    return RawImage(
        pixels=pixels,
        axes=axes,
        chunks=pixels.chunks,
        scale=meaning.scale,
        translate=meaning.translate,
        units=meaning.units,
        kind="labels" if meaning.is_labels else "image",
        notes=(*notes, *(meaning.axes.notes if meaning.axes else ())),
        axis_names=meaning.axes.names if meaning.axes else (),
    )


def _special(path: Path) -> FileFormat | None:
    """Return the reader of a layout that has its own: that of BigDataViewer or Imaris; None for plain HDF5."""
    with hdf5_file(path) as file:
        if big_data_viewer.is_layout(file):
            return cast("FileFormat", big_data_viewer)
        return cast("FileFormat", imaris) if imaris.is_layout(file) else None


def _listed(path: Path) -> _Listing:
    state = path.stat()
    return _list(str(path), state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=4)
def _list(path: str, modified: int, size: int) -> _Listing:
    """List the datasets of a file once, since a file may hold thousands and be read image by image."""
    images: list[_Dataset] = []
    small: list[_Dataset] = []
    others: list[str] = []
    with hdf5_file(Path(path)) as file:
        import h5py

        def visit(name: str, node: Any) -> None:
            if not isinstance(node, h5py.Dataset):
                return
            shape, dtype = node.shape or (), np.dtype(node.dtype)
            if dtype.kind not in "biuf" or len(shape) < 2 or sorted(shape)[-2] < 2 or min(shape) < 1:
                others.append(f"{name} {tuple(shape)}")
                return
            meaning = dataset_meaning(node)
            axes = meaning.axes.letters if meaning.axes else None
            header = make_header(name, shape, dtype, axes, meaning.scale, meaning.units)
            is_image = meaning.axes is not None or sorted(shape)[-2] >= _SMALLEST
            (images if is_image else small).append(_Dataset(header, meaning))

        file.visititems(visit)
    if not images:
        images, small = small, []
    return _Listing(tuple(images), (*others, *(f"{one.header.name} {one.header.shape}" for one in small)))
