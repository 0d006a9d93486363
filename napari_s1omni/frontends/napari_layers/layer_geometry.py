"""The geometry of a layer: its transform as matrices, and the size of its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RIGHT_ANGLE = 1e-3
"""Largest cosine of an angle that counts as a right angle."""


def linear_matrix(
    scale: Sequence[float], rotate: NDArray[Any], shear: NDArray[Any], affine: NDArray[Any]
) -> NDArray[Any]:
    """Return the linear part of the transform from pixels to the world: float (ndim, ndim).

    Parameters
    ----------
    scale : sequence of float (ndim,)
    rotate : float (ndim, ndim)
    shear : float
        As napari gives it: its upper triangle, or a matrix.
    affine : float (ndim + 1, ndim + 1)
        Homogeneous matrix that is applied last.
    """
    matrix: NDArray[Any] = affine[:-1, :-1] @ rotate @ shear_matrix(shear, len(scale)) @ np.diag(scale)
    return matrix


def pixel_sizes(linear: NDArray[Any]) -> tuple[float, ...]:
    """Return the length of a pixel's edges in the world, one per dimension; a flip or rotation does not change them."""
    upright = np.count_nonzero(linear, axis=0) <= 1
    # Sines and cosines leave errors in the last digits.
    lengths = [float(f"{n:.12g}") for n in np.linalg.norm(linear, axis=0)]
    return tuple(float(np.abs(c).max()) if u else n for c, u, n in zip(linear.T, upright, lengths, strict=True))


def world_axes(linear: NDArray[Any]) -> tuple[int, ...]:
    """Return the world axis along which each dimension lies most; its own where two are equal."""
    share = np.abs(linear) + 1e-9 * np.abs(linear).max(initial=0.0) * np.eye(len(linear))
    return tuple(int(i) for i in share.argmax(axis=0))


def is_box(linear: NDArray[Any]) -> bool:
    """Whether pixels have right angles in the world; if not, the layer is sheared, or stretched after a rotation."""
    sizes = np.linalg.norm(linear, axis=0)
    if not (sizes > 0).all():
        return True
    edges = linear / sizes
    return bool(np.abs(edges.T @ edges - np.eye(len(linear))).max() <= _RIGHT_ANGLE)


def shear_matrix(shear: NDArray[Any], ndim: int) -> NDArray[Any]:
    """Return the shear of a layer as a matrix; napari gives a matrix or its upper triangle."""
    if shear.ndim == 2:
        return shear
    matrix = np.eye(ndim)
    matrix[np.triu_indices(ndim, 1)] = shear
    return matrix


def shear_vector(matrix: NDArray[Any]) -> NDArray[Any]:
    """Return the upper triangle of a shear matrix, or the whole matrix if its lower triangle is not zero."""
    upper = matrix[np.triu_indices(len(matrix), 1)]
    return upper if np.allclose(np.tril(matrix, -1), 0) else matrix
