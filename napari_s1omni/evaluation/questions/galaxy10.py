"""Galaxy10 DECaLS: the shape of a galaxy in ten classes (Leung and Bovy; Walmsley et al., 2021)."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.questions.item import Item, LoadImage, Score
from napari_s1omni.evaluation.questions.multiple_choice import choice_prompt
from napari_s1omni.evaluation.questions.scoring import strict_score

CLASSES = (
    "Disturbed Galaxies",
    "Merging Galaxies",
    "Round Smooth Galaxies",
    "In-between Round Smooth Galaxies",
    "Cigar Shaped Smooth Galaxies",
    "Barred Spiral Galaxies",
    "Unbarred Tight Spiral Galaxies",
    "Unbarred Loose Spiral Galaxies",
    "Edge-on Galaxies without Bulge",
    "Edge-on Galaxies with Bulge",
)
_QUESTION = "Which class does this galaxy belong to?"


class Galaxy10:
    """``Galaxy10_DECals.h5`` with ``images`` and ``ans``."""

    name: ClassVar[str] = "galaxy10"
    title: ClassVar[str] = "Galaxy10 DECaLS"
    protocol: ClassVar[str] = (
        "Galaxy10 DECaLS: Galaxy10_DECals.h5 with images (n, 256, 256, 3) and ans (n). It is a set for classifiers: "
        "neither a prompt nor a split for chat models is published, so the question and the order of its options are "
        "ours, and there is no published score. Strict score: the letter that the answer states; all questions count."
    )

    def items(self, place: Path) -> Iterator[Item]:
        """Yield the questions; images are read one by one."""
        try:
            import h5py
        except ModuleNotFoundError:
            raise SourceError(f"reading {place} needs h5py", remedy="pip install 'napari_s1omni[volumes]'") from None
        options = dict(zip(string.ascii_uppercase, CLASSES, strict=False))
        try:
            with h5py.File(place, "r") as file:
                truth = [int(value) for value in file["ans"][:]]
                shape = file["images"].shape
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise SourceError(f"{place} is not Galaxy10 DECaLS: {error}", "an HDF5 file with images and ans") from error
        if len(shape) != 4 or shape[0] != len(truth) or not set(truth) <= set(range(len(CLASSES))):
            raise SourceError(f"{place} has images {shape} and {len(truth)} classes", "as many of each, classes 0 to 9")
        for number, value in enumerate(truth):
            prompt = choice_prompt(_QUESTION, options)
            letter = string.ascii_uppercase[value]
            yield Item(str(number), (0, prompt), letter, (_image(place, number),), options, {"class": CLASSES[value]})

    def published(self, items: Sequence[Item], answers: Mapping[str, str]) -> Score:
        """Return no accuracy, and why."""
        return Score(None, 0, 0, note="No score of chat models is published for this set.")

    def strict(self, items: Sequence[Item], answers: Mapping[str, str]) -> Score:
        """Return our score."""
        return strict_score(items, answers)


def _image(place: Path, number: int) -> LoadImage:
    def load() -> NDArray[np.uint8]:
        import h5py

        with h5py.File(place, "r") as file:
            pixels: Any = file["images"][number]
        return np.ascontiguousarray(pixels, np.uint8)

    return load
