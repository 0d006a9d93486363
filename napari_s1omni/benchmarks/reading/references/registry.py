"""Which reference readers a file has, and what they see."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_s1omni.benchmarks.reading.quiet import quiet
from napari_s1omni.benchmarks.reading.references.zarr_metadata import attributes
from napari_s1omni.benchmarks.reading.seen import Seen
from napari_s1omni.core.paths import split_reference

_HERE = "napari_s1omni.benchmarks.reading.references"
_TIFFS = (".tif", ".tiff", ".btf", ".tf8", ".svs", ".lsm", ".stk", ".qptiff", ".scn", ".ndpi")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".jp2")
_VOLUMES = (".nii", ".nii.gz")


@dataclass(frozen=True, slots=True)
class Reference:
    """A reader of one kind of file."""

    name: str
    """As in the table of results."""
    module: str
    """Where its function ``read`` is."""
    library: str
    """What it needs; only tests install some."""


_FILES = (
    (_TIFFS, Reference("tifffile", "tiff", "tifffile")),
    (_PICTURES, Reference("Pillow", "picture", "PIL")),
    (_VOLUMES, Reference("nibabel", "nifti", "nibabel")),
    ((".npy",), Reference("numpy", "numpy_file", "numpy")),
    ((".czi",), Reference("pylibCZIrw", "zeiss", "pylibCZIrw")),
    ((".nd2",), Reference("nd2", "nikon", "nd2")),
    ((".dcm",), Reference("pydicom", "dicom", "pydicom")),
    ((".mrc", ".map"), Reference("mrcfile", "mrc", "mrcfile")),
    ((".h5", ".hdf5"), Reference("h5py", "hdf5", "h5py")),
    ((".lif", ".lof", ".xlif", ".xlef"), Reference("liffile", "leica", "liffile")),
)
_ARRAY = Reference("specification", "zarr_metadata", "zarr")
_IMAGES = (
    _ARRAY,
    Reference("ome-zarr-py", "ome_zarr_py", "ome_zarr"),
    Reference("ngio", "ngio_container", "ngio"),
    Reference("bioio", "bioio_image", "bioio_ome_zarr"),
)

REFERENCES = (*(reference for _, reference in _FILES), *_IMAGES)
"""All of them."""
ENDINGS = tuple(ending for endings, _ in _FILES for ending in endings)
"""Endings of the files that have a reference reader."""


def missing() -> list[str]:
    """Return the names of the reference readers that are not installed here."""
    return [r.name for r in REFERENCES if importlib.util.find_spec(r.library) is None]


def references_of(path: Path) -> Iterator[Callable[[], Seen]]:
    """Yield each reference of a file or store that is installed, the main one first.

    A reader fails with any exception where it cannot read the file.
    """
    if path.is_dir():
        found: tuple[Reference, ...] = _IMAGES if _is_image(path) else (_ARRAY,)
    else:
        file, _ = split_reference(str(path))
        found = tuple(r for endings, r in _FILES if file.lower().endswith(endings))
    for reference in found:
        if importlib.util.find_spec(reference.library) is not None:
            yield functools.partial(_read, reference.module, path)


def _is_image(path: Path) -> bool:
    try:
        return bool(attributes(path).get("multiscales"))
    except Exception:
        # Its metadata are damaged.
        return False


def _read(module: str, path: Path) -> Seen:
    with quiet():
        seen: Seen = importlib.import_module(f"{_HERE}.{module}").read(path)
        return seen
