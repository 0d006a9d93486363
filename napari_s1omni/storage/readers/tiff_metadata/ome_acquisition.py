"""How an image was acquired, from the OME-XML of an OME-TIFF."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from napari_s1omni.core.acquisition import Acquisition, Channel
from napari_s1omni.core.sizes.lengths import METRES, UM
from napari_s1omni.core.units import unit_name


def ome_acquisition(root: ElementTree.Element, pixels: ElementTree.Element) -> Acquisition:
    """Return what OME-XML says of microscope, time and channels of one image; what it does not say is left out.

    Parameters
    ----------
    root : Element
        The whole description.
    pixels : Element
        The ``Pixels`` of the image.
    """
    image = next((e for e in _all(root, "Image") if any(child is pixels for child in e)), root)
    settings = _first(image, "ObjectiveSettings")
    lens = None if settings is None else _by_id(root, "Objective", settings.attrib.get("ID", ""))
    if lens is None and len(lenses := list(_all(root, "Objective"))) == 1:
        lens = lenses[0]
    return Acquisition(
        channels=tuple(_channel(e) for e in pixels if _tag(e) == "Channel"),
        date=_text(image, "AcquisitionDate"),
        instrument=_instrument(root, image),
        objective="" if lens is None else _joined(lens, "Manufacturer", "Model"),
        magnification=None if lens is None else _number(lens, "NominalMagnification"),
        numerical_aperture=None if lens is None else _number(lens, "LensNA"),
        bit_depth=_whole(pixels, "SignificantBits"),
        stage=_stage(image),
    )


def _channel(element: ElementTree.Element) -> Channel:
    return Channel(
        name=element.attrib.get("Name", ""),
        color=_color(element.attrib.get("Color", "")),
        emission=_nanometres(element, "EmissionWavelength"),
        excitation=_nanometres(element, "ExcitationWavelength"),
    )


def _color(text: str) -> str:
    """Return RRGGBB of a signed number RRGGBBAA; the default, white, is no colour of its own."""
    try:
        number = int(text) & 0xFFFFFFFF
    except ValueError:
        return ""
    return f"{number >> 8:06X}" if number != 0xFFFFFFFF else ""


def _nanometres(element: ElementTree.Element, key: str) -> float | None:
    value = _number(element, key)
    metres = METRES.get(unit_name(element.attrib.get(f"{key}Unit", "nm")) or "")
    return None if value is None or metres is None else float(f"{value * metres * 1e9:.9g}")


def _instrument(root: ElementTree.Element, image: ElementTree.Element) -> str:
    chosen = _first(image, "InstrumentRef")
    found = None if chosen is None else _by_id(root, "Instrument", chosen.attrib.get("ID", ""))
    scope = _first(root if found is None else found, "Microscope")
    return "" if scope is None else _joined(scope, "Manufacturer", "Model")


def _stage(image: ElementTree.Element) -> tuple[float | None, float | None, float | None]:
    label = _first(image, "StageLabel")
    if label is None:
        return None, None, None
    found = []
    for axis in "ZYX":
        value, micrometres = _number(label, axis), UM.get(unit_name(label.attrib.get(f"{axis}Unit", "")) or "")
        found.append(None if value is None or micrometres is None else value * micrometres)
    return found[0], found[1], found[2]


def _joined(element: ElementTree.Element, *keys: str) -> str:
    return " ".join(text for key in keys if (text := element.attrib.get(key, "").strip()))


def _number(element: ElementTree.Element, key: str) -> float | None:
    try:
        value = float(element.attrib[key])
    except (KeyError, ValueError):
        return None
    return value if 0 < abs(value) < float("inf") or value == 0 else None


def _whole(element: ElementTree.Element, key: str) -> int | None:
    value = _number(element, key)
    return None if value is None or value < 1 else int(value)


def _text(element: ElementTree.Element, tag: str) -> str:
    found = _first(element, tag)
    return "" if found is None else (found.text or "").strip()


def _by_id(root: ElementTree.Element, tag: str, wanted: str) -> ElementTree.Element | None:
    return next((e for e in _all(root, tag) if e.attrib.get("ID") == wanted), None)


def _first(element: ElementTree.Element, tag: str) -> ElementTree.Element | None:
    return next(_all(element, tag), None)


def _all(element: ElementTree.Element, tag: str) -> Iterator[ElementTree.Element]:
    return (e for e in element.iter() if _tag(e) == tag)


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
