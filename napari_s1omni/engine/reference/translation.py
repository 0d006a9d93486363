"""Modality translation by arithmetic: stains, inverted contrast, equalised histogram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.reference.description import TARGETS
from napari_s1omni.engine.reference.measurement import TileMeasurement, is_colour_image
from napari_s1omni.engine.reference.stains import STAINS, find_counterstain, separate_stain
from napari_s1omni.engine.reference.steps import Steps
from napari_s1omni.errors import OperationRefused, ThoughtError

_QUANTILES = 17

DEFAULTS = {"counterstain": "eosin"}
"""Values of steps that a thought does not state; the method has no default."""


def choose_steps(image: NDArray[np.float32], measured: TileMeasurement, instruction: Instruction) -> dict[str, str]:
    """Return the steps for one image, by name.

    Raises
    ------
    OperationRefused
        If the target cannot be computed from the pixels.
    """
    target = (instruction.target or "").strip().casefold()
    if target not in TARGETS:
        raise OperationRefused(
            f"the reference engine cannot translate to '{instruction.target}'",
            f"it computes {', '.join(TARGETS)}",
            "choose one of these, or an engine trained for it; 's1omni engines' lists the engines",
            target=instruction.target,
        )
    if target in STAINS:
        if not is_colour_image(image) and measured.contrast > 0.1:
            raise OperationRefused(
                f"'{target}' is asked of a grey image",
                "stains are separated by their colours",
                "choose a colour image of a stained section, or another target",
                target=target,
            )
        other = find_counterstain(image, target, f"{instruction.source or ''} {instruction.request}")
        return {
            "method": f"{target} (amount of this stain by colour deconvolution; 1 is a tenfold loss of light)",
            "counterstain": f"{other} (the other stain there)",
        }
    if target == "inverted contrast":
        return {"method": f"{target} (1 minus the value, for each colour)"}
    ranks = np.quantile(image.mean(axis=0), np.linspace(0, 1, _QUANTILES))
    return {
        "method": f"{target} (each value becomes its rank; between the stated levels linearly)",
        "levels": f"{' '.join(f'{v:.4f}' for v in ranks)} (values at equal steps of rank, measured here)",
    }


def draw(image: NDArray[np.float32], steps: Steps, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Compute the target modality, float32 (3, H, W).

    Raises
    ------
    ThoughtError
        If a step is missing or cannot be used.
    """
    method = steps.choice("method", TARGETS)
    if method in STAINS:
        other = steps.choice("counterstain", STAINS)
        if other == method:
            raise ThoughtError(
                f"stain and counterstain are both {method}", "two different stains", "correct the thought"
            )
        return np.repeat(separate_stain(image, method, other)[None], 3, axis=0)
    if method == "inverted contrast":
        return np.asarray(1 - image, np.float32)
    levels = steps.numbers("levels")
    # np.interp needs rising levels; equal ones are values that cover several ranks.
    rising = np.maximum.accumulate(levels) + np.arange(len(levels)) * 1e-6
    return np.asarray(np.interp(image, rising, np.linspace(0, 1, len(rising))), np.float32)
