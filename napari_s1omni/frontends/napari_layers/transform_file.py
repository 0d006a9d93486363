"""The layer transform of a result, in a file beside it, since OME-Zarr 0.5 holds no rotation, shear or affine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.execution.run.state_files import read_state, write_state
from napari_s1omni.frontends.napari_layers.layer_geometry import shear_matrix, shear_vector
from napari_s1omni.storage.files.fsync_store import WORK

NAME = "place.json"
"""File in the working folder of a result."""


@contextlib.contextmanager
def saved_transform(path: Path, axes: str, transform: Mapping[str, Any]) -> Iterator[None]:
    """Save the transform of the run that is launched within the context; a resumed run keeps its first one."""
    begun = (path / "zarr.json").is_file()
    yield
    if transform and not begun:
        write_transform(path, axes, transform)


def write_transform(path: Path, axes: str, transform: Mapping[str, Any]) -> None:
    """Save the transform of a result; a failing disk costs the transform, not the run.

    Parameters
    ----------
    path : Path
        The output folder, in which a run was launched.
    axes : str
        Letter of each displayed dimension; the colours of an RGB image come last and have no transform.
    transform : mapping
        From :func:`napari_s1omni.frontends.napari_layers.layer_transforms.result_transform`.
    """
    plain = {name: np.asarray(value).tolist() for name, value in transform.items()}
    with contextlib.suppress(OSError):
        write_state(path / WORK / NAME, {"axes": axes[: len(plain["scale"])], **plain})


def read_transform(path: Path, axes: str, default: Mapping[str, Any]) -> dict[str, Any]:
    """Read the transform of a result, as options of a layer; reads the disk.

    Parameters
    ----------
    path : Path
        The output folder.
    axes : str
        Letters of the displayed dimensions, in order.
    default : mapping
        Scale, translate, units and axis labels of these dimensions, for those that the file lacks.
    """
    saved = read_state(path / WORK / NAME)
    try:
        known = str(saved["axes"])
        n, to = len(known), [i for i, a in enumerate(axes) if a in known]
        at = [known.index(axes[i]) for i in to]
        options = {name: list(values) for name, values in default.items()}
        for name, values in options.items():
            for i, k in zip(to, at, strict=True):
                values[i] = type(values[i])(saved[name][k])
        rotate, shear = np.array(saved["rotate"], float), shear_matrix(np.array(saved["shear"], float), n)
        affine = np.array(saved["affine"], float)
        return {
            **{name: tuple(values) for name, values in options.items()},
            "rotate": _part(rotate, at, to, len(axes)),
            "shear": shear_vector(_part(shear, at, to, len(axes))),
            "affine": _part(affine, [*at, n], [*to, len(axes)], len(axes) + 1),
        }
    except (IndexError, KeyError, TypeError, ValueError):
        # A missing or damaged file has no effect.
        return dict(default)


def _part(matrix: NDArray[Any], at: Sequence[int], to: Sequence[int], n: int) -> NDArray[Any]:
    """Move dimensions `at` of a matrix to dimensions `to` of an n x n identity matrix."""
    whole = np.eye(n)
    whole[np.ix_(to, to)] = matrix[np.ix_(at, at)]
    return whole
