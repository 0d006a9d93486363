"""Flat options of a job: their types, and the job they make.

Every field of an operation, and of source, tiling and sampling, is an option
of one flat name. The typed dictionaries repeat names and types of the fields
for editors and type checkers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from napari_s1omni.core.document import did_you_mean
from napari_s1omni.core.image_references import ImageChoice, with_image
from napari_s1omni.core.paths import path_text
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.tiling import Fit, Tiling
from napari_s1omni.engine.protocol import Engine
from napari_s1omni.errors import JobError
from napari_s1omni.execution.run.events import OnEvent
from napari_s1omni.operations import OPERATIONS, OperationType
from napari_s1omni.operations.super_resolution import Factor
from napari_s1omni.planning.job import IMAGE_FIELD, Box, Job, Shape, SourceRef, check_prompt, output_path

IN_MEMORY = "memory:"
"""Prefix of the URI of a source that lives in this process."""


class SourceOptions(TypedDict, total=False):
    """Fields of :class:`~napari_s1omni.planning.job.SourceRef`."""

    level: int
    axes: str | None
    scale: float | tuple[float, ...] | None
    units: str | tuple[str, ...] | None
    image: ImageChoice | None


class TilingOptions(TypedDict, total=False):
    """Fields of :class:`~napari_s1omni.core.tiling.Tiling`."""

    tile_size: int | None
    overlap: int | None
    block_size: int | None
    depth: int | None
    halo: int | str | None
    fit: Fit


class SamplingOptions(TypedDict, total=False):
    """Fields of :class:`~napari_s1omni.core.sampling.Sampling`."""

    think: Literal["per_tile", "per_region", "once", "off"] | None
    region_tiles: int
    max_new_tokens: int | None
    temperature: float
    top_p: float
    num_inference_steps: int | None
    true_cfg_scale: float | None
    seed: int


class RunOptions(TypedDict, total=False):
    """Keyword options of :func:`napari_s1omni.jobs.run.run`."""

    executor: Literal["serial", "dask"] | None
    workers: int | None
    scheduler: str | None
    verify: bool
    durable: bool
    overwrite: bool
    engines: Callable[[str], Engine]
    on_event: OnEvent


class JobOptions(SourceOptions, TilingOptions, SamplingOptions, RunOptions, total=False):
    """Options that every operation has."""

    prompt: str
    channels: tuple[int | str, ...] | None
    engine: str
    region: Box | Shape | str | Mapping[str, Any] | None


class SegmentationOptions(JobOptions, total=False):
    """Options of :func:`napari_s1omni.segment`."""

    instances: bool
    min_size: int | str | None
    max_size: int | str | None
    fill_holes: bool
    drop_border: bool
    link_z: bool | None
    z_gap: bool
    split_z: bool | None
    min_planes: int | None
    into: str | None


class SuperResolutionOptions(JobOptions, total=False):
    """Options of :func:`napari_s1omni.super_resolve`."""

    factor: Literal[2, 4] | tuple[Factor, Factor]


class TranslationOptions(JobOptions, total=False):
    """Options of :func:`napari_s1omni.translate`."""

    target: str
    source_modality: str | None


RUN_OPTIONS = tuple(RunOptions.__annotations__)
"""Names of the options that belong to running, not to the job."""


def option_fields(operation: OperationType) -> dict[str, tuple[str, FieldInfo]]:
    """Return every flat option of a job: its section and the field that describes it.

    Parameters
    ----------
    operation : str
        Operation type.
    """
    own = ("engine", "region", *(("into",) if operation == "segmentation" else ()))
    sections: tuple[tuple[str, type[BaseModel], tuple[str, ...]], ...] = (
        ("Operation", OPERATIONS[operation].model, ()),
        ("Source", SourceRef, ()),
        ("Job", Job, own),
        ("Tiling", Tiling, ()),
        ("Sampling", Sampling, ()),
    )
    fields = {
        name: (section, model.model_fields[name])
        for section, model, names in sections
        for name in names or model.model_fields
        if name not in ("type", "uri")
    }
    return {**fields, "image": ("Source", IMAGE_FIELD)}


def make_job(
    operation: OperationType,
    source: Any,
    output: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
) -> tuple[Job, Any]:
    """Make a job from flat options.

    Parameters
    ----------
    operation : str
        Operation type.
    source : str, Path or array
    output : str or Path, optional
        Folder of the result.
    options : mapping
        By the names of :func:`option_fields`; None counts as not given.

    Returns
    -------
    (Job, array or None)
        The array, if the source is one.

    Raises
    ------
    JobError
        If an option is unknown or its value not allowed, or the output is behind a URL.
    """
    given = {name: value for name, value in (options or {}).items() if value is not None}
    known = option_fields(operation)
    for name in given:
        if name not in known:
            choices = sorted({*known, *RUN_OPTIONS})
            near = did_you_mean(name, choices)
            raise JobError(f"unknown option '{name}'.{near}", f"options are {', '.join(choices)}")
    check_prompt(given.get("prompt"))
    array = None if isinstance(source, str | os.PathLike) else source
    image = given.pop("image", None)
    if array is not None and image is not None:
        raise JobError(f"image {image!r} of an array", "a file holds several images", "leave the image out")
    uri = with_image(source, image) if array is None else f"{IN_MEMORY}{type(source).__name__}"
    document: dict[str, Any] = {
        "source": {"uri": uri},
        "output": None if output is None else path_text(output),
        "operation": {"type": operation},
        "tiling": {},
        "sampling": {},
    }
    for name, value in given.items():
        section = known[name][0].lower()
        (document if section == "job" else document[section])[name] = value
    job = Job.read(document, "options")
    if job.output is not None:
        # An output that cannot be is refused before the image is opened.
        output_path(job)
    return job, array
