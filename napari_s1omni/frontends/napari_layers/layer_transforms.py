"""Placing: where a result stands in the world, noted beside it, since OME-Zarr holds no rotation, shear or affine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.execution.run.state_files import read_state, write_state
from napari_s1omni.storage.files.fsync_store import WORK

NAME = "place.json"
"""File in the working folder of a result."""


@contextlib.contextmanager
def noted(path: Path, axes: str, options: Mapping[str, Any]) -> Iterator[None]:
    """Note a place beside the result of the run that is launched within; one that goes on keeps its first place."""
    begun = (path / "zarr.json").is_file()
    yield
    if options and not begun:
        write_place(path, axes, options)


def write_place(path: Path, axes: str, options: Mapping[str, Any]) -> None:
    """Note where a result stands; a disk that takes no note costs the place, not the run.

    Parameters
    ----------
    path : Path
        The output folder, in which a run was launched.
    axes : str
        Letter of each dimension of the layer; colours of a picture come last, and are none.
    options : mapping
        What :func:`napari_s1omni.frontends.napari_layers.layers.place` says.
    """
    plain = {name: np.asarray(value).tolist() for name, value in options.items()}
    with contextlib.suppress(OSError):
        write_state(path / WORK / NAME, {"axes": axes[: len(plain["scale"])], **plain})


def read_place(path: Path, axes: str, otherwise: Mapping[str, Any]) -> dict[str, Any]:
    """Read where a result stands, as options of a layer; reads a disk.

    Parameters
    ----------
    path : Path
        The output folder.
    axes : str
        Letters of the dimensions that are shown, in order.
    otherwise : mapping
        Scale, translate, units and axis labels of these dimensions where nothing is noted of them.
    """
    note = read_state(path / WORK / NAME)
    try:
        known = str(note["axes"])
        n, to = len(known), [i for i, a in enumerate(axes) if a in known]
        at = [known.index(axes[i]) for i in to]
        options = {name: list(values) for name, values in otherwise.items()}
        for name, values in options.items():
            for i, k in zip(to, at, strict=True):
                values[i] = type(values[i])(note[name][k])
        rotate, shear = np.array(note["rotate"], float), shear_matrix(np.array(note["shear"], float), n)
        affine = np.array(note["affine"], float)
        return {
            **{name: tuple(values) for name, values in options.items()},
            "rotate": _part(rotate, at, to, len(axes)),
            "shear": shear_of(_part(shear, at, to, len(axes))),
            "affine": _part(affine, [*at, n], [*to, len(axes)], len(axes) + 1),
        }
    except (IndexError, KeyError, TypeError, ValueError):
        # A note that is not there, or of which something is missing, says nothing.
        return dict(otherwise)


def shear_matrix(shear: NDArray[Any], ndim: int) -> NDArray[Any]:
    """Return the shear of a layer as a matrix; viewers say it as one, or as what stands above its diagonal."""
    if shear.ndim == 2:
        return shear
    matrix = np.eye(ndim)
    matrix[np.triu_indices(ndim, 1)] = shear
    return matrix


def shear_of(matrix: NDArray[Any]) -> NDArray[Any]:
    """Return what stands above the diagonal of a matrix, or all of it where something stands below."""
    upper = matrix[np.triu_indices(len(matrix), 1)]
    return upper if np.allclose(np.tril(matrix, -1), 0) else matrix


def grown(matrix: NDArray[Any], new: int) -> NDArray[Any]:
    """Put dimensions that stand for themselves in front."""
    larger = np.eye(len(matrix) + new)
    larger[new:, new:] = matrix
    return larger


def _part(matrix: NDArray[Any], at: Sequence[int], to: Sequence[int], n: int) -> NDArray[Any]:
    """Take some dimensions of a matrix to other places of a larger one, whose other dimensions stand for themselves."""
    whole = np.eye(n)
    whole[np.ix_(to, to)] = matrix[np.ix_(at, at)]
    return whole
