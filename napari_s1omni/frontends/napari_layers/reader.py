"""Opening: results of ours, and images of jobs, as layers, for napari's File > Open and for drops."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_s1omni.planning.job import SourceRef

LayerData = tuple[Any, dict[str, Any], str]
Reader = Callable[[str | list[str]], list[LayerData]]

JOBS = (".yaml", ".yml")
"""Endings of job files."""
WRITTEN = "s1omni_job"
"""Key in the metadata of a layer that a job file opened: the job, until a dock takes it."""
_HEAD = 2**16
"""Characters of a file in which a job names its source and its operation."""


def get_reader(path: str | list[str]) -> Reader | None:
    """Return :func:`read` for one of our results, a job file or a synthetic image, None for everything else.

    Parameters
    ----------
    path : str or list of str
    """
    paths = [path] if isinstance(path, str) else path
    return read if paths and all(_is_ours(p) or _is_job(p) for p in paths) else None


def read(path: str | list[str]) -> list[LayerData]:
    """Open results, and the images of jobs, as layers, lazily.

    Parameters
    ----------
    path : str or list of str
        Output folders, job files, or ``synthetic://`` addresses.

    Returns
    -------
    list of (levels, options, type)
    """
    return [_layer(p) for p in ([path] if isinstance(path, str) else path)]


def job_layer(path: Path) -> LayerData:
    """Open the image of a job file as a layer that carries the job, for the dock to take over.

    Raises
    ------
    JobError
        If it is no job.
    SourceError
        If its image is missing, damaged, or of a kind that cannot be read.
    """
    from napari_s1omni.planning.job import Job

    job = Job.load(path)
    data, options, kind = source_layer(job.source)
    return data, {**options, "metadata": {WRITTEN: job.dump()}}, kind


def result_layer(path: Path) -> LayerData:
    """Open one result; an unfinished one shows what is there.

    Raises
    ------
    StoreError
        If the folder holds no result.
    """
    from napari_s1omni.frontends.napari_layers.layers import appearance, metadata, name_of, stored_place
    from napari_s1omni.frontends.views.live_pyramid import DisplayAxes, LivePyramid
    from napari_s1omni.results.result import Result

    result = Result.open(path)
    plan = result.plan
    axes = "".join(plan.target.axes)
    if plan.target.rgb:
        axes = axes.replace("c", "") + "c"
    levels = LivePyramid(plan, path, DisplayAxes(axes, (0,) * len(axes)))
    if result.complete:
        levels.finish()
    else:
        levels.fill(result.records)
    data = levels.data
    options = {
        "name": name_of(plan, path.stem),
        "metadata": metadata(plan, path, levels),
        **stored_place(plan, axes, path),
        **appearance(plan),
        "multiscale": len(data) > 1,
    }
    kind = "labels" if plan.target.kind == "labels" else "image"
    return data if len(data) > 1 else data[0], options, kind


def source_layer(ref: SourceRef) -> LayerData:
    """Open the image of a job as a layer that is read where it is looked at; from a thread that may wait for a disk.

    Raises
    ------
    SourceError
        If it is missing, damaged, or of a kind that cannot be read.
    """
    from napari_s1omni.frontends.napari_layers.sample_data import LazyPixels, synthetic_layer
    from napari_s1omni.storage.normalization_estimate import estimate_normalization
    from napari_s1omni.storage.source import open_reference

    if ref.uri.startswith("synthetic:"):
        return synthetic_layer(ref.uri)
    source = open_reference(ref)
    spec = source.spec
    flat = [spec.axes.index(a) for a in spec.axes if not (spec.rgb and a == "c")]
    data = [LazyPixels(level, colours_last=spec.rgb) for level in (source, *source.levels())]
    found = estimate_normalization(source)
    options: dict[str, Any] = {
        "name": Path(ref.uri).stem,
        "multiscale": len(data) > 1,
        "rgb": spec.rgb,
        "scale": [spec.scale[i] for i in flat],
        "translate": [spec.translate[i] for i in flat],
        "units": [spec.units[i] or "pixel" for i in flat],
        "axis_labels": [spec.axes[i] for i in flat],
        "contrast_limits": (min(found.low), max(found.high)),
    }
    return data if len(data) > 1 else data[0], options, "image"


def _layer(path: str) -> LayerData:
    from napari_s1omni.frontends.napari_layers.sample_data import synthetic_layer

    if path.startswith("synthetic:"):
        return synthetic_layer(path)
    if not path.lower().endswith(JOBS):
        return result_layer(Path(path))
    made = job_layer(Path(path))
    if "napari" in sys.modules:
        from napari_s1omni.frontends.dock.job_drop import offer_dock

        offer_dock()
    return made


def _is_job(path: str) -> bool:
    """Whether a file reads like a job, without reading all of it."""
    if not path.lower().endswith(JOBS):
        return False
    try:
        with Path(path).open(encoding="utf-8") as file:
            head = file.read(_HEAD)
    except (OSError, UnicodeDecodeError):
        return False
    return all(re.search(rf"^{name}\s*:", head, re.MULTILINE) for name in ("source", "operation"))


def _is_ours(path: str) -> bool:
    if path.startswith("synthetic:"):
        return True
    try:
        group = json.loads((Path(path) / "zarr.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    own = group.get("attributes", {}).get("s1omni", {})
    return "plan" in own
