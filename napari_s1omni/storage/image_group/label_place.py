"""Where the labels of a run lie in the image that they are written into."""

from __future__ import annotations

from dataclasses import dataclass

from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.zarr_folder import image_of, level_paths


@dataclass(frozen=True, slots=True)
class LabelPlace:
    """Where labels lie in an image."""

    level: int = 0
    """The level of the image that was segmented."""
    origin: tuple[int, ...] = ()
    """First pixel of the labels in that level, along their own axes; empty is the first one of the level."""
    axes: str | None = None
    """One letter per stored dimension of the image, where its metadata is overruled."""


def label_place(plan: Plan) -> LabelPlace:
    """Return where the labels of a plan lie in the image that its source is, or is a level of."""
    source, grid = plan.job.source, plan.grid
    image, level = image_of(source.uri)
    first = {"t": grid.t[0], "z": grid.z[0], "y": grid.y[0], "x": grid.x[0]}
    return LabelPlace(
        level_paths(image).index(level) if level else source.level,
        tuple(first[axis] for axis in plan.target.axes),
        source.axes,
    )
