"""Pixel size and channel names in the descriptions that slide scanners write."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from napari_s1omni.storage.readers.tiff_metadata.stored_sizes import StoredSizes

_MPP = re.compile(r"\|\s*MPP\s*=\s*([^|\s]+)")
_SCAN_RES = re.compile(r"ScanRes\s*=\s*\"([^\"]+)\"")
_NAME = re.compile(r"<Name>([^<]+)</Name>")
_FLEX_SIZE = re.compile(r"<ImageResolution([XY])[^>]*>\s*([-+.\dEe]+)\s*<")
_FLEX_TAG = 65200
_XMP = 700


def read_scanner(tiff: Any, series: Any, sizes: StoredSizes) -> None:
    """Add what a slide scanner says about the pixels of its main image; nothing for its labels and overviews."""
    page = series.keyframe
    if "Aperio" in page.description[:20] or _MPP.search(page.description):
        if page.index == 0:
            _add(sizes, "xy", _MPP, page.description, "MPP")
        return
    for flag, read in _READERS.items():
        if getattr(tiff, f"is_{flag}", False):
            read(tiff, series, sizes)
            return
    text = page.tags.valueof(_FLEX_TAG)
    if text is not None:
        for axis, value in _FLEX_SIZE.findall(_text(text)):
            if axis.lower() not in sizes.scale:
                sizes.add(axis.lower(), float(value) * 1e6, "um", f"ImageResolution{axis}")


def _scn(tiff: Any, series: Any, sizes: StoredSizes) -> None:
    """Leica: the size of each image in nanometres, and in pixels."""
    for image in ElementTree.fromstring(tiff.scn_metadata).iter():
        parts = {part.tag.rpartition("}")[2]: part.attrib for part in image}
        pixels, view = parts.get("pixels", {}), parts.get("view", {})
        width, height = str(series.keyframe.imagewidth), str(series.keyframe.imagelength)
        if (pixels.get("sizeX"), pixels.get("sizeY")) == (width, height):
            for axis, key in (("x", "sizeX"), ("y", "sizeY")):
                if view.get(key):
                    sizes.add(axis, float(view[key]) / float(pixels[key]) / 1000, "um", f"view {key}")
            return


def _bif(tiff: Any, series: Any, sizes: StoredSizes) -> None:
    """Ventana and Roche: the resolution of the scan, in the XMP tag."""
    if series.name == "Baseline":
        for page in tiff.pages:
            text = _text(page.tags.valueof(_XMP) or "")
            if _SCAN_RES.search(text):
                _add(sizes, "xy", _SCAN_RES, text, "ScanRes")
                return


def _philips(tiff: Any, series: Any, sizes: StoredSizes) -> None:
    """Philips: DICOM_PIXEL_SPACING in millimetres, rows first."""
    for element in ElementTree.fromstring(tiff.philips_metadata).iter("Attribute"):
        if element.attrib.get("Name") == "DICOM_PIXEL_SPACING" and element.text and series.name == "Baseline":
            for axis, value in zip("yx", element.text.replace('"', "").split(), strict=False):
                sizes.add(axis, value, "mm", "DICOM_PIXEL_SPACING")
            return


def _qpi(_tiff: Any, series: Any, sizes: StoredSizes) -> None:
    """Akoya and PerkinElmer: the name of each channel; the pixel size is in the resolution tags."""
    pages = [page for page in series.pages if page is not None]
    names = [_NAME.search(page.description) for page in pages]
    if len(names) > 1 and all(names):
        sizes.channel_names = tuple(found.group(1) for found in names if found)


def _add(sizes: StoredSizes, axes: str, pattern: re.Pattern[str], text: str, name: str) -> None:
    found = pattern.search(text)
    for axis in axes if found else "":
        sizes.add(axis, found.group(1) if found else None, "um", name)


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


_READERS: dict[str, Callable[[Any, Any, StoredSizes], None]] = {
    "scn": _scn,
    "bif": _bif,
    "philips": _philips,
    "qpi": _qpi,
}
"""Flag of tifffile -> reader."""
