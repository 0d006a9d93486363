"""The public verbs: as in :mod:`napari_s1omni.jobs.run`, and with ``block=False`` as a handle that is there at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from napari_s1omni.errors import JobError
from napari_s1omni.jobs import run as api
from napari_s1omni.results.result import Result

if TYPE_CHECKING:
    from napari_s1omni.frontends.notebook.running_job import RunningJob

Kind = Literal["segmentation", "super_resolution", "modality_translation"]

_VALUES = ("executor", "workers", "scheduler")
_SWITCHES = {"verify": ("--verify", ""), "durable": ("", "--no-durable")}
"""Name -> options of the command line that say yes and no."""


@overload
def segment(
    source: Any,
    output: str | Path | None = None,
    *,
    prompt: str | None = None,
    block: Literal[True] = True,
    **options: Any,
) -> Result: ...
@overload
def segment(
    source: Any,
    output: str | Path | None = None,
    *,
    prompt: str | None = None,
    block: Literal[False],
    **options: Any,
) -> RunningJob: ...
def segment(
    source: Any, output: str | Path | None = None, *, prompt: str | None = None, block: bool = True, **options: Any
) -> Result | RunningJob:
    """Find objects; the result is a label layer.

    Parameters
    ----------
    source : str, Path or array
        Path or URL of an image, or an array.
    output : str or Path, optional
        Folder of the result; if left out a temporary one, removed when Python
        ends, or with ``block=False`` one in the cache folder, which stays.
    prompt : str, optional
        What to find, such as ``"segment the nuclei, about 20 px"``.
    block : bool
        Whether to wait for the result. If not, the job runs in a process of its
        own, and what is returned at once shows it and can be awaited.
    **options
        The most used: ``engine`` (``"auto"``, ``"reference"``, ``"nano"`` or a checkpoint folder); ``tile_size``,
        ``overlap`` and ``block_size`` in px; ``axes`` such as ``"czyx"``, ``scale`` and ``units`` of an array that
        does not say them; ``region``; ``seed``; ``workers``. All of them: :func:`napari_s1omni.jobs.run.segment`.

    Returns
    -------
    Result or RunningJob
        A label layer, uint32 in the axes of the source without channels; 0 is background.

    Raises
    ------
    JobError
        If an option is unknown or its value not allowed.
    SourceError
        If the image is missing, damaged, or of a shape or type that cannot be read.
    StoreError
        If the output cannot be written, or holds something else.
    EngineUnavailable
        If the engine, or a package that it needs, is not here.
    """
    if block:
        return api.segment(source, output, prompt=prompt, **options)
    return _begun("segmentation", source, output, prompt, options)


@overload
def super_resolve(
    source: Any,
    output: str | Path | None = None,
    *,
    prompt: str | None = None,
    block: Literal[True] = True,
    **options: Any,
) -> Result: ...
@overload
def super_resolve(
    source: Any,
    output: str | Path | None = None,
    *,
    prompt: str | None = None,
    block: Literal[False],
    **options: Any,
) -> RunningJob: ...
def super_resolve(
    source: Any, output: str | Path | None = None, *, prompt: str | None = None, block: bool = True, **options: Any
) -> Result | RunningJob:
    """Restore an image on a finer grid.

    Parameters
    ----------
    source, output, prompt, block, **options
        As in :func:`segment`; the prompt may say the blur to a neural engine, ``"restore, blurred by 1.5 px"``.
        ``factor``: 2 (default), 4, or one number for y and one for x, such as ``(2, 1)``.

    Returns
    -------
    Result or RunningJob
        An image layer of the source's axes and type with `factor` times as many px, of a `factor`-th of their size.

    Raises
    ------
    JobError, SourceError, StoreError, EngineUnavailable
        As :func:`segment`.
    """
    if block:
        return api.super_resolve(source, output, prompt=prompt, **options)
    return _begun("super_resolution", source, output, prompt, options)


@overload
def translate(
    source: Any,
    output: str | Path | None = None,
    *,
    prompt: str | None = None,
    block: Literal[True] = True,
    **options: Any,
) -> Result: ...
@overload
def translate(
    source: Any,
    output: str | Path | None = None,
    *,
    prompt: str | None = None,
    block: Literal[False],
    **options: Any,
) -> RunningJob: ...
def translate(
    source: Any, output: str | Path | None = None, *, prompt: str | None = None, block: bool = True, **options: Any
) -> Result | RunningJob:
    """Draw an image as another modality would show it.

    Parameters
    ----------
    source, output, prompt, block, **options
        As in :func:`segment`. ``target``: the modality, which must be said; the engine `reference` knows stains
        (``"hematoxylin"``, ``"eosin"``, ``"DAB"``), ``"inverted contrast"`` and ``"equalized histogram"``.

    Returns
    -------
    Result or RunningJob
        An image layer, float32 in 0 to 1.

    Raises
    ------
    JobError, SourceError, StoreError, EngineUnavailable
        As :func:`segment`.
    OperationRefused
        If the engine does not translate to this target; the message names those that do.
    """
    if block:
        return api.translate(source, output, prompt=prompt, **options)
    return _begun("modality_translation", source, output, prompt, options)


def attach(path: str | Path) -> RunningJob:
    """Watch a run again that was started before: by another kernel, by napari, by the command line.

    Parameters
    ----------
    path : str or Path
        Folder of its result.

    Raises
    ------
    StoreError
        If nothing was ever begun there.
    """
    return _running_job().attach(path)


def _begun(
    kind: Kind, source: Any, output: str | Path | None, prompt: str | None, options: dict[str, Any]
) -> RunningJob:
    words = _command(options)
    job, array = api.make_job(kind, source, output, prompt, options)
    return _running_job()(job, array, words)


def _command(options: dict[str, Any]) -> tuple[str, ...]:
    """Take out what belongs to running, and say it as the command line does."""
    if "on_event" in options:
        raise JobError("on_event with block=False", "a run in another process is watched", "use on_news of the job")
    words: list[str] = []
    for name in _VALUES:
        if (value := options.pop(name, None)) is not None:
            words += [f"--{name}", str(value)]
    for name, (yes, no) in _SWITCHES.items():
        if (value := options.pop(name, None)) is not None:
            words += [word for word in (yes if value else no,) if word]
    return tuple(words)


def _running_job() -> type[RunningJob]:
    try:
        from napari_s1omni.frontends.notebook.running_job import RunningJob
    except ImportError as error:
        raise JobError(
            f"block=False without the package {error.name}",
            "it needs the extra 'notebook'",
            "pip install 'napari_s1omni[notebook]'",
        ) from error
    return RunningJob
