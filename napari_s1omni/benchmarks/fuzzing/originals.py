"""The images that are damaged: samples of each format, our own output, generated files, and a folder of data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from napari_s1omni.api import segment
from napari_s1omni.benchmarks.fuzzing.damage import Original
from napari_s1omni.benchmarks.reading.agreement import check
from napari_s1omni.benchmarks.reading.files import images
from napari_s1omni.benchmarks.reading.generated.series import generate
from napari_s1omni.storage.format_samples import format_samples
from napari_s1omni.storage.writers.tiff import write_tiff

_LARGEST = 400_000
"""Bytes up to which a file of the data is taken: most of the time should go into reading, not into copying."""


def originals(folder: Path, data: Path | None, generated: int, seed: int) -> list[Original]:
    """Write and find images; return those that are read as their reference reader reads them, or with a note.

    Parameters
    ----------
    folder : Path
        An empty folder for those that are written here.
    data : Path, optional
        Folder of images, two per format and folder are taken; by default none.
    generated, seed : int
        Number and seed of generated files.
    """
    found = [*_samples(folder / "samples"), *_output(folder / "output")]
    found += _generated(folder / "generated", generated, seed)
    for path, _ in images(data, 2) if data else ():
        files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        if sum(p.stat().st_size for p in files) <= _LARGEST:
            found.append(Original(path))
    return [original for original in found if check(original.path, "", main_only=True).outcome in ("equal", "noted")]


def _samples(folder: Path) -> Iterator[Original]:
    folder.mkdir()
    for sample in format_samples():
        if "://" not in sample.name:
            root, _, inside = sample.name.partition("/")
            try:
                sample.make(folder / sample.name)
            except ImportError:
                # The library of a format is an extra.
                continue
            yield Original(folder / root, inside)


def _output(folder: Path) -> Iterator[Original]:
    """Yield labels that a run wrote, and their export as OME-TIFF."""
    folder.mkdir()
    image = np.random.default_rng(0).integers(0, 60, (2, 96, 128)).astype(np.uint16)
    image[:, 20:44, 30:60] += 3000
    result = segment(image, folder / "labels.zarr", axes="zyx", scale=(2, 0.5, 0.5), units="um", engine="reference")
    write_tiff(folder / "labels.ome.tif", result.array, result.spec)
    yield Original(folder / "labels.zarr")
    yield Original(folder / "labels.ome.tif")


def _generated(folder: Path, count: int, seed: int) -> Iterator[Original]:
    for made in generate(folder, count, seed):
        number, root, *inside = made.path.relative_to(folder).parts
        yield Original(folder / number / root, "/".join(inside))
