"""Values per axis that a user gives to correct the metadata of an image: pixel size and unit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from napari_s1omni.errors import SourceError

PerAxis = float | str | Sequence[Any] | Mapping[str, Any] | None
"""One value for z, y and x; one per stored axis, or per stored axis of space; or a mapping by axis letter."""


def values_by_axis(value: PerAxis, axes: str, name: str) -> dict[str, Any]:
    """Return a value for each axis that `value` covers.

    Parameters
    ----------
    value : PerAxis
    axes : str
        The axes of the image in stored order.
    name : str
        ``scale`` or ``units``, for messages.

    Raises
    ------
    SourceError
        If it names an unknown axis or has the wrong length.
    """
    space = [a for a in axes if a in "zyx"]
    if value is None:
        return {}
    if isinstance(value, Mapping):
        unknown = sorted(set(value) - set(axes))
        if unknown:
            raise SourceError(
                f"{name} for axes {unknown} of an image with axes '{axes}'", f"{name} may name the axes '{axes}'"
            )
        return dict(value)
    if isinstance(value, str | float | int):
        return dict.fromkeys(space, value)
    for letters in (list(axes), space):
        if len(value) == len(letters):
            return dict(zip(letters, value, strict=True))
    raise SourceError(
        f"{name} {tuple(value)} for an image with axes '{axes}'",
        f"it is one value for {', '.join(space)}, or {len(space)} or {len(axes)} values",
    )


def check_pixel_size(scale: Mapping[str, float], axes: str, name: str) -> None:
    """Refuse a pixel size that is not finite and above 0; `name` is the image, for the message."""
    bad = {a: scale[a] for a in axes if a in scale and not (math.isfinite(scale[a]) and scale[a] > 0)}
    if bad:
        shown = ", ".join(f"{value} along {axis}" for axis, value in bad.items())
        raise SourceError(
            f"pixel size {shown} of {name}",
            "a pixel size is finite and above 0",
            "correct the metadata, or give scale",
            scale=dict(bad),
        )
