"""Self-ensemble: flipped copies of a tile are drawn too, flipped back and averaged.

A network trained on few images makes slightly different errors on each flipped copy, and their mean has a smaller error
(Lim et al., "Enhanced deep residual networks for single image super-resolution", 2017).
"""

from __future__ import annotations

import torch

_FLIPS: tuple[tuple[int, ...], ...] = ((), (-2, -1), (-1,), (-2,))
"""Axes along which each copy is flipped; none changes the shape of a tile."""


def flip_copies(rows: torch.Tensor, copies: int) -> torch.Tensor:
    """Flip each row by its position among its `copies`; applied twice, it returns the rows unchanged.

    Parameters
    ----------
    rows : tensor (B, C, H, W)
        The copies of a tile are consecutive.
    copies : {1, 2, 4}

    Returns
    -------
    tensor (B, C, H, W)
    """
    if copies == 1:
        return rows
    return torch.stack([row.flip(_FLIPS[i % copies]) for i, row in enumerate(rows)])
