"""OME-XML of an OME-TIFF: where it is, and the pixel size, units and channel names in it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from napari_s1omni.storage.readers.tiff_metadata.ome_acquisition import ome_acquisition
from napari_s1omni.storage.readers.tiff_metadata.stored_sizes import StoredSizes

_SIZES = (
    ("z", "PhysicalSizeZ", "µm"),
    ("y", "PhysicalSizeY", "µm"),
    ("x", "PhysicalSizeX", "µm"),
    ("t", "TimeIncrement", "s"),
)
"""Axis, attribute, and the unit that the standard assumes."""


def ome_sizes(text: str, series: Any, number: int, notes: list[str]) -> StoredSizes | None:
    """Return pixel size, units and channel names of a series, image `number` of the file; None if the XML is broken."""
    try:
        root, images = _images(text)
    except ElementTree.ParseError as error:
        notes.append(f"the OME-XML is broken ({error}); axes, pixel size and channel names in it are lost")
        return None
    found = _pixels(images, series, number)
    if found is None:
        notes.append(
            "the OME-XML describes no image of this size; pixel size, units and channel names in it are not used"
        )
        return None
    sizes = StoredSizes()
    for axis, key, unit in _SIZES:
        if key in found.attrib:
            sizes.add(axis, found.attrib[key], found.attrib.get(f"{key}Unit", unit), key)
    channels = [element for element in found if _tag(element) == "Channel"]
    names = tuple(element.attrib.get("Name", "") for element in channels)
    sizes.channel_names = names if any(names) else ()
    sizes.acquisition = ome_acquisition(root, found)
    return sizes


def stored_utf16(tiff: Any) -> str | None:
    """Return the OME-XML of a first page that holds it in UTF-16; tifffile reads one letter of it."""
    tag = tiff.pages.first.tags.get("ImageDescription") if len(tiff.pages) else None
    if tag is None or tag.count < 20:
        return None
    handle = tiff.filehandle
    handle.seek(tag.valueoffset)
    raw = handle.read(tag.count)
    if b"\0" not in raw[:8]:
        return None
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        text: str = raw.decode(encoding, errors="ignore").strip("\0 \r\n\t\ufeff")
        if text.startswith("<") and text.endswith("OME>"):
            return text
    return None


def companion_xml(tiff: Any, path: Path, notes: list[str]) -> str | None:
    """Return the OME-XML of the other file that the one in this file refers to, if there is one."""
    try:
        root = ElementTree.fromstring(tiff.ome_metadata or "")
    except ElementTree.ParseError:
        return None
    refers = next((element for element in root if _tag(element) == "BinaryOnly"), None)
    if refers is None:
        return None
    name = refers.attrib.get("MetadataFile", "")
    companion = path.parent / Path(name).name
    try:
        text = companion.read_bytes()
        if name and companion.suffix.lower() in (".ome", ".xml"):
            return ElementTree.tostring(ElementTree.fromstring(text), encoding="unicode")
    except (OSError, ElementTree.ParseError):
        pass
    notes.append(f"axes and pixel size are in another file, {name or 'without a name'}, which cannot be read beside it")
    return None


@functools.lru_cache(maxsize=2)
def _images(text: str) -> tuple[ElementTree.Element, tuple[ElementTree.Element, ...]]:
    """Return the whole description and the Pixels of each image; a file of thousands is asked about each of them."""
    root = ElementTree.fromstring(text)
    return root, tuple(e for e in root.iter() if _tag(e) == "Pixels")


def _pixels(images: Sequence[ElementTree.Element], series: Any, number: int) -> ElementTree.Element | None:
    """Return the Pixels of a series: the one at its place if all images are there, else the one of its size."""
    if number < len(images) and _fits(images[number], series):
        return images[number]
    return next((e for e in images if _fits(e, series)), None)


def _fits(pixels: ElementTree.Element, series: Any) -> bool:
    sizes = dict(zip(series.axes, series.shape, strict=True))
    return all(pixels.attrib.get(f"Size{axis}", str(sizes.get(axis))) == str(sizes.get(axis)) for axis in "YX")


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
