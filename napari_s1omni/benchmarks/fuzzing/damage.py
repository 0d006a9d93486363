"""Damage a copy of an image."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from napari_s1omni.benchmarks.fuzzing.damaged_bytes import ANY
from napari_s1omni.benchmarks.fuzzing.damaged_headers import nifti_field, png_size, tiff_tag
from napari_s1omni.benchmarks.fuzzing.damaged_stores import damage_store

Change = Callable[[bytearray, random.Random], str]
_OF_FORMAT: dict[str, Change] = {
    ".tif": tiff_tag,
    ".tiff": tiff_tag,
    ".btf": tiff_tag,
    ".png": png_size,
    ".nii": nifti_field,
    ".gz": nifti_field,
}
"""Ending -> change of a field of the format, beside those of any bytes."""


@dataclass(frozen=True, slots=True)
class Original:
    """An image that is read rightly."""

    root: Path
    """File, or folder of the outermost store."""
    inside: str = ""
    """Path of the image in that folder."""

    @property
    def path(self) -> Path:
        """What to open."""
        return self.root / self.inside


def damaged(original: Original, folder: Path, rng: random.Random) -> tuple[Path, list[str]]:
    """Copy an image into an empty folder and change the copy once to three times.

    Returns
    -------
    (path, changes)
        What to open, and what was done.
    """
    copy = folder / original.root.name
    if original.root.is_dir():
        # The working files of a result are not part of its image.
        shutil.copytree(original.root, copy, ignore=shutil.ignore_patterns(".s1omni"))
    else:
        shutil.copy(original.root, copy)
    changes = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        if copy.is_dir():
            changes.append(damage_store(copy, rng))
        else:
            data = bytearray(copy.read_bytes())
            special = _OF_FORMAT.get(copy.suffix.lower())
            change = special if special and rng.random() < 0.5 else rng.choice(ANY)
            changes.append(change(data, rng))
            copy.write_bytes(bytes(data))
    return copy / original.inside, changes
