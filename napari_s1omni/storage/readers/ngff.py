"""OME-Zarr (NGFF) 0.4 and 0.5: which array of a group is the image, and where it lies in the world."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import zarr
import zarr.errors

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.raw_image import Pixels, RawImage

_VERSIONS = ("0.4", "0.5")
_COLOURS = [("red", "green", "blue"), ("Red", "Green", "Blue"), ("R", "G", "B"), ("r", "g", "b")]
"""Names of channels that together are one picture."""
_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


def siblings(group: Any) -> list[str]:
    """Paths of the levels of the first multiscale image of a group; empty if it is none."""
    try:
        image = _attributes(group)["multiscales"][0]
        return [d["path"] for d in image["datasets"]] if isinstance(image["axes"][0], dict) else []
    except (KeyError, IndexError, TypeError):
        return []


def read_ngff(group: Any, uri: str, level: int, pixels: Callable[[Any, str], Pixels]) -> RawImage:
    """Describe the image of a group.

    Parameters
    ----------
    group : zarr.Group
        Opened for reading.
    uri : str
        Where it lies.
    level : int
        Level of the pyramid.
    pixels : callable
        Wraps an array of the group.

    Raises
    ------
    SourceError
        If the group holds no image, another version, or contradicts itself;
        the sentence names the key.
    """
    uri = uri.rstrip("/")
    attributes = _attributes(group)
    if "multiscales" not in attributes:
        raise _no_image(group, uri, attributes)
    notes: list[str] = []
    image = _first(attributes["multiscales"], f"{uri}, key multiscales", notes)
    _check_version(uri, image, attributes)
    axes, units = _axes(image, uri)
    datasets = image.get("datasets")
    if not isinstance(datasets, list) or not datasets:
        raise SourceError(f"{uri}, key multiscales[0].datasets: {datasets!r}", "it is a list with at least one level")
    if not -len(datasets) <= level < len(datasets):
        raise SourceError(
            f"level {level} of {uri}", f"it has the levels 0 to {len(datasets) - 1}", "choose one of them", level=level
        )
    level %= len(datasets)
    finest, chosen = (_array(group, uri, i, datasets[i], len(axes)) for i in (0, level))
    scale, translate = _transform(image, datasets[level], level, axes, uri)
    reason = _contradiction(axes, finest, _transform(image, datasets[0], 0, axes, uri)[0], chosen, scale)
    if reason:
        raise SourceError(
            f"{uri}, level {level} contradicts level 0: {reason}",
            "all levels show the same field with the same type",
            "correct the metadata, or open the array by its path and give axes and scale",
            level=level,
        )
    kind: Literal["image", "labels"] = "labels" if "image-label" in attributes else "image"
    if kind == "labels" and chosen.dtype.kind not in "iub":
        raise SourceError(
            f"{uri}, key image-label, whose array '{datasets[level]['path']}' has type {chosen.dtype}",
            "labels are integers",
            "write them as integers, or remove the key image-label if these are intensities",
        )
    names = _channel_names(attributes)
    if names in _COLOURS and chosen.dtype == np.uint8 and axes.count("c") == 1:
        axes = axes.replace("c", "s")
        notes.append("the channels are called red, green and blue and are read as the colours of one picture")
    coarser = _coarser(group, uri, image, level, axes, chosen, scale, notes)
    path = f"{uri}/{datasets[level]['path']}"
    return RawImage(
        pixels=pixels(chosen, path),
        axes=axes,
        chunks=tuple(chosen.chunks),
        scale=scale,
        translate=translate,
        units=units,
        channel_names=names,
        kind=kind,
        coarser=tuple(pixels(*found) for found in coarser),
        notes=tuple(notes),
        uri=uri,
    )


def _attributes(group: Any) -> Mapping[str, Any]:
    attributes = dict(group.attrs)
    inside = attributes.get("ome")
    return inside if isinstance(inside, dict) else attributes


def _first(images: Any, where: str, notes: list[str]) -> Mapping[str, Any]:
    if not isinstance(images, list) or not images or not isinstance(images[0], dict):
        raise SourceError(
            f"{where}: {str(images)[:80]}",
            "it is a list with one multiscale image",
            "write the metadata again, or give the path of one array inside, with axes",
        )
    if len(images) > 1:
        notes.append(f"the first of {len(images)} multiscale images is read")
    return images[0]


def _check_version(uri: str, image: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
    version = str(image.get("version") or attributes.get("version") or "")
    axes = image.get("axes")
    old = not isinstance(axes, list) or not axes or not all(isinstance(a, dict) for a in axes)
    if version.startswith(_VERSIONS) and not old:
        return
    if version and not version.startswith(_VERSIONS) and version > "0.5":
        raise SourceError(
            f"{uri}, key multiscales[0].version: {version}",
            f"OME-Zarr {' and '.join(_VERSIONS)} are read",
            "update this package",
        )
    if not version and not old:
        return
    level = image.get("datasets", [{}])[0].get("path", "0") if image.get("datasets") else "0"
    raise SourceError(
        f"{uri} is OME-Zarr {version or 'of an unnamed version'}, key multiscales[0].axes: {axes!r}",
        f"OME-Zarr {' and '.join(_VERSIONS)} are read, whose axes are objects with name, type and unit",
        f"convert it (open it with ome-zarr-py and write it with write_image), or open its array "
        f"{uri}/{level} and give axes and scale",
        version=version,
    )


def _axes(image: Mapping[str, Any], uri: str) -> tuple[str, dict[str, str]]:
    letters, units = "", {}
    for i, axis in enumerate(image["axes"]):
        name = str(axis.get("name", ""))
        letter = name.lower()[:1]
        where = f"{uri}, key multiscales[0].axes[{i}]"
        if not letter:
            raise SourceError(f"{where}: no name", "each axis has a name such as 'z'", "write the metadata again")
        kind = axis.get("type")
        if kind is not None and letter in _TYPES and kind != _TYPES[letter]:
            raise SourceError(
                f"{where}: axis '{name}' of type '{kind}'",
                f"'{letter}' is of type '{_TYPES[letter]}'",
                "correct the metadata, or open the array by its path and give axes",
            )
        letters += letter
        if isinstance(axis.get("unit"), str):
            units[letter] = axis["unit"]
    return letters, units


def _array(group: Any, uri: str, index: int, dataset: Mapping[str, Any], dimensions: int) -> Any:
    where = f"{uri}, key multiscales[0].datasets[{index}].path"
    path = dataset.get("path")
    if not isinstance(path, str):
        raise SourceError(f"{where}: {path!r}", "it is the path of an array", "write the metadata again")
    try:
        array = group[path]
    except KeyError as error:
        if not error.args or error.args[0] != path:
            raise _damaged(where, path, error) from error
        raise SourceError(
            f"{where}: '{path}', and there is no array",
            "each level is an array",
            "copy the missing folder, or remove the level",
        ) from None
    except (TypeError, ValueError) as error:
        raise _damaged(where, path, error) from error
    if not isinstance(array, zarr.Array):
        raise SourceError(f"{where}: '{path}' is a group", "an array")
    if array.ndim != dimensions:
        raise SourceError(
            f"{where}: array '{path}' has {array.ndim} dimensions, shape {array.shape}, while multiscales[0].axes "
            f"names {dimensions}",
            "there is one axis for each dimension",
            "correct the axes, or open the array by its path and give axes",
        )
    return array


def _damaged(where: str, path: str, error: Exception) -> SourceError:
    return SourceError(
        f"{where}: the metadata of array '{path}' cannot be understood ({type(error).__name__}: {error})",
        "it describes one array",
        "write its zarr.json or .zarray again",
    )


def _transform(
    image: Mapping[str, Any], dataset: Mapping[str, Any], index: int, axes: str, uri: str
) -> tuple[dict[str, float], dict[str, float]]:
    """Join the transformations of the level and of the multiscale: first the level's, then the common ones."""
    scale, translate = [1.0] * len(axes), [0.0] * len(axes)
    here = f"multiscales[0].datasets[{index}].coordinateTransformations"
    for steps, where in (
        (dataset.get("coordinateTransformations"), here),
        (image.get("coordinateTransformations"), "multiscales[0].coordinateTransformations"),
    ):
        for i, step in enumerate(steps or ()):
            kind, key = step.get("type"), f"{uri}, key {where}[{i}]"
            if kind == "scale":
                factors = _numbers(step.get("scale"), axes, f"{key}.scale")
                _positive(factors, axes, f"{key}.scale")
                scale = [s * f for s, f in zip(scale, factors, strict=True)]
                translate = [t * f for t, f in zip(translate, factors, strict=True)]
            elif kind == "translation":
                shifts = _numbers(step.get("translation"), axes, f"{key}.translation")
                translate = [t + s for t, s in zip(translate, shifts, strict=True)]
            elif kind != "identity":
                raise SourceError(
                    f"{key}.type: {kind!r}",
                    "it is scale, translation or identity",
                    "write the image in a grid along its axes",
                )
    return dict(zip(axes, scale, strict=True)), dict(zip(axes, translate, strict=True))


