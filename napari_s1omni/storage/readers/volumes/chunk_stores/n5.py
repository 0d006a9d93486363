"""Read N5, in a folder or behind a URL: each dataset, or group of levels ``s0, s1, ...``, is one image."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_s1omni.core.paths import is_url, name_in
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.files.remote import list_remote
from napari_s1omni.storage.readers.file_format import FormatInfo, ImageHeader
from napari_s1omni.storage.readers.raw_image import RawImage
from napari_s1omni.storage.readers.volumes.chunk_stores.n5_axes import N5Meaning, n5_meaning
from napari_s1omni.storage.readers.volumes.chunk_stores.store_places import absent_chunks, plain_place
from napari_s1omni.storage.readers.volumes.chunk_stores.tensor_store import TensorPixels, open_tensor, read_document
from napari_s1omni.storage.readers.volumes.headers import make_header
from napari_s1omni.storage.readers.volumes.levels import fitting_levels
from napari_s1omni.storage.readers.volumes.views import big_data_viewer

_DOCUMENT = "attributes.json"
_LEVEL = re.compile(r"s(\d+)")
_MOST_LEVELS = 32
_DEEPEST = 12
"""Groups inside each other that are searched."""


@dataclass(frozen=True, slots=True)
class _Node:
    """An image: one dataset, or the levels of a group."""

    name: str
    levels: tuple[str, ...]
    """Paths of the datasets, full resolution first; empty for the place itself."""
    attributes: tuple[Mapping[str, Any], ...]
    """Attributes of the finest dataset, then of its group."""

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(int(n) for n in reversed(self.attributes[0]["dimensions"]))

    @property
    def meaning(self) -> N5Meaning:
        return n5_meaning(self.attributes, self.shape)


def describe() -> FormatInfo:
    """Describe the format; its stores are folders."""
    return FormatInfo("N5", (), "tensorstore", "Apache-2.0", "volumes", "stores that tensorstore writes")


def list_images(where: Path | str) -> Sequence[ImageHeader]:
    """List the datasets of a store or group."""
    if xml := _views(where):
        return big_data_viewer.list_images(xml)
    headers = []
    for node in _nodes(where):
        meaning = node.meaning
        axes = meaning.axes.letters if meaning.axes else None
        dtype = np.dtype(str(node.attributes[0].get("dataType", "uint8")))
        levels = len(node.levels) or 1
        headers.append(make_header(node.name, node.shape, dtype, axes, meaning.scale, meaning.units, levels=levels))
    return headers


def read_image(where: Path | str, number: int) -> RawImage:
    """Return a dataset with its levels."""
    if xml := _views(where):
        return big_data_viewer.read_image(xml, number)
    node = _nodes(where)[number]
    place, meaning = plain_place(where), node.meaning
    axes = meaning.axes.letters if meaning.axes else None
    pixels = []
    for level in node.levels or ("",):
        at = f"{place.rstrip('/')}/{level}".rstrip("/")
        pixels.append(TensorPixels.of(open_tensor("n5", at), f"N5 array {at}", axes or ""))
    finest = pixels[0]
    notes = [*meaning.notes, *(meaning.axes.notes if meaning.axes else ())]
    if not meaning.scale:
        notes.append(f"{node.name} has no pixel size; give scale and units")
    coarser = fitting_levels(axes or "", finest, pixels[1:], notes)
    is_labels = _is_labels(node.attributes) and finest.dtype.kind in "iu"
    if not is_labels:
        notes += absent_chunks(finest, place, node.levels[0] if node.levels else "", nested=True)
    return RawImage(
        pixels=finest,
        axes=axes,
        chunks=finest.chunks,
        scale=meaning.scale,
        translate=meaning.translate,
        units=meaning.units,
        kind="labels" if is_labels else "image",
        coarser=coarser,
        notes=tuple(notes),
        axis_names=meaning.axes.names if meaning.axes else (),
    )


def _views(where: Path | str) -> Path | None:
    """Return the XML of BigDataViewer beside a store of its views."""
    if is_url(str(where)):
        return None
    folder = Path(where)
    xml = folder.with_suffix(".xml")
    return xml if (folder / "setup0").is_dir() and xml.is_file() else None


def _is_labels(attributes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether Paintera keeps object ids here."""
    kinds = [one.get("painteraData") for one in attributes]
    return any(isinstance(kind, Mapping) and kind.get("type") == "label" for kind in kinds) or any(
        "maxId" in one for one in attributes
    )


def _nodes(where: Path | str) -> tuple[_Node, ...]:
    place = plain_place(where)
    if is_url(place):
        return _found(place)
    state = os.stat(place)
    return _found_at(place, state.st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _found_at(place: str, modified: int) -> tuple[_Node, ...]:
    """Search a folder once, since its images are read one by one."""
    return _found(place)


def _found(place: str) -> tuple[_Node, ...]:
    nodes = tuple(_search(place, "", None, 0))
    if not nodes:
        raise SourceError(
            f"{place} holds no N5 dataset that can be read",
            "a dataset has an attributes.json with dimensions, blockSize and dataType",
            "give the path of a dataset inside" if is_url(place) else "check the folder",
            path=place,
        )
    return nodes


def _search(place: str, path: str, above: Mapping[str, Any] | None, depth: int) -> Iterator[_Node]:
    at = f"{place.rstrip('/')}/{path}".rstrip("/")
    attributes = read_document(at, _DOCUMENT)
    if attributes is not None and "dimensions" in attributes:
        _check(attributes, at)
        yield _Node(path or name_in(place), (path,) if path else (), (attributes, above or {}))
        return
    if depth > _DEEPEST:
        return
    inside = _inside(at)
    levels = sorted((int(found[1]), name) for name in inside if (found := _LEVEL.fullmatch(name)))
    datasets = [(name, read_document(f"{at}/{name}", _DOCUMENT)) for _, name in levels]
    sized = [(name, one) for name, one in datasets if one is not None and "dimensions" in one]
    if sized and sized[0][0] == "s0":
        _check(sized[0][1], f"{at}/s0")
        paths = tuple(f"{path}/{name}".lstrip("/") for name, _ in sized)
        yield _Node(path or name_in(place), paths, (sized[0][1], attributes or {}, above or {}))
        inside = [name for name in inside if not _LEVEL.fullmatch(name)]
    for name in inside:
        yield from _search(place, f"{path}/{name}".lstrip("/"), attributes, depth + 1)


def _inside(at: str) -> list[str]:
    """Return the names of the folders in a group; of a server that lists none, the levels that it has."""
    if not is_url(at):
        with os.scandir(at) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    listed = list_remote(at)
    if listed is not None:
        return [name for name in listed if "." not in name]
    found: list[str] = []
    for level in range(_MOST_LEVELS):
        if read_document(f"{at}/s{level}", _DOCUMENT) is None:
            break
        found.append(f"s{level}")
    return found


def _check(attributes: Mapping[str, Any], at: str) -> None:
    sizes = attributes.get("dimensions")
    if not isinstance(sizes, list) or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise SourceError(
            f"{at}/{_DOCUMENT}, key dimensions: {str(sizes)[:80]}",
            "it is a list of numbers of pixels above 0",
            "copy it again",
            path=at,
        )
    if attributes.get("isLabelMultiset"):
        raise SourceError(
            f"{at} holds label multisets of Paintera",
            "labels are one number per pixel",
            "export them in Paintera as scalar labels",
            path=at,
        )
