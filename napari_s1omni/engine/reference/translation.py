"""Translation where arithmetic can honestly do it: stains, inverted contrast, equalised histogram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.reference.description import TARGETS
from napari_s1omni.engine.reference.measurement import TileMeasurement, is_colour
from napari_s1omni.engine.reference.recipe import Recipe
from napari_s1omni.engine.reference.stains import STAINS, counterstain, separate
from napari_s1omni.engine.registry import trained_for
from napari_s1omni.errors import OperationRefused, ThoughtError

_RANKS = 17

DEFAULTS = {"counterstain": "eosin"}
"""Steps of a thought that does not state them; the method has none."""


def decide(image: NDArray[np.float32], seen: TileMeasurement, words: Instruction) -> dict[str, str]:
    """Choose the steps for one image.

    Raises
    ------
    OperationRefused
        If the target does not follow from the px by arithmetic.
    """
    target = (words.target or "").strip().casefold()
    if target not in TARGETS:
        raise OperationRefused(
            f"the reference engine cannot translate to '{words.target}'",
            f"it computes {', '.join(TARGETS)}",
            f"choose one of these, or {trained_for(words.target or '')}",
            target=words.target,
        )
    if target in STAINS:
        if not is_colour(image) and seen.contrast > 0.1:
            raise OperationRefused(
                f"'{target}' is asked of a grey image",
                "stains are told apart by their colours",
                "choose a colour picture of a stained section, or another target",
                target=target,
            )
        other = counterstain(image, target, f"{words.source or ''} {words.request}")
        return {
            "method": f"{target} (amount of this stain by colour deconvolution; 1 is a tenfold loss of light)",
            "counterstain": f"{other} (the other stain there)",
        }
    if target == "inverted contrast":
        return {"method": f"{target} (1 minus the value, for each colour)"}
    ranks = np.quantile(image.mean(axis=0), np.linspace(0, 1, _RANKS))
    return {
        "method": f"{target} (each value becomes its rank; between the stated levels linearly)",
        "levels": f"{' '.join(f'{v:.4f}' for v in ranks)} (values at equal steps of rank, measured here)",
    }


def draw(image: NDArray[np.float32], recipe: Recipe, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Compute the other contrast, float32 (3, H, W)."""
    method = recipe.choice("method", TARGETS)
    if method in STAINS:
        other = recipe.choice("counterstain", STAINS)
        if other == method:
            raise ThoughtError(
                f"stain and counterstain are both {method}", "two different stains", "correct the thought"
            )
        return np.repeat(separate(image, method, other)[None], 3, axis=0)
    if method == "inverted contrast":
        return np.asarray(1 - image, np.float32)
    levels = recipe.numbers("levels")
    # np.interp needs rising levels; equal ones are values that fill several ranks.
    rising = np.maximum.accumulate(levels) + np.arange(len(levels)) * 1e-6
    return np.asarray(np.interp(image, rising, np.linspace(0, 1, len(rising))), np.float32)
