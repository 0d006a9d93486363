"""Images of jobs and files, opened as lazy layers; of a file of several, those that are chosen in a dialog."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from napari_s1omni.core.image_references import reference_stem, with_image
from napari_s1omni.core.paths import is_url, join_reference, split_reference
from napari_s1omni.frontends.napari_layers.open_dock import PLUGIN
from napari_s1omni.frontends.napari_layers.source_array import SourceArray
from napari_s1omni.planning.job import SourceRef
from napari_s1omni.storage.listing.image_headers import list_images
from napari_s1omni.storage.normalization_estimate import estimate_normalization
from napari_s1omni.storage.readers.file_format import ImageHeader
from napari_s1omni.storage.readers.image_files import choose_number
from napari_s1omni.storage.source import Source, open_source

LayerData = tuple[Any, dict[str, Any], str]
"""Pixels or levels, options and kind of a layer, as npe2 readers return them."""

_COMMAND = f"{PLUGIN}.open_images"
"""Command of the manifest that shows the dialog; nothing here imports a toolkit."""
_SMALLEST = 512
"""Longest edge in pixels of the coarsest synthetic level."""


def source_layer(ref: SourceRef) -> LayerData:
    """Open the image of a job as a lazy layer; reads the disk.

    Raises
    ------
    SourceError
        If it is missing, damaged or not supported.
    """
    if ref.uri.startswith("synthetic:"):
        return synthetic_layer(ref.uri)
    source = open_source(ref.uri, level=ref.level, axes=ref.axes, scale=ref.scale, units=ref.units)
    spec = source.spec
    flat = [spec.axes.index(a) for a in spec.axes if not (spec.rgb and a == "c")]
    data = [SourceArray(level, channels_last=spec.rgb) for level in (source, *source.levels())]
    limits = estimate_normalization(source)
    options: dict[str, Any] = {
        "name": reference_stem(ref.uri),
        "multiscale": len(data) > 1,
        "rgb": spec.rgb,
        "scale": [spec.scale[i] for i in flat],
        "translate": [spec.translate[i] for i in flat],
        "units": [spec.units[i] or "pixel" for i in flat],
        "axis_labels": [spec.axes[i] for i in flat],
        "contrast_limits": (min(limits.low), max(limits.high)),
    }
    return data if len(data) > 1 else data[0], options, "image"


def file_layers(path: str) -> list[LayerData]:
    """Open the images of a file as lazy layers; none if the dialog was cancelled.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    chosen = choose_of_several(path)
    places = [with_image(path, None)] if chosen is None else chosen
    return [source_layer(SourceRef(uri=place)) for place in places]


def choose_of_several(where: str, *, one: bool = False) -> list[str] | None:
    """Ask which images of a file are meant; None if there is no choice, empty if the dialog was cancelled.

    Parameters
    ----------
    where : str
        A path, perhaps with the image behind it.
    one : bool
        Whether only one can be chosen.

    Returns
    -------
    list of str, optional
        References.

    Raises
    ------
    SourceError
        If the file cannot be read.
    """
    headers = images_to_choose(where)
    if not headers:
        return None
    file, _ = split_reference(with_image(where, None))
    return [join_reference(file, name) for name in _ask(file, headers, one)]


def images_to_choose(where: str) -> tuple[ImageHeader, ...]:
    """Return the images among which one must be chosen; empty if one is chosen, or there is only one."""
    if where.startswith(("memory:", "synthetic:")) or is_url(where):
        return ()
    _, chosen = split_reference(with_image(where, None))
    if chosen is not None:
        return ()
    headers = tuple(header for header in list_images(where) if header.main)
    return headers if len(headers) > 1 else ()


def _ask(file: str, headers: tuple[ImageHeader, ...], one: bool) -> list[str]:
    try:
        from npe2 import PluginManager
    except ImportError:
        # Without a viewer nobody can be asked; the error names the images.
        choose_number([header.name for header in headers], None, file)
        return []
    answer: Any = PluginManager.instance().commands.execute(_COMMAND, args=(file, headers, one))
    return list(answer)


def synthetic_layer(uri: str, name: str = "synthetic") -> LayerData:
    """Open a synthetic image as a pyramid whose levels are computed when they are displayed.

    Parameters
    ----------
    uri : str
        See :mod:`napari_s1omni.storage.readers.synthetic`.
    name : str
    """
    source = open_source(uri)
    data = [SourceArray(source)]
    level, level_factor, factor = source, 1, 2
    while max(data[-1].shape[-2:]) > _SMALLEST:
        smaller = _smaller(uri, factor)
        if smaller is not None:
            level, level_factor = smaller, factor
        # Objects too small to be drawn are sampled from the smallest drawn level, not from full resolution.
        data.append(SourceArray(level, factor // level_factor))
        factor *= 2
    spec = source.spec
    top = {"uint8": 255.0, "uint16": 4000.0, "float32": 1.0}.get(spec.dtype, 1.0)
    options: dict[str, Any] = {
        "name": name,
        "multiscale": len(data) > 1,
        "scale": spec.scale,
        "units": [unit or "pixel" for unit in spec.units],
        "axis_labels": spec.axes,
    }
    if spec.kind == "labels":
        return data if len(data) > 1 else data[0], options, "labels"
    options["contrast_limits"] = (0.0, top)
    return data if len(data) > 1 else data[0], options, "image"


def _smaller(uri: str, factor: int) -> Source | None:
    """Return the same scene at a lower resolution; None if its objects would be too small."""
    kind, _, query = uri.partition("?")
    settings = dict(parse_qsl(query))
    shape = [int(n) for n in settings["shape"].split(",")]
    diameter = float(settings.get("diameter", 20)) / factor
    axes = settings.get("axes") or {2: "yx", 3: "zyx", 5: "tczyx"}[len(shape)]
    flat = [a in "yx" for a in axes]
    if diameter < 2 or any(f and n % factor for n, f in zip(shape, flat, strict=True)):
        return None
    scale = [float(s) for s in settings.get("scale", ",".join("1" * len(shape))).split(",")]
    settings["shape"] = ",".join(str(n // factor if f else n) for n, f in zip(shape, flat, strict=True))
    settings["scale"] = ",".join(str(s * factor if f else s) for s, f in zip(scale, flat, strict=True))
    settings["diameter"] = str(diameter)
    if "spacing" in settings:
        settings["spacing"] = str(float(settings["spacing"]) / factor)
    return open_source(f"{kind}?{urlencode(settings, safe=',')}")
