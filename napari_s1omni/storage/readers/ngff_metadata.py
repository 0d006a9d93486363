"""Check the metadata of an OME-Zarr 0.4 or 0.5 image: version, axes, levels and transformations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_s1omni.errors import SourceError

_VERSIONS = ("0.4", "0.5")
_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


@dataclass(frozen=True, slots=True)
class Multiscale:
    """The first multiscale image of a group."""

    uri: str
    """The group, for messages."""
    axes: str
    """First letter of each axis, in stored order."""
    units: Mapping[str, str]
    """Unit per axis, where one is given."""
    datasets: Sequence[Mapping[str, Any]]
    """Metadata of each level, full resolution first."""
    common: Sequence[Mapping[str, Any]]
    """Transformations of all levels, applied after those of the level."""

    @classmethod
    def read(cls, attributes: Mapping[str, Any], uri: str, notes: list[str]) -> Multiscale:
        """Read the attributes of a group that has the key ``multiscales``; `notes` says which image is read.

        Raises
        ------
        SourceError
            If a key is missing or wrong, or the version is not supported.
        """
        image = _first(attributes["multiscales"], f"{uri}, key multiscales", notes)
        _check_version(uri, image, attributes)
        axes, units = _axes(image, uri)
        datasets = image.get("datasets")
        if not isinstance(datasets, list) or not datasets:
            raise SourceError(
                f"{uri}, key multiscales[0].datasets: {datasets!r}", "it is a list with at least one level"
            )
        return cls(uri, axes, units, datasets, image.get("coordinateTransformations") or ())

    def transform(self, level: int) -> tuple[dict[str, float], dict[str, float]]:
        """Return scale and translation of a level per axis: its own transformations, then the common ones."""
        scale, translate = [1.0] * len(self.axes), [0.0] * len(self.axes)
        for steps, where in (
            (
                self.datasets[level].get("coordinateTransformations") or (),
                f"multiscales[0].datasets[{level}].coordinateTransformations",
            ),
            (self.common, "multiscales[0].coordinateTransformations"),
        ):
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
    return inside if isinstance(inside, dict) else attributes


def level_paths(group: Any) -> list[str]:
    """Return the paths of the levels of a group's first multiscale image; empty if it has none."""
    try:
        image = ome_attributes(group)["multiscales"][0]
        return [d["path"] for d in image["datasets"]] if isinstance(image["axes"][0], dict) else []
    except (KeyError, IndexError, TypeError):
        return []


def channel_names(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the channel names of the key ``omero``; empty unless every channel has one."""
    omero = attributes.get("omero")
    channels = omero.get("channels") if isinstance(omero, dict) else None
    if not isinstance(channels, list):
        return ()
    names = tuple(str(c.get("label", "")) if isinstance(c, dict) else "" for c in channels)
    return names if all(names) else ()


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
            f"OME-Zarr {' and '.join(_VERSIONS)} can be read",
            "update this package",
        )
    if not version and not old:
        return
    level = image.get("datasets", [{}])[0].get("path", "0") if image.get("datasets") else "0"
    raise SourceError(
        f"{uri} is OME-Zarr {version or 'without a version'}, key multiscales[0].axes: {axes!r}",
        f"OME-Zarr {' and '.join(_VERSIONS)} can be read; their axes are objects with name, type and unit",
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


def _numbers(value: Any, axes: str, where: str) -> Sequence[float]:
    if not isinstance(value, list) or len(value) != len(axes) or not all(isinstance(v, int | float) for v in value):
        raise SourceError(
            f"{where}: {value!r}", f"it has one number for each of the axes '{axes}'", "correct the metadata"
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