def _numbers(value: Any, axes: str, where: str) -> Sequence[float]:
    if not isinstance(value, list) or len(value) != len(axes) or not all(isinstance(v, int | float) for v in value):
        raise SourceError(
            f"{where}: {value!r}", f"it holds one number for each of the axes '{axes}'", "correct the metadata"
        )
    return [float(v) for v in value]


def _positive(scale: Sequence[float], axes: str, where: str) -> None:
    for axis, value in zip(axes, scale, strict=True):
        if not 0 < value < float("inf"):
            raise SourceError(
                f"{where}: {value} along {axis}",
                "a px has a size above 0",
                "correct the metadata, or open the array by its path",
            )


def _contradiction(
    axes: str, fine: Any, fine_scale: Mapping[str, float], coarse: Any, scale: Mapping[str, float]
) -> str:
    """Say how a level cannot be a coarser copy of another one; empty if it can."""
    if fine.dtype != coarse.dtype:
        return f"type {coarse.dtype} against {fine.dtype}"
    for axis, n, m in zip(axes, fine.shape, coarse.shape, strict=True):
        if m > n:
            return f"{m} px along {axis} against {n}"
        # Programs round half px up or down at each level, so extents may differ by two coarse px.
        if axis in "zyx" and abs(n * fine_scale[axis] - m * scale[axis]) > 2 * scale[axis] + 1e-6:
            return (
                f"along {axis}, {m} px of {scale[axis]:g} against {n} px of {fine_scale[axis]:g} "
                f"({m * scale[axis]:g} against {n * fine_scale[axis]:g})"
            )
    return ""


