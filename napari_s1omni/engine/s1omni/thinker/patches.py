"""Conversion of images to the patch tokens of Qwen3-VL, in floating point throughout.

The processor of transformers converts to 8 bit, which would discard most of the range of a 16-bit microscope.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from napari_s1omni.engine.s1omni.checkpoint.config import VisionConfig


@dataclass(frozen=True, slots=True)
class PatchGeometry:
    """Patch sizes of the vision encoder."""

    patch: int = 16
    """Edge of a patch, in pixels."""
    merge: int = 2
    """Patches per token along each axis."""
    temporal: int = 2
    """Frames per patch; a still image is repeated."""

    def grid(self, height: int, width: int, vision: VisionConfig) -> tuple[int, int]:
        """Return rows and columns of *patches* of an image after resizing it to an allowed size."""
        height, width = allowed_size(height, width, self.patch * self.merge, vision.min_pixels, vision.max_pixels)
        return height // self.patch, width // self.patch

    def tokens(self, height: int, width: int, vision: VisionConfig) -> int:
        """Return the number of placeholder tokens in the prompt for an image of this size, in pixels."""
        rows, cols = self.grid(height, width, vision)
        return rows * cols // self.merge**2


def allowed_size(height: int, width: int, multiple: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """Return the allowed size nearest to (height, width): edges multiples of `multiple`, area within the limits."""
    rows, cols = (max(multiple, round(v / multiple) * multiple) for v in (height, width))
    if rows * cols > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        rows, cols = (max(multiple, math.floor(v / shrink / multiple) * multiple) for v in (height, width))
    elif rows * cols < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        rows, cols = (math.ceil(v * grow / multiple) * multiple for v in (height, width))
    return rows, cols


def patchify(images: torch.Tensor, geometry: PatchGeometry, vision: VisionConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut images into patch tokens.

    Parameters
    ----------
    images : float tensor (B, 3, H, W)
        Model range.
    geometry : PatchGeometry
    vision : VisionConfig
        Clamp, allowed areas, mean and standard deviation.

    Returns
    -------
    pixel_values : float tensor (B * rows * cols, 3 * temporal * patch * patch)
        Patches of one merge window are consecutive; windows are in row-major order.
    image_grid_thw : int64 tensor (B, 3)
        1, rows and columns of patches, per image.
    """
    batch, channels, height, width = images.shape
    rows, cols = geometry.grid(height, width, vision)
    size = (rows * geometry.patch, cols * geometry.patch)
    if vision.clamp is not None:
        images = images.clamp(*vision.clamp)
    if size != (height, width):
        images = functional.interpolate(images, size, mode="bicubic", align_corners=False, antialias=True)
    mean, std = (images.new_tensor(values).view(1, 3, 1, 1) for values in (vision.mean, vision.std))
    merge, patch = geometry.merge, geometry.patch
    cut = ((images - mean) / std).reshape(batch, channels, rows // merge, merge, patch, cols // merge, merge, patch)
    cut = cut.permute(0, 2, 5, 3, 6, 1, 4, 7).unsqueeze(6)
    cut = cut.expand(-1, -1, -1, -1, -1, -1, geometry.temporal, -1, -1)
    values = cut.reshape(batch * rows * cols, channels * geometry.temporal * patch * patch)
    return values, torch.tensor([[1, rows, cols]] * batch, device=images.device)
