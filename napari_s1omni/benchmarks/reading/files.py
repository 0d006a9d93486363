"""The images of a folder that have a reference reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from napari_s1omni.benchmarks.reading.references.registry import ENDINGS
from napari_s1omni.errors import S1OmniError
from napari_s1omni.storage.formats_page import groups
from napari_s1omni.storage.listing.image_headers import image_names
from napari_s1omni.storage.readers.formats import format_of
from napari_s1omni.storage.readers.registry import file_endings


def images(folder: Path, most: int | None = None) -> Iterator[tuple[Path, str]]:
    """Yield path and format of each image below a folder.

    Parameters
    ----------
    folder : Path
    most : int, optional
        Images of one format taken from one folder; by default all.
    """
    taken: Counter[tuple[Path, str]] = Counter()
    endings = sorted({*ENDINGS, *file_endings()}, key=len, reverse=True)
    stores = list(groups(folder))
    inside = {*stores}
    for path in sorted(folder.rglob("*")):
        if path in inside:
            yield path, "OME-Zarr"
        elif path.is_file() and not any(parent in inside for parent in path.parents):
            ending = next((e for e in endings if path.name.lower().endswith(e)), None)
            taken[path.parent, ending or ""] += 1
            if ending and (most is None or taken[path.parent, ending] <= most):
                for image in _images_in(path, most):
                    yield image, _FORMATS.get(ending, ending.lstrip(".").upper())


def _images_in(path: Path, most: int | None) -> list[Path]:
    """Return a file, or the references of its images if it holds several."""
    try:
        names = image_names(str(path)) if format_of(path) is not None else None
    except S1OmniError:
        # Its error is found when it is read.
        names = None
    return [path] if names is None or len(names) < 2 else [Path(f"{path}::{name}") for name in names[:most]]


_FORMATS = {".tif": "TIFF", ".tiff": "TIFF", ".btf": "TIFF", ".jpg": "JPEG", ".nii": "NIfTI", ".nii.gz": "NIfTI"}
