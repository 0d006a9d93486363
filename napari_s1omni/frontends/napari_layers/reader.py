"""The napari reader: opens results, the images of job files and of files of several, and synthetic ones as layers."""

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
    """Return :func:`read` for results, job files, synthetic images and files of instruments, else None.

    Parameters
    ----------
    path : str or list of str
    """
    paths = [path] if isinstance(path, str) else path
    known = (_is_synthetic(p) or is_job_file(p) or _is_result(p) or _is_image_file(p) for p in paths)
    return read if paths and all(known) else None


def read(path: str | list[str]) -> list[LayerData]:
    """Open results, and the images of jobs, as lazy layers.

    Parameters
    ----------
    path : str or list of str
        Output folders, job files, ``synthetic://`` addresses, or files of instruments, perhaps with ``::NAME`` behind
        them. Of a file with several images, those are opened that are chosen in a dialog.

    Returns
    -------
    list of (levels, options, type)
    """
    layers = [layer for p in ([path] if isinstance(path, str) else path) for layer in _read_one(p)]
    # How napari is told that nothing is to be opened.
    return layers or [(None,)]  # type: ignore[list-item]


def job_layer(path: Path) -> LayerData:
    """Open the image of a job file as a layer that carries the job, for the dock to take over.

    Raises
    ------
    JobError
        If the file is not a job.
    SourceError
        If its image is missing, damaged or not supported.
    """
    from napari_s1omni.frontends.napari_layers.source_layers import choose_of_several, source_layer
    from napari_s1omni.planning.job import Job

    job = Job.load(path)
    if chosen := choose_of_several(job.source.uri, one=True):
        job = job.replace(source={**job.source.model_dump(), "uri": chosen[0]})
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


def _read_one(path: str) -> list[LayerData]:
    if _is_synthetic(path):
        from napari_s1omni.frontends.napari_layers.source_layers import synthetic_layer

        return [synthetic_layer(path)]
    if not is_job_path(path):
        if _is_result(path):
            return [result_layer(path)]
        from napari_s1omni.frontends.napari_layers.source_layers import file_layers

        return file_layers(path)
    from napari_s1omni.frontends.napari_layers.open_dock import offer_dock

    layer = job_layer(Path(path))
    offer_dock()
    return [layer]


def _is_synthetic(path: str) -> bool:
    return path.startswith("synthetic:")


def _is_image_file(path: str) -> bool:
    """Whether a file has images that this package reads; Zarr stores are left to other readers."""
    from napari_s1omni.core.paths import full_path, is_url, split_reference
    from napari_s1omni.errors import S1OmniError
    from napari_s1omni.storage.readers.formats import format_of
    from napari_s1omni.storage.readers.registry import file_endings

    try:
        file, _ = split_reference(full_path(path))
    except S1OmniError:
        return False
    if is_url(file) or not Path(file).exists():
        return False
    return format_of(file) is not None or (Path(file).is_file() and file.lower().endswith(file_endings()))


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
