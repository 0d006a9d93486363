"""The napari reader: opens results, the images of job files, and synthetic images as layers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_s1omni.frontends.napari_layers.job_files import JOB_KEY, is_job_file, is_job_path
from napari_s1omni.planning.zarr_folder import read_attributes

LayerData = tuple[Any, dict[str, Any], str]
Reader = Callable[[str | list[str]], list[LayerData]]


def get_reader(path: str | list[str]) -> Reader | None:
    """Return :func:`read` for results, job files and synthetic images, else None.

    Parameters
    ----------
    path : str or list of str
    """
    paths = [path] if isinstance(path, str) else path
    return read if paths and all(_is_synthetic(p) or is_job_file(p) or _is_result(p) for p in paths) else None


def read(path: str | list[str]) -> list[LayerData]:
    """Open results, and the images of jobs, as lazy layers.

    Parameters
    ----------
    path : str or list of str
        Output folders, job files, or ``synthetic://`` addresses.

    Returns
    -------
    list of (levels, options, type)
    """
    return [_read_one(p) for p in ([path] if isinstance(path, str) else path)]


def job_layer(path: Path) -> LayerData:
    """Open the image of a job file as a layer that carries the job, for the dock to take over.

    Raises
    ------
    JobError
        If the file is not a job.
    SourceError
        If its image is missing, damaged or not supported.
    """
    from napari_s1omni.frontends.napari_layers.source_layers import source_layer
    from napari_s1omni.planning.job import Job

    job = Job.load(path)
    data, options, kind = source_layer(job.source)
    return data, {**options, "metadata": {JOB_KEY: job.dump()}}, kind


def result_layer(path: Path | str) -> LayerData:
    """Open one result as a layer; an unfinished result shows its finished blocks.

    Raises
    ------
    StoreError
        If the folder holds no result, or an unfinished one behind a URL.
    """
    from napari_s1omni.core.paths import name_in
    from napari_s1omni.errors import StoreError
    from napari_s1omni.frontends.napari_layers.layer_transforms import stored_transform
    from napari_s1omni.frontends.napari_layers.result_layers import appearance, layer_name, result_metadata
    from napari_s1omni.frontends.views.display_axes import DisplayAxes
    from napari_s1omni.frontends.views.live_pyramid import LivePyramid
    from napari_s1omni.results.result import Result

    result = Result.open(path)
    plan = result.plan
    pyramid = LivePyramid(plan, result.uri if result.is_remote else result.path, DisplayAxes.of(plan.target))
    if result.complete:
        pyramid.finish()
    elif result.is_remote:
        raise StoreError(
            f"{result.uri} is unfinished", "behind a URL, a finished result is shown", "open it where it is made"
        )
    else:
        pyramid.fill(result.records)
    levels = pyramid.data
    options = {
        "name": layer_name(plan, Path(name_in(result.uri)).stem),
        "metadata": result_metadata(plan, result.uri, pyramid),
        **stored_transform(plan, pyramid.display.axes, result.work.parent),
        **appearance(plan),
        "multiscale": len(levels) > 1,
    }
    kind = "labels" if plan.target.kind == "labels" else "image"
    return levels if len(levels) > 1 else levels[0], options, kind


def _read_one(path: str) -> LayerData:
    if _is_synthetic(path):
        from napari_s1omni.frontends.napari_layers.source_layers import synthetic_layer

        return synthetic_layer(path)
    if not is_job_path(path):
        return result_layer(path)
    from napari_s1omni.frontends.napari_layers.open_dock import offer_dock

    layer = job_layer(Path(path))
    offer_dock()
    return layer


def _is_synthetic(path: str) -> bool:
    return path.startswith("synthetic:")


def _is_result(path: str) -> bool:
    from napari_s1omni.core.paths import full_path, is_url
    from napari_s1omni.errors import S1OmniError
    from napari_s1omni.storage.files.remote import read_remote

    try:
        place = full_path(path)
        if is_url(place):
            own = json.loads(read_remote(f"{place}/zarr.json") or b"{}").get("attributes", {}).get("s1omni")
        else:
            own = read_attributes(Path(place)).get("s1omni")
    except (OSError, ValueError, S1OmniError):
        return False
    return isinstance(own, dict) and "plan" in own
