"""Enlarging: a source tile on the grid to be drawn, before the editor sees it."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from napari_s1omni.engine.denoising import MIN_NOISE, back_projection_rounds, image_noise, is_grey_image, remove_noise
from napari_s1omni.engine.s1omni.checkpoint.config import Upsampling

_MOST = 4
"""Rounds of back-projection of a picture without noise."""
_AGREEING = 2
"""Rounds after drawing."""
_BLUR = 0.5
"""Sigma of the optics in source px that :func:`back_project` assumes; what is left of another one is for the editor."""


def upsample(images: torch.Tensor, size: tuple[int, int], how: Upsampling = "bicubic") -> torch.Tensor:
    """Bring source tiles to the size to draw.

    Parameters
    ----------
    images : float32 tensor (B, C, h, w)
    size : (int, int)
        Height and width to draw.
    how : {'bicubic', 'restored'}
        ``bicubic``: Keys (1981), a = -0.5, px centres half a px inside. ``restored``: noise is taken
        away before and :func:`back_project` comes after it, where both edges are multiples of the source's and at least one
        is longer.

    Returns
    -------
    float32 tensor (B, C, H, W)
        `images` itself where the size is theirs.
    """
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    if how != "restored" or not _whole(images, size):
        return _bicubic(images, size)
    return torch.cat([_restored(image, size) for image in images.split(1)])


def match_source(images: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """Make drawn pictures agree with their sources again, where these are free of noise: :func:`back_project` once more.

    An editor's errors that blur and averaging would let through are visible in the source, and so can be taken back.
    A source of one tone has no detail, so its tone is all there is to draw.

    Parameters
    ----------
    images : float32 tensor (B, C, h, w)
    drawn : float32 tensor (B, C, H, W)
        Edges are multiples of the source's; others are left as they are.

    Returns
    -------
    float32 tensor (B, C, H, W)
    """
    if not _whole(images, (int(drawn.shape[-2]), int(drawn.shape[-1]))):
        return drawn
    return torch.cat([_agreeing(*pair) for pair in zip(images.split(1), drawn.split(1), strict=True)])


def _agreeing(image: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
    tone = image[..., :1, :1]
    if (image == tone).all():
        return tone.expand_as(fine)
    calm = image_noise(image[0].float().cpu().numpy()) < MIN_NOISE
    return back_project(image, fine, _AGREEING) if calm else fine


def _whole(images: torch.Tensor, size: tuple[int, int]) -> bool:
    by = [divmod(large, small) for large, small in zip(size, images.shape[-2:], strict=True)]
    return all(not rest for _, rest in by) and any(times > 1 for times, _ in by)


def _restored(image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Enlarge one picture, (1, C, h, w), as its noise allows."""
    planes = image[0].float().cpu().numpy()
    noise = image_noise(planes)
    quiet = np.repeat(remove_noise(planes[:1], noise), 3, 0) if is_grey_image(planes) else remove_noise(planes, noise)
    source = torch.from_numpy(quiet).to(image)[None]
    return back_project(source, _bicubic(source, size), min(_MOST, back_projection_rounds(noise)))


def back_project(images: torch.Tensor, fine: torch.Tensor, rounds: int = _MOST) -> torch.Tensor:
    """Add back what blur and the averaging inside a source px have taken: iterative back-projection.

    The fine picture is blurred and averaged as the instrument would have, and
    what is missing against the source is added (Irani and Peleg, 1991).

    Parameters
    ----------
    images : float32 tensor (B, C, h, w)
    fine : float32 tensor (B, C, h * m, w * n)
        A first guess.
    rounds : int
    """
    size = (int(fine.shape[-2]), int(fine.shape[-1]))
    by = (size[0] // images.shape[-2], size[1] // images.shape[-1])
    for _ in range(rounds):
        seen = functional.avg_pool2d(_blurred(fine, by), by)
        fine = fine + _bicubic(images - seen, size)
    return fine


def _bicubic(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    # Without antialias torch takes a = -0.75, which bends even a straight ramp.
    return functional.interpolate(images, tuple(size), mode="bicubic", align_corners=False, antialias=True)


def _blurred(images: torch.Tensor, by: tuple[int, int]) -> torch.Tensor:
    """Blur along each axis that has been refined."""
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
