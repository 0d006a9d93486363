"""Super-resolution: denoising, spline interpolation, then iterative back-projection."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.engine.denoising import MIN_NOISE, back_projection_rounds, image_noise, is_grey_image, remove_noise
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.reference.measurement import TileMeasurement
from napari_s1omni.engine.reference.steps import Steps
from napari_s1omni.errors import ThoughtError

_BLUR = 0.4
"""Assumed optical blur before sampling: sigma in source pixels."""

DEFAULTS = {"denoise": "0", "blur": f"{_BLUR:g} px", "rounds": "4"}
"""Values of steps that a thought does not state."""


def choose_steps(image: NDArray[np.float32], measured: TileMeasurement, instruction: Instruction) -> dict[str, str]:
    """Return the steps for one image, by name."""
    noise = image_noise(image)
    found = f"{noise:.3f} (non-local means for noise of this standard deviation)"
    return {
        "denoise": found if noise >= MIN_NOISE else f"0 (noise {noise:.4f} is too little to see)",
        "blur": f"{_BLUR:g} px (sigma of the optics in source px, assumed; the averaging inside a px is known)",
        "rounds": f"{back_projection_rounds(noise)} (every round sharpens detail and what is left of the noise alike)",
    }


def draw(image: NDArray[np.float32], steps: Steps, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Compute the finer image, float32 (3, H, W).

    Non-local means, spline interpolation, then iterative back-projection (Irani and Peleg, 1991): the finer image is
    blurred and averaged as the instrument would do, and its difference from the source is added back.

    Raises
    ------
    ThoughtError
        If `shape` is not a multiple of the image's.
    """
    by = shape[0] // image.shape[1], shape[1] // image.shape[2]
    if (by[0] * image.shape[1], by[1] * image.shape[2]) != tuple(shape):
        raise ThoughtError(
            f"a tile of {image.shape[1]} x {image.shape[2]} px cannot be drawn as {shape[0]} x {shape[1]} px",
            "whole factors",
        )
    sigma = steps.number("blur", 0, 10)
    rounds = int(steps.number("rounds", 0, 100))
    grey = is_grey_image(image)
    denoised = remove_noise(image[:1] if grey else image, steps.number("denoise", 0, 1))
    planes = [_restore(plane, by, sigma, rounds) for plane in denoised]
    return np.stack(planes * 3 if grey else planes)


def _restore(plane: NDArray[np.float32], by: tuple[int, int], sigma: float, rounds: int) -> NDArray[np.float32]:
    fine = _interpolate(plane, by)
    # An axis that keeps its pixels needs no restoration.
    blur = [sigma * f if f > 1 else 0.0 for f in by]
    for _ in range(rounds):
        blurred = ndi.gaussian_filter(fine, blur)
        coarse = blurred.reshape(plane.shape[0], by[0], plane.shape[1], by[1]).mean((1, 3))
        fine = fine + _interpolate(plane - coarse, by)
    return fine


def _interpolate(plane: NDArray[np.float32], by: tuple[int, int]) -> NDArray[np.float32]:
    order = 3 if min(plane.shape) > 3 else 1
    return np.asarray(ndi.zoom(plane, by, order=order, mode="grid-mirror", grid_mode=True), np.float32)
