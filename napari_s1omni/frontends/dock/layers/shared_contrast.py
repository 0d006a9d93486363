"""One contrast for a source, its preview and its result, where their intensities are the same."""

from __future__ import annotations

from typing import Any

from napari.experimental import link_layers

from napari_s1omni.planning.plan import Plan


def shares_contrast(plan: Plan, source: Any) -> bool:
    """Whether a result has the intensities of its source layer, so that equal ones should look equal."""
    return source is not None and plan.job.operation.type == "super_resolution" and not plan.target.rgb


def contrast_of(source: Any) -> dict[str, Any]:
    """Return the options with which a layer looks like its source."""
    return {
        "contrast_limits": tuple(source.contrast_limits),
        "gamma": source.gamma,
        "colormap": source.colormap.name,
    }


def link_contrast(source: Any, layer: Any) -> None:
    """Change the contrast of both from now on when the user changes that of one; napari marks them as linked."""
    link_layers([source, layer], ("contrast_limits", "gamma"))
