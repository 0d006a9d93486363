"""The images of a folder that have a reference reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from napari_s1omni.benchmarks.reading.references.registry import ENDINGS
from napari_s1omni.storage.formats_page import groups
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
                yield path, _FORMATS.get(ending, ending.lstrip(".").upper())


_FORMATS = {".tif": "TIFF", ".tiff": "TIFF", ".btf": "TIFF", ".jpg": "JPEG", ".nii": "NIfTI", ".nii.gz": "NIfTI"}
