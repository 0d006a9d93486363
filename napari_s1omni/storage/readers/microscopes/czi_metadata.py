"""What the XML of a CZI file says about channels, sizes, scenes and the microscope."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from xml.etree import ElementTree

from napari_s1omni.core.acquisition import Acquisition, Channel
from napari_s1omni.storage.readers.microscopes.time_points import add_times
from napari_s1omni.storage.readers.tiff_metadata.stored_sizes import StoredSizes

_WRITER = "pylibCZIrw"
_NO_PIXEL = 1e3
"""Micrometres that no pixel of a microscope has."""


@dataclass(frozen=True, slots=True)
class CziMetadata:
    """The metadata of a file."""

    sizes: StoredSizes
    """Pixel sizes in micrometres and the time step in seconds."""
    channels: Mapping[int, Channel] = field(default_factory=dict)
    """Channels by their number."""
    scenes: Mapping[int, str] = field(default_factory=dict)
    """Names of scenes by their number, such as ``B/3/P1`` for one in a well."""
    centres: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    """Where the stage was for a scene, (y, x) in micrometres."""
    acquisition: Acquisition = field(default_factory=Acquisition)
    """Date, objective and microscope."""


def read_metadata(xml: str) -> CziMetadata:
    """Read the XML; text that is no XML tells nothing, and is a note."""
    sizes = StoredSizes()
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        sizes.notes.append(f"the metadata are damaged ({error}): pixel size, names and channels are not known")
        return CziMetadata(sizes)
    image = root.find(".//Metadata/Information/Image")
    _add_pixel_size(root, sizes)
    times = _add_time_step(image, sizes)
    scenes, centres = _scenes(image)
    return CziMetadata(sizes, _channels(root, image), scenes, centres, _acquisition(root, image, times))


def _add_pixel_size(root: ElementTree.Element, sizes: StoredSizes) -> None:
    for distance in root.iterfind("./Metadata/Scaling/Items/Distance"):
        axis, text = distance.get("Id", "").lower(), distance.findtext("Value") or ""
        if axis not in ("x", "y", "z") or not text:
            continue
        try:
            # Metres; a decimal number keeps 3.2E-07 m exactly 0.32 um.
            size = float(Decimal(text.strip()).scaleb(6))
        except InvalidOperation:
            size = math.nan
        if size >= _NO_PIXEL and root.findtext("./Metadata/Information/Application/Name") == _WRITER:
            size = float(text)
            sizes.notes.append(
                f"the pixel size along {axis} is {text} m; {_WRITER} asks for micrometres, and {text} um is taken"
            )
        # The library writes 0 where its user gave no size.
        if size:
            sizes.add(axis, size, "micrometer", f"Scaling {axis.upper()}")


def _add_time_step(image: ElementTree.Element | None, sizes: StoredSizes) -> tuple[float, ...]:
    positions = None if image is None else image.find("./Dimensions/T/Positions")
    if positions is None:
        return ()
    offsets = (positions.findtext("./List/Offsets") or "").split()
    step = _number(positions, "./Interval/Increment")
    if step:
        sizes.add("t", step, "second", "Interval/Increment")
        return ()
    try:
        return add_times(sizes, [float(word) for word in offsets], "Offsets of T")
    except ValueError:
        sizes.notes.append("the times in the metadata are no numbers and are not read")
        return ()


def _channels(root: ElementTree.Element, image: ElementTree.Element | None) -> dict[int, Channel]:
    shown = {e.get("Id"): e for e in root.iterfind("./Metadata/DisplaySetting/Channels/Channel")}
    found = {}
    for i, element in enumerate([] if image is None else image.iterfind("./Dimensions/Channels/Channel")):
        # Channels keep their number in a file that holds a part of another.
        digits = (element.get("Id") or "").rpartition(":")[2]
        display = shown.get(element.get("Id"))
        color = element.findtext("Color") or (display.findtext("Color") if display is not None else "") or ""
        name = element.get("Name") or (display.get("Name") if display is not None else "") or ""
        found[int(digits) if digits.isdecimal() else i] = Channel(
            name,
            color.lstrip("#")[-6:].upper(),
            _number(element, "EmissionWavelength"),
            _number(element, "ExcitationWavelength"),
        )
    return found


def _scenes(image: ElementTree.Element | None) -> tuple[dict[int, str], dict[int, tuple[float, float]]]:
    names, centres = {}, {}
    for i, scene in enumerate([] if image is None else image.iterfind("./Dimensions/S/Scenes/Scene")):
        digits = scene.get("Index") or ""
        index = int(digits) if digits.isdecimal() else i
        shape = scene.find("Shape")
        well = (shape.get("Name") or "") if shape is not None else (scene.findtext("ArrayName") or "")
        names[index] = "/".join(part for part in (_well(well), scene.get("Name") or "") if part)
        x, _, y = (scene.findtext("CenterPosition") or "").partition(",")
        try:
            centres[index] = (float(y), float(x))
        except ValueError:
            continue
    return names, centres


def _well(name: str) -> str:
    """Return ``B/3`` for the well ``B3``; other names as they are."""
    letters = name.rstrip("0123456789")
    digits = name[len(letters) :]
    return f"{letters}/{int(digits)}" if digits and letters.isalpha() and len(letters) <= 2 else name


def _acquisition(root: ElementTree.Element, image: ElementTree.Element | None, times: tuple[float, ...]) -> Acquisition:
    if image is None:
        return Acquisition()
    about = root.find("./Metadata/Information")
    assert about is not None  # image lies in it
    lens = _referred(about, image, "./ObjectiveSettings/ObjectiveRef", "./Instrument/Objectives/Objective")
    stand = _referred(about, image, "./MicroscopeRef", "./Instrument/Microscopes/Microscope")
    place = image.find("./SpatialRelations/PixelToStageTransform//Translate")
    bits = image.findtext("ComponentBitCount") or ""
    model = None if lens is None else lens.findtext("./Manufacturer/Model")
    return Acquisition(
        date=image.findtext("AcquisitionDateAndTime") or about.findtext("./Document/CreationDate") or "",
        instrument="" if stand is None else stand.findtext("System") or stand.get("Name") or "",
        objective="" if lens is None else lens.get("Name") or model or "",
        magnification=None if lens is None else _number(lens, "NominalMagnification"),
        numerical_aperture=None if lens is None else _number(lens, "LensNA"),
        bit_depth=int(bits) if bits.isdecimal() else None,
        stage=(None, None, None) if place is None else (None, _float(place.get("Y")), _float(place.get("X"))),
        times=times,
    )


def _referred(
    about: ElementTree.Element, image: ElementTree.Element, reference: str, where: str
) -> ElementTree.Element | None:
    """Return the element that the image refers to, or the only one of its kind."""
    found = about.findall(where)
    element = image.find(reference)
    wanted = None if element is None else element.get("Id")
    return next((e for e in found if e.get("Id") == wanted), found[0] if len(found) == 1 else None)


def _number(element: ElementTree.Element, path: str) -> float | None:
    return _float(element.findtext(path))


def _float(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
