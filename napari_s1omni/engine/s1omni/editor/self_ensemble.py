"""Self-ensemble: mirror images of a tile are drawn beside it, mirrored back and averaged.

A picture has no right way up, but a network that learnt from few pictures errs a little
differently on each of their mirror images; the mean of what it draws errs less
(geometric self-ensemble: Lim et al., "Enhanced deep residual networks for single image super-resolution", 2017).
"""

from __future__ import annotations

import torch

_MIRRORS: tuple[tuple[int, ...], ...] = ((), (-2, -1), (-1,), (-2,))
"""Axes along which each copy is mirrored; all of these keep the shape of a tile that is not square."""


def flip_copies(rows: torch.Tensor, copies: int) -> torch.Tensor:
    """Mirror each row as the place among its `copies` says; done twice, it gives the rows again.

    Parameters
    ----------
    rows : tensor (B, C, H, W)
        Copies of a tile lie next to each other.
    copies : {1, 2, 4}

    Returns
    -------
    tensor (B, C, H, W)
    """
    if copies == 1:
        return rows
    return torch.stack([row.flip(_MIRRORS[i % copies]) for i, row in enumerate(rows)])
