"""Upsampling of source tiles to the size to draw, and consistency of drawn tiles with their source."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from napari_s1omni.engine.denoising import MIN_NOISE, back_projection_rounds, image_noise, is_grey_image, remove_noise
from napari_s1omni.engine.s1omni.checkpoint.config import Upsampling

_MAX_ROUNDS = 4
"""Back-projection rounds for an image without noise."""
_ROUNDS_AFTER_DRAWING = 2
"""Back-projection rounds of :func:`match_source`."""
_BLUR = 0.5
"""Optical blur that :func:`back_project` assumes: sigma in source pixels. The editor corrects the difference."""


def upsample(images: torch.Tensor, size: tuple[int, int], how: Upsampling = "bicubic") -> torch.Tensor:
    """Upsample source tiles to the size to draw.

    Parameters
    ----------
    images : float32 tensor (B, C, h, w)
    size : (int, int)
        Height and width to draw.
    how : {'bicubic', 'restored'}
        ``bicubic``: Keys (1981), a = -0.5, pixel centres half a pixel inside. ``restored``: the same after denoising
        and followed by :func:`back_project`, if both edges are multiples of the source's and at least one is longer.

    Returns
    -------
    float32 tensor (B, C, H, W)
        `images` itself if it has this size.
    """
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    if how != "restored" or not _has_whole_factor(images, size):
        return _bicubic(images, size)
    return torch.cat([_restore(image, size) for image in images.split(1)])


def match_source(images: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """Correct drawn images by back-projection, so that they are consistent with their source if that has no noise.

    Errors of the editor that survive blur and averaging can be seen in the source, and so be corrected. A source of one
    value has no detail, so the result has that value too.

    Parameters
    ----------
    images : float32 tensor (B, C, h, w)
    drawn : float32 tensor (B, C, H, W)
        Images whose edges are not multiples of the source's are returned as they are.

    Returns
    -------
    float32 tensor (B, C, H, W)
    """
    if not _has_whole_factor(images, (int(drawn.shape[-2]), int(drawn.shape[-1]))):
        return drawn
    return torch.cat([_match_source(*pair) for pair in zip(images.split(1), drawn.split(1), strict=True)])


def _match_source(image: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
    value = image[..., :1, :1]
    if (image == value).all():
        return value.expand_as(fine)
    clean = image_noise(image[0].float().cpu().numpy()) < MIN_NOISE
    return back_project(image, fine, _ROUNDS_AFTER_DRAWING) if clean else fine


def _has_whole_factor(images: torch.Tensor, size: tuple[int, int]) -> bool:
    by = [divmod(large, small) for large, small in zip(size, images.shape[-2:], strict=True)]
    return all(not rest for _, rest in by) and any(times > 1 for times, _ in by)


def _restore(image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Upsample one image, (1, C, h, w), with denoising and back-projection as its noise requires."""
    planes = image[0].float().cpu().numpy()
    noise = image_noise(planes)
    denoised = (
        np.repeat(remove_noise(planes[:1], noise), 3, 0) if is_grey_image(planes) else remove_noise(planes, noise)
    )
    source = torch.from_numpy(denoised).to(image)[None]
    return back_project(source, _bicubic(source, size), min(_MAX_ROUNDS, back_projection_rounds(noise)))


def back_project(images: torch.Tensor, fine: torch.Tensor, rounds: int = _MAX_ROUNDS) -> torch.Tensor:
    """Restore detail lost by blur and by averaging inside a source pixel: iterative back-projection.

    The fine image is blurred and averaged as the instrument would do, and its difference from the source is added back
    (Irani and Peleg, 1991).

    Parameters
    ----------
    images : float32 tensor (B, C, h, w)
    fine : float32 tensor (B, C, h * m, w * n)
        Initial estimate.
    rounds : int
    """
    size = (int(fine.shape[-2]), int(fine.shape[-1]))
    by = (size[0] // images.shape[-2], size[1] // images.shape[-1])
    for _ in range(rounds):
        coarse = functional.avg_pool2d(_blur(fine, by), by)
        fine = fine + _bicubic(images - coarse, size)
    return fine


def _bicubic(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    # Without antialias torch uses a = -0.75, which distorts even a linear ramp.
    return functional.interpolate(images, tuple(size), mode="bicubic", align_corners=False, antialias=True)


def _blur(images: torch.Tensor, by: tuple[int, int]) -> torch.Tensor:
    """Blur along each axis that was upsampled."""
    for axis, factor in ((-2, by[0]), (-1, by[1])):
        if factor == 1:
            continue
        radius = min(round(4 * _BLUR * factor), images.shape[axis] - 1)
        at = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
        weights = torch.exp(-((at / (_BLUR * factor)) ** 2) / 2)
        weights = weights / weights.sum()
        channels = images.shape[1]
        along = (1, -1) if axis == -1 else (-1, 1)
        pad = (radius, radius, 0, 0) if axis == -1 else (0, 0, radius, radius)
        kernel = weights.view(1, 1, *along).repeat(channels, 1, 1, 1)
        images = functional.conv2d(functional.pad(images, pad, mode="reflect"), kernel, groups=channels)
    return images
