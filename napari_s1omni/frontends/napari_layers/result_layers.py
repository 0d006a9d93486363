"""How a result looks as a layer: its dimensions, name, metadata and contrast limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.frontends.napari_layers.layer_source import LayerSource
from napari_s1omni.frontends.views.display_axes import DisplayAxes
from napari_s1omni.frontends.views.live_pyramid import LivePyramid
from napari_s1omni.operations import OPERATIONS
from napari_s1omni.planning.plan import Plan
from napari_s1omni.results.tables import Columns

RESULT_KEY = "s1omni"
"""Key in the metadata of layers that this plugin made."""
GENERATED = "generated"
"""Marks pixels that a model generated, in layer names and metadata."""


def display_axes(source: LayerSource, target: LayerSpec) -> DisplayAxes:
    """Return the axes of a result so that its dimensions line up with those of its source layer."""
    sizes = dict(zip(source.axes, source.view.shape, strict=False))
    axes, fixed = source.axes, [0 if a in target.axes else sizes[a] for a in source.axes]
    if target.rgb:
        axes, fixed = axes.replace("c", "") + "c", [n for a, n in zip(axes, fixed, strict=True) if a != "c"] + [0]
    elif "c" in target.axes and "c" not in axes and target.size("c") > 1:
        axes, fixed = "c" + axes, [0, *fixed]
    return DisplayAxes(axes, tuple(fixed))


def result_metadata(plan: Plan, path: Path | str, pyramid: LivePyramid) -> dict[str, Any]:
    """Return the metadata of a result layer."""
    return {
        RESULT_KEY: {
            "output": str(path),
            "pyramid": pyramid,
            "operation": plan.job.operation.type,
            "prompt": plan.job.operation.prompt,
            "engine": f"{plan.engine.name} {plan.engine.revision}",
            GENERATED: plan.generated,
            "digest": plan.digest,
        }
    }


def layer_name(plan: Plan, source: str) -> str:
    """Return the name of a result layer; generated images are marked."""
    what = getattr(plan.job.operation, "target", None) or OPERATIONS[plan.job.operation.type].result
    return f"{source} · {what}" + (f" [{GENERATED}]" if plan.generated else "")


def appearance(plan: Plan) -> dict[str, Any]:
    """Return fixed contrast limits, so that no viewer scans a lazy array for them."""
    if plan.target.kind == "labels":
        return {}
    if plan.job.operation.type == "modality_translation":
        return {"contrast_limits": (0.0, 1.0), "rgb": plan.target.rgb}
    low, high = min(plan.normalization.low), max(plan.normalization.high)
    return {"contrast_limits": (low, max(high, low + 1e-6)), "rgb": plan.target.rgb}


def label_features(columns: Columns) -> dict[str, Any]:
    """Return measured columns as the features of a labels layer, which call the label ``index``."""
    return {"index": columns["label"], **{name: values for name, values in columns.items() if name != "label"}}
