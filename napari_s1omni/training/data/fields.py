"""A field of view with its ground truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Layer:
    """One kind of object in a field."""

    noun: str
    """Its name, a key of :data:`napari_s1omni.training.prompts.prompt_templates.NOUNS`."""
    labels: NDArray[np.uint16]
    """(H, W); 0 is background."""
    bright: bool
    """Whether the objects are brighter than their surroundings."""
    size_class: str | None = None
    """``small`` or ``large`` if another layer differs only in size."""


@dataclass(frozen=True, slots=True)
class Field:
    """One image, normalised as a whole, with its truth."""

    name: str
    """File stem, or the kind of a simulated scene."""
    dataset: str
    """Data set, or the kind of a simulated scene."""
    image: NDArray[Any]
    """(1 or 3, H, W), model range."""
    layers: tuple[Layer, ...] = ()
    """Kinds of objects with known instances."""
    noise: float | None = None
    """Standard deviation of the noise in model range, if known."""
    blur: float | None = None
    """Sigma of the blur in pixels, if known."""
    pairs: dict[str, NDArray[Any]] = field(default_factory=dict)
    """(H, W) images of the same place in other modalities, model range, by target name."""
    detail: bool = False
    """Whether the image is sharp enough for training super-resolution."""
    view: str = ""
    """Field of view on the microscope; images that are parts of one share it."""
