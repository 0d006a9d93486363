"""A series of generated files: as many as wanted, the same for the same seed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

from napari_s1omni.benchmarks.reading.generated.described_tiffs import DESCRIBED_TIFFS
from napari_s1omni.benchmarks.reading.generated.draws import Draws, Made
from napari_s1omni.benchmarks.reading.generated.photometric_tiffs import PHOTOMETRIC_TIFFS
from napari_s1omni.benchmarks.reading.generated.pictures import PICTURES
from napari_s1omni.benchmarks.reading.generated.plain_tiffs import PLAIN_TIFFS
from napari_s1omni.benchmarks.reading.generated.volumes import ARRAYS, VOLUMES
from napari_s1omni.benchmarks.reading.generated.zarr_images import ZARR_IMAGES
from napari_s1omni.benchmarks.reading.generated.zarr_of_libraries import ZARR_OF_LIBRARIES
from napari_s1omni.benchmarks.reading.quiet import quiet

Writer = Callable[[Path, Draws], Made]


def writers() -> list[Writer]:
    """Return the writers whose libraries are installed, the formats mixed."""
    needing = [
        *ZARR_OF_LIBRARIES,
        *((writer, "nibabel") for writer in VOLUMES),
        *((writer, "tifffile") for writer in (*PLAIN_TIFFS, *PHOTOMETRIC_TIFFS, *DESCRIBED_TIFFS)),
        *((writer, "PIL") for writer in PICTURES),
        *((writer, "zarr") for writer in ZARR_IMAGES),
        *((writer, "numpy") for writer in ARRAYS),
    ]
    found = [writer for writer, library in needing if importlib.util.find_spec(library) is not None]
    # The first files of a short series are of all formats.
    return [writer for start in range(7) for writer in found[start::7]]


def generate(folder: Path, count: int, seed: int) -> Iterator[Made]:
    """Write files one after the other, each into its own folder.

    Parameters
    ----------
    folder : Path
    count : int
        Number of files.
    seed : int
        The same seed gives the same files.
    """
    makers = writers()
    for i in range(count):
        inside = folder / f"{i:04d}"
        inside.mkdir(parents=True)
        with quiet():
            made = makers[i % len(makers)](inside, Draws(f"{seed}:{i}"))
        yield made
