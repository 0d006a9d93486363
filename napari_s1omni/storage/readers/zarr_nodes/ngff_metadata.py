"""Check the metadata of an OME-Zarr 0.4 or 0.5 image: version, axes, levels and transformations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.axis_names import name_axes

_VERSIONS = ("0.4", "0.5")


@dataclass(frozen=True, slots=True)
class Multiscale:
    """The first multiscale image of a group."""

    uri: str
    """The group, for messages."""
    names: tuple[str, ...]
    """Name of each axis, in stored order."""
    kinds: tuple[str | None, ...]
    """Type of each axis, such as ``space``."""
    axis_units: tuple[str | None, ...]
    """Unit of each axis."""
    datasets: Sequence[Mapping[str, Any]]
    """Metadata of each level, full resolution first."""
    common: Sequence[Mapping[str, Any]]
    """Transformations of all levels, applied after those of the level."""
    key: str = "multiscales[0]"
    """Where its metadata stands, for messages."""
    axes: str = ""
    """Letter of each axis (:mod:`napari_s1omni.storage.axis_names`); empty until :meth:`with_letters`."""
    labels: tuple[str, ...] = ()
    """Name of each axis, with its type if the two do not fit, for messages; empty until :meth:`with_letters`."""

    @classmethod
    def read(cls, attributes: Mapping[str, Any], uri: str, notes: list[str], index: int | None = None) -> Multiscale:
        """Read the attributes of a group that has the key ``multiscales``.

        Parameters
        ----------
        attributes : mapping
            The OME-Zarr attributes of the group.
        uri : str
            Path or URI of the group, for messages.
        notes : list of str
            Gets a note if one image of several is read.
        index : int, optional
            Number of the image; left out, the first is read.

        Raises
        ------
        SourceError
            If a key is missing or wrong, or the version is not supported.
        """
        image = _chosen(attributes["multiscales"], f"{uri}, key multiscales", notes, index)
        key = f"multiscales[{index or 0}]"
        _check_version(uri, image, attributes)
        names, kinds, units = _axes(image, uri, notes)
        datasets = image.get("datasets")
        if not isinstance(datasets, list) or not datasets or not all(isinstance(d, dict) for d in datasets):
            raise SourceError(
                f"{uri}, key {key}.datasets: {str(datasets)[:80]}",
                "it is a list with at least one level, each with a path",
                "write the metadata again",
            )
        return cls(uri, names, kinds, units, datasets, image.get("coordinateTransformations") or (), key)

    def with_letters(self, shape: Sequence[int], notes: list[str]) -> Self:
        """Return a copy with the letters of its axes, which depend on the shape of a level too."""
        named = name_axes(self.names, shape, self.kinds)
        notes.extend(named.notes)
        return replace(self, axes=named.letters, labels=named.names)

    @property
    def units(self) -> dict[str, str]:
        """Unit per axis letter, where one is given."""
        return {letter: unit for letter, unit in zip(self.axes, self.axis_units, strict=True) if unit}

    def has_scale(self, level: int | None) -> bool:
        """Whether a level, or the image if it is None, says how large a pixel is."""
        steps = self.common if level is None else self.datasets[level].get("coordinateTransformations") or ()
        return isinstance(steps, list) and any(
            isinstance(step, dict) and step.get("type") in ("scale", "identity") for step in steps
        )

    def transform(self, level: int) -> tuple[dict[str, float], dict[str, float]]:
        """Return scale and translation of a level per axis: its own transformations, then the common ones."""
        scale, translate = [1.0] * len(self.axes), [0.0] * len(self.axes)
        for steps, where in (
            (
                self.datasets[level].get("coordinateTransformations") or (),
                f"{self.key}.datasets[{level}].coordinateTransformations",
            ),
            (self.common, f"{self.key}.coordinateTransformations"),
        ):
            if not isinstance(steps, list | tuple) or not all(isinstance(step, dict) for step in steps):
                raise SourceError(
                    f"{self.uri}, key {where}: {str(steps)[:80]}",
                    "it is a list of transformations such as {'type': 'scale', 'scale': [1, 0.5, 0.5]}",
                    "correct the metadata",
                )
            for i, step in enumerate(steps):
                kind, key = step.get("type"), f"{self.uri}, key {where}[{i}]"
                if kind == "scale":
                    factors = _numbers(step.get("scale"), self.axes, f"{key}.scale")
                    _check_positive(factors, self.axes, f"{key}.scale")
                    scale = [s * f for s, f in zip(scale, factors, strict=True)]
                    translate = [t * f for t, f in zip(translate, factors, strict=True)]
                elif kind == "translation":
                    shifts = _numbers(step.get("translation"), self.axes, f"{key}.translation")
                    translate = [t + s for t, s in zip(translate, shifts, strict=True)]
                elif kind != "identity":
                    raise SourceError(
                        f"{key}.type: {kind!r}",
                        "it is scale, translation or identity",
                        "resample the image to a grid along its axes",
                    )
        return dict(zip(self.axes, scale, strict=True)), dict(zip(self.axes, translate, strict=True))

    def places(self, level: int) -> bool:
        """Whether the metadata of a level state a position."""
        steps = (*(self.datasets[level].get("coordinateTransformations") or ()), *self.common)
        return any(step.get("type") == "translation" for step in steps)


def ome_attributes(group: Any) -> Mapping[str, Any]:
    """Return the OME-Zarr attributes of a zarr group: under ``ome`` in 0.5, at the top in 0.4."""
    attributes = dict(group.attrs)
    inside = attributes.get("ome")
    return inside if isinstance(inside, dict) and (len(inside) > 1 or "multiscales" not in attributes) else attributes


def find_level(group: Any, path: str) -> tuple[int, int] | None:
    """Return the number of the image and of the level that a path inside a group is; None if it is none."""
    images = ome_attributes(group).get("multiscales")
    for i, image in enumerate(images if isinstance(images, list) else ()):
        try:
            paths = [level_path(dataset) for dataset in image["datasets"]]
            if path in paths and isinstance(image["axes"][0], dict):
                return i, paths.index(path)
        except (KeyError, IndexError, TypeError):
            continue
    return None


def level_path(dataset: Any) -> str | None:
    """Return the path of a level without superfluous slashes and dots; None if it has none."""
    path = dataset.get("path") if isinstance(dataset, dict) else None
    if not isinstance(path, str):
        return None
    return "/".join(part for part in path.split("/") if part not in ("", ".")) or None


def channel_names(attributes: Mapping[str, Any], notes: list[str]) -> tuple[str, ...]:
    """Return the channel names of the key ``omero``; empty if no channel has one.

    Channels without a name are numbered if others have one, and noted.
    """
    omero = attributes.get("omero")
    channels = omero.get("channels") if isinstance(omero, dict) else None
    if channels is None:
        return ()
    if not isinstance(channels, list) or not all(isinstance(c, dict) for c in channels):
        notes.append("the key omero.channels is no list of channels; their names are not read")
        return ()
    names = [str(c["label"]).strip() if c.get("label") is not None else "" for c in channels]
    if not any(names):
        return ()
    without = [i for i, name in enumerate(names) if not name]
    if without:
        notes.append(f"channels {', '.join(map(str, without))} have no name and are called by their number")
    return tuple(name or f"channel {i}" for i, name in enumerate(names))


def _chosen(images: Any, where: str, notes: list[str], index: int | None) -> Mapping[str, Any]:
    i = index or 0
    if not isinstance(images, list) or not images or not isinstance(images[i], dict):
        raise SourceError(
            f"{where}: {str(images)[:80]}",
            "it is a list with one multiscale image",
            "write the metadata again, or give the path of one array inside, with axes",
        )
    if len(images) > 1 and index is None:
        names = [str(image.get("name") or i) if isinstance(image, dict) else str(i) for i, image in enumerate(images)]
        notes.append(
            f"the first of {len(images)} multiscale images ({', '.join(names)}) is read; give the path of a level to "
            "read another one"
        )
    found: Mapping[str, Any] = images[i]
    return found


def _check_version(uri: str, image: Mapping[str, Any], attributes: Mapping[str, Any]) -> None:
    version = str(image.get("version") or attributes.get("version") or "")
    axes = image.get("axes")
    old = not isinstance(axes, list) or not axes or not all(isinstance(a, dict) for a in axes)
    if version.startswith(_VERSIONS) and not old:
        return
    if version and not version.startswith(_VERSIONS) and version > "0.5":
        raise SourceError(
            f"{uri}, key multiscales[0].version: {version}",
            f"OME-Zarr {' and '.join(_VERSIONS)} can be read",
            "update this package",
        )
    if not version and not old:
        return
    datasets = image.get("datasets")
    level = (level_path(datasets[0]) if isinstance(datasets, list) and datasets else None) or "0"
    raise SourceError(
        f"{uri} is OME-Zarr {version or 'without a version'}, key multiscales[0].axes: {axes!r}",
        f"OME-Zarr {' and '.join(_VERSIONS)} can be read; their axes are objects with name, type and unit",
        f"convert it (open it with ome-zarr-py and write it with write_image), or open its array "
        f"{uri}/{level} and give axes and scale",
        version=version,
    )


def _axes(
    image: Mapping[str, Any], uri: str, notes: list[str]
) -> tuple[tuple[str, ...], tuple[str | None, ...], tuple[str | None, ...]]:
    """Return name, type and unit of each axis."""
    axes = image["axes"]
    names = tuple(str(axis.get("name") or "") for axis in axes)
    for i, name in enumerate(names):
        if not name:
            raise SourceError(
                f"{uri}, key multiscales[0].axes[{i}]: no name",
                "each axis has a name such as 'z'",
                "write the metadata again",
            )
        unit = axes[i].get("unit")
        if unit is not None and not isinstance(unit, str):
            notes.append(f"the unit of axis {name} is {str(unit)[:40]}, which is no text; it is not read")
    kinds, units = (
        tuple(axis[key] if isinstance(axis.get(key), str) else None for axis in axes) for key in ("type", "unit")
    )
    return names, kinds, units


def _numbers(value: Any, axes: str, where: str) -> Sequence[float]:
    if (
        not isinstance(value, list)
        or len(value) != len(axes)
        or not all(isinstance(v, int | float) and math.isfinite(v) for v in value)
    ):
        raise SourceError(
            f"{where}: {value!r}",
            f"it has one number for each of the axes '{axes}', all finite",
            "correct the metadata",
        )
    return [float(v) for v in value]


def _check_positive(scale: Sequence[float], axes: str, where: str) -> None:
    for axis, value in zip(axes, scale, strict=True):
        if not 0 < value < float("inf"):
            raise SourceError(
                f"{where}: {value} along {axis}",
                "a pixel size is finite and above 0",
                "correct the metadata, or open the array by its path",
            )