def _coarser(
    group: Any,
    uri: str,
    image: Mapping[str, Any],
    level: int,
    axes: str,
    chosen: Any,
    scale: Mapping[str, float],
    notes: list[str],
) -> list[tuple[Any, str]]:
    """Return the usable levels below the chosen one; one that is missing or contradicts it is noted."""
    found = []
    for i, dataset in enumerate(image["datasets"][level + 1 :], level + 1):
        try:
            array = _array(group, uri, i, dataset, len(axes))
            reason = _contradiction(axes, chosen, scale, array, _transform(image, dataset, i, axes, uri)[0])
        except SourceError as error:
            reason = error.given
        if reason:
            notes.append(f"level {i} is not used beside level {level}: {reason}")
        else:
            found.append((array, f"{uri}/{dataset['path']}"))
    return found


def _channel_names(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    omero = attributes.get("omero")
    channels = omero.get("channels") if isinstance(omero, dict) else None
    if not isinstance(channels, list):
        return ()
    names = tuple(str(c.get("label", "")) if isinstance(c, dict) else "" for c in channels)
    return names if all(names) else ()


def _no_image(group: Any, uri: str, attributes: Mapping[str, Any]) -> SourceError:
    """Say what the group is instead, and which path inside it would be an image."""
    known = (
        ("plate", "a plate of wells", _paths(attributes.get("plate"), "wells"), "/0"),
        ("well", "a well of fields", _paths(attributes.get("well"), "images"), ""),
        ("labels", "a list of label images", attributes.get("labels"), ""),
        ("bioformats2raw.layout", "a collection of images", ["0"], ""),
    )
    for key, what, inside, below in known:
        if key in attributes:
            names = [str(name) for name in inside] if isinstance(inside, list) else []
            return SourceError(
                f"{uri} is {what}: {', '.join(names[:8]) or 'none'}",
                "one image at a time is read",
                f"give a path such as {uri}/{names[0]}{below}" if names else "give the path of an image",
            )
    inside = _members(group) if "://" not in uri else []
    return SourceError(
        f"{uri} is a group without the key multiscales",
        "an image is a group of OME-Zarr 0.4 or 0.5, or an array",
        f"give the path of an image or array inside; it holds {', '.join(inside)}" if inside else "check the path",
    )


def _paths(item: Any, key: str) -> list[str]:
    """Paths of the wells of a plate or of the fields of a well, as far as they are given."""
    listed = item.get(key) if isinstance(item, dict) else None
    return [str(i["path"]) for i in listed if isinstance(i, dict) and "path" in i] if isinstance(listed, list) else []


def _members(group: Any) -> list[str]:
    with warnings.catch_warnings():
        # Tables and other files beside the arrays are none of our business.
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        return sorted(str(key) for key in group)[:8]
