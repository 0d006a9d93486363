"""The bank of known images: how far an image lies from them, as a conformal p-value.

The p-value of an image is the share of held-out images of the same kinds as those known that lie at least as far from
the bank as it does (Vovk, Gammerman and Shafer, "Algorithmic learning in a random world", 2005; Angelopoulos and Bates,
"Conformal prediction: a gentle introduction", 2023). Images in colour are compared with held-out images in colour, and
grey ones with grey ones ("Mondrian" conformal prediction). It is small where the image is unlike all that is known. It
does not say whether a result is right.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.engine.familiarity.features import in_colour
from napari_s1omni.errors import CheckpointError

BANK_NAME = "familiarity.npz"
"""File of the bank, beside the weights of the engine."""
LEAST = 0.05
"""p-value below which an image is unfamiliar: of the held-out images, one in twenty is called so too."""
FAR = 1.5
"""Distance, as a multiple of the one that a twentieth of the held-out images exceed, from which on ``auto`` leaves an
image to another engine. Three validation images are too few to set it; it keeps the fly embryos for nano."""
NEIGHBOURS = 5
"""Nearest known tiles whose mean distance is the distance of a tile."""


@dataclass(frozen=True, slots=True)
class ImageSample:
    """What engines are told of an image to say whether they know such images."""

    kind: str | None
    """Kind of object that is asked for in it, see :mod:`napari_s1omni.core.requests.words`."""
    features: Callable[[], NDArray[np.float32] | None]
    """Returns the features of sample tiles, float32 (n, F), or None if they are not known; called only if needed."""


@dataclass(frozen=True, slots=True)
class Familiarity:
    """How like the images that an engine was trained on an image is."""

    engine: str
    """Name of the engine."""
    p_value: float
    """Above 0, at most 1."""
    far: bool = False
    """Whether it is so unlike them that another engine should be used."""

    @property
    def known(self) -> bool:
        """Whether it is like them."""
        return self.p_value >= LEAST

    @property
    def words(self) -> str:
        """It as part of a sentence."""
        like = "like" if self.known else "unlike"
        return f"the image is {like} those that {self.engine} was trained on (p {self.number})"

    @property
    def number(self) -> str:
        """The p-value, with two digits that count."""
        return f"{self.p_value:.2g}" if self.p_value < 0.1 else f"{self.p_value:.2f}"


@dataclass(frozen=True, slots=True)
class Bank:
    """Features of known tiles, and the distances of images that were held out."""

    tiles: NDArray[np.float16]
    """(N, K) known tiles in the space in which distances are measured."""
    sources: NDArray[np.uint8]
    """(N,) number of the source (a data set of one laboratory) of each tile."""
    centre: NDArray[np.float32]
    """(F,) subtracted from features as they are measured."""
    axes: NDArray[np.float32]
    """(F, K) to the space in which distances are measured."""
    held_out: NDArray[np.float32]
    """(M,) distances of images that were held out."""
    coloured: NDArray[np.bool_]
    """(M,) whether these are in colour."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a bank.

        Raises
        ------
        CheckpointError
            If the file is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                return cls(**{field.name: stored[field.name] for field in dataclasses.fields(cls)})
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise CheckpointError(
                f"{path} cannot be read: {error}", "a bank of known images", "fetch the folder again", file=str(path)
            ) from error

    def write(self, path: Path) -> None:
        """Write the bank."""
        arrays: dict[str, Any] = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        np.savez_compressed(path, allow_pickle=False, **arrays)

    def distance(self, features: NDArray[np.float32], without: int | None = None) -> float:
        """Return the distance of an image: the median of those of its tiles, so that a few odd ones do not decide.

        Parameters
        ----------
        features : float32 (n, F)
            Of its tiles, from :func:`napari_s1omni.engine.familiarity.features.describe_tiles`.
        without : int, optional
            Number of a source that does not count as known.
        """
        placed = (features - self.centre) @ self.axes
        known = (self.tiles if without is None else self.tiles[self.sources != without]).astype(np.float32)
        square = (placed**2).sum(1)[:, None] + (known**2).sum(1) - 2 * placed @ known.T
        nearest = np.sort(square.clip(min=0), axis=1)[:, :NEIGHBOURS]
        return float(np.median(np.sqrt(nearest).mean(axis=1)))

    def p_value(self, features: NDArray[np.float32]) -> float:
        """Return the conformal p-value of an image, given by the features of its tiles: above 0, at most 1."""
        alike = self._alike(features)
        return (1 + int((alike >= self.distance(features)).sum())) / (len(alike) + 1)

    def is_far(self, features: NDArray[np.float32]) -> bool:
        """Return whether an image lies beyond :data:`FAR`."""
        return self.distance(features) > FAR * float(np.quantile(self._alike(features), 1 - LEAST))

    def _alike(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the distances of held-out images that are in colour like this one, or grey like it."""
        return np.asarray(self.held_out[self.coloured == in_colour(features)], np.float32)


def engine_that_does_not_know(sentences: Iterable[str]) -> str | None:
    """Return the name of the engine that does not know an image, from the notes of a plan; None if none says so."""
    found = (re.search(r"unlike those that (.+?) was trained on", sentence) for sentence in sentences)
    return next((match[1] for match in found if match), None)


@functools.lru_cache(maxsize=4)
def read_bank(path: Path, changed: int) -> Bank:
    """Read a bank once; `changed` is the time in ns at which its file was written."""
    return Bank.read(path)
