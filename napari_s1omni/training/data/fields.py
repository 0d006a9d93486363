"""Field: one picture with everything that can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Layer:
    """One kind of object in a field."""

    noun: str
    """What it is called, one of :data:`napari_s1omni.training.prompts.prompt_templates.NOUNS`."""
    labels: NDArray[np.uint16]
    """(H, W); 0 is background."""
    bright: bool
    """Whether these objects are brighter than what surrounds them."""
    size_class: str | None = None
    """``small`` or ``large`` where another layer differs in nothing else."""


@dataclass(frozen=True, slots=True)
class Field:
    """One picture, normalised as a whole, with its truth."""

    name: str
    """File stem, or the kind of a simulated scene."""
    dataset: str
    """Family it is sampled and scored with."""
    image: NDArray[Any]
    """(1 or 3, H, W), model range."""
    layers: tuple[Layer, ...] = ()
    """Kinds of objects whose instances are known."""
    noise: float | None = None
    """Standard deviation of the noise in model range, where known."""
    blur: float | None = None
    """Sigma of the blur in px, where known."""
    pairs: dict[str, NDArray[Any]] = field(default_factory=dict)
    """(H, W) images of other modalities of the same place, model range, by target name."""
    detail: bool = False
    """Whether the picture is sharp enough to learn super-resolution from."""
