"""The public functions: run an operation, watch a run, and open sources, regions and napari layers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import JobError
from napari_s1omni.jobs.options import (
    RUN_OPTIONS,
    RunOptions,
    SegmentationOptions,
    SuperResolutionOptions,
    TranslationOptions,
    make_job,
)
from napari_s1omni.jobs.run import run
from napari_s1omni.jobs.signatures import full_signature
from napari_s1omni.operations import OperationType
from napari_s1omni.planning.job import Shape
from napari_s1omni.results.result import Result
from napari_s1omni.storage.regions import region as regions

if TYPE_CHECKING:
    from napari_s1omni.frontends.napari_layers.layer_source import LayerSource
    from napari_s1omni.frontends.notebook.running_job import RunningJob


@overload
def segment(
    source: Any,
    output: str | Path | None = None,
    *,
    block: Literal[True] = True,
    **options: Unpack[SegmentationOptions],
) -> Result: ...
@overload
def segment(
    source: Any, output: str | Path | None = None, *, block: Literal[False], **options: Unpack[SegmentationOptions]
) -> "RunningJob": ...
@full_signature("segmentation", SegmentationOptions)
def segment(
    source: Any, output: str | Path | None = None, *, block: bool = True, **options: Unpack[SegmentationOptions]
) -> "Result | RunningJob":
    """Segment objects into a label image.

    Parameters
    ----------
    source : str, Path or array
        Path or URL of an image, or an array.
    output : str or Path, optional
        Folder of the result. By default a temporary one that is removed when Python ends; with ``block=False`` one
        in the cache folder, which stays.
    block : bool
        Wait for the result. With False the job runs in its own process; the returned object shows it and can be
        awaited.
    **options
        Fields of :class:`~napari_s1omni.Segmentation`, :class:`~napari_s1omni.Tiling` and
        :class:`~napari_s1omni.Sampling`, and options of :func:`~napari_s1omni.run`.

    Returns
    -------
    Result or RunningJob
        A label layer, uint32, in the axes of the source without channels; 0 is background.

    Raises
    ------
    JobError
        If an option is unknown or its value not allowed.
    SourceError
        If the image is missing, damaged, or not an image of known axes.
    PlanError
        If job and image do not fit together.
    StoreError
        If the output cannot be written, or holds something else.
    EngineError
        If the engine, or a package that it needs, is missing.

    Examples
    --------
    >>> import napari_s1omni
    >>> result = napari_s1omni.segment(
    ...     "synthetic://nuclei?shape=200,300", prompt="segment the nuclei, about 20 px", engine="reference"
    ... )
    >>> result.spec.dtype
    'uint32'
    """
    return _run_or_start("segmentation", source, output, block, {**options})


@overload
def super_resolve(
    source: Any,
    output: str | Path | None = None,
    *,
    block: Literal[True] = True,
    **options: Unpack[SuperResolutionOptions],
) -> Result: ...
@overload
def super_resolve(
    source: Any, output: str | Path | None = None, *, block: Literal[False], **options: Unpack[SuperResolutionOptions]
) -> "RunningJob": ...
@full_signature("super_resolution", SuperResolutionOptions)
def super_resolve(
    source: Any, output: str | Path | None = None, *, block: bool = True, **options: Unpack[SuperResolutionOptions]
) -> "Result | RunningJob":
    """Restore an image on a finer grid.

    Parameters
    ----------
    source, output, block
        As in :func:`~napari_s1omni.segment`. The prompt can state the blur for a neural engine: ``"restore, blurred
        by 1.5 px"``.
    **options
        Fields of :class:`~napari_s1omni.SuperResolution`, :class:`~napari_s1omni.Tiling` and
        :class:`~napari_s1omni.Sampling`, and options of :func:`~napari_s1omni.run`.

    Returns
    -------
    Result or RunningJob
        An image layer in the axes and dtype of the source, with `factor` times as many pixels along y and x.

    Raises
    ------
    JobError, SourceError, PlanError, StoreError, EngineError
        As :func:`~napari_s1omni.segment`.

    Examples
    --------
    >>> import napari_s1omni
    >>> result = napari_s1omni.super_resolve("synthetic://nuclei?shape=100,150", factor=2, engine="reference")
    >>> result.spec.shape
    (200, 300)
    """
    return _run_or_start("super_resolution", source, output, block, {**options})


@overload
def translate(
    source: Any,
    output: str | Path | None = None,
    *,
    block: Literal[True] = True,
    **options: Unpack[TranslationOptions],
) -> Result: ...
@overload
def translate(
    source: Any, output: str | Path | None = None, *, block: Literal[False], **options: Unpack[TranslationOptions]
) -> "RunningJob": ...
@full_signature("modality_translation", TranslationOptions)
def translate(
    source: Any, output: str | Path | None = None, *, block: bool = True, **options: Unpack[TranslationOptions]
) -> "Result | RunningJob":
    """Translate an image to another modality or stain.

    Parameters
    ----------
    source, output, block
        As in :func:`~napari_s1omni.segment`. `target` is required; the engine ``reference`` knows the stains
        ``"hematoxylin"``, ``"eosin"`` and ``"DAB"``, ``"inverted contrast"`` and ``"equalized histogram"``.
    **options
        Fields of :class:`~napari_s1omni.ModalityTranslation`, :class:`~napari_s1omni.Tiling` and
        :class:`~napari_s1omni.Sampling`, and options of :func:`~napari_s1omni.run`.

    Returns
    -------
    Result or RunningJob
        An image layer, float32, 0 to 1.

    Raises
    ------
    JobError, SourceError, PlanError, StoreError, EngineError
        As :func:`~napari_s1omni.segment`.
    OperationRefused
        If the engine does not translate to this target; the message names engines that do.

    Examples
    --------
    >>> import napari_s1omni
    >>> result = napari_s1omni.translate(
    ...     "synthetic://nuclei?shape=100,150", target="inverted contrast", engine="reference"
    ... )
    >>> result.spec.dtype
    'float32'
    """
    return _run_or_start("modality_translation", source, output, block, {**options})


def attach(path: str | Path) -> "RunningJob":
    """Watch a run that was started by another kernel, by napari or by the command line.

    Parameters
    ----------
    path : str or Path
        Folder of its result.

    Raises
    ------
    StoreError
        If no run was started there.

    Examples
    --------
    ``napari_s1omni.attach("nuclei.zarr")`` as the last line of a notebook cell shows the run live.
    """
    return _running_job().attach(path)


def open_region(path: str | Path | Shape, spec: LayerSpec) -> regions.Region:
    """Open a region that is given by a file: polygons or a mask.

    Parameters
    ----------
    path : str, Path or Shape
        A GeoJSON file or ImageJ ROI file (``.geojson``, ``.json``, ``.roi``, ``.zip``), any other image as a mask;
        or the region of a job.
    spec : LayerSpec
        The layer on which the region lies.

    Returns
    -------
    Region
        With ``bounds`` in source px, and ``mask(t, z, y, x)`` for any box.

    Raises
    ------
    SourceError
        If the file cannot be read or holds no area.
    PlanError
        If the region lies outside the layer, or a mask has another size.

    Examples
    --------
    >>> import json, tempfile
    >>> import numpy as np
    >>> import napari_s1omni
    >>> corners = [[8, 4], [40, 4], [40, 20], [8, 20], [8, 4]]
    >>> with tempfile.NamedTemporaryFile("w", suffix=".geojson") as file:
    ...     json.dump({"type": "Polygon", "coordinates": [corners]}, file)
    ...     file.flush()
    ...     spec = napari_s1omni.open_source(np.zeros((64, 64))).spec
    ...     napari_s1omni.open_region(file.name, spec).bounds
    {'x': (8, 40), 'y': (4, 20)}
    """
    return regions.open_region(path if isinstance(path, Shape) else Shape.of_file(path), spec)


def layer_source(layer: Any) -> "LayerSource":
    """Find the source that a napari layer shows, as the dock does it.

    Parameters
    ----------
    layer : napari.layers.Image

    Returns
    -------
    LayerSource
        With ``ref`` (the source of a job), ``array`` (pixels that only this process has, or None), ``axes`` and
        ``spec``.

    Raises
    ------
    PlanError
        If it is not an image layer, or is displayed in a way that no source can describe.

    Examples
    --------
    ``napari_s1omni.layer_source(viewer.layers["nuclei"]).spec`` is the :class:`~napari_s1omni.LayerSpec` of a layer.
    """
    from napari_s1omni.frontends.napari_layers.layer_source import locate_source
    from napari_s1omni.frontends.napari_layers.layer_view import read_layer

    return locate_source(read_layer(layer))


def _run_or_start(
    operation: OperationType, source: Any, output: str | Path | None, block: bool, options: dict[str, Any]
) -> "Result | RunningJob":
    running: Any = {name: options.pop(name) for name in RUN_OPTIONS if name in options}
    if block:
        job, array = make_job(operation, source, output, options)
        return run(job, array, **running)
    words = _command_line(running)
    job, array = make_job(operation, source, output, options)
    return _running_job()(job, array, words)


def _command_line(running: RunOptions) -> tuple[str, ...]:
    """Return run options as options of ``s1omni run``."""
    for name in ("on_event", "engines"):
        if name in running:
            raise JobError(
                f"{name} with block=False", "the run has its own process", "use block=True, or on_change of the job"
            )
    words: list[str] = []
    if running.get("executor") is not None:
        words += ["--executor", str(running["executor"])]
    if running.get("workers") is not None:
        words += ["--workers", str(running["workers"])]
    if running.get("scheduler") is not None:
        words += ["--scheduler", str(running["scheduler"])]
    if running.get("verify"):
        words.append("--verify")
    if running.get("durable") is False:
        words.append("--no-durable")
    if running.get("overwrite"):
        words.append("--overwrite")
    return tuple(words)


def _running_job() -> "type[RunningJob]":
    try:
        from napari_s1omni.frontends.notebook.running_job import RunningJob
    except ImportError as error:
        raise JobError(
            f"block=False without the package {error.name}",
            "it needs the extra 'notebook'",
            "pip install 'napari_s1omni[notebook]'",
        ) from error
    return RunningJob
