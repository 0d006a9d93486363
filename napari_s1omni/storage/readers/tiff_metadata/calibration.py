"""The size of a pixel in a TIFF: from its microscope, from ImageJ, or from the resolution tags."""

from __future__ import annotations

from typing import Any

from napari_s1omni.core.units import unit_name
from napari_s1omni.storage.readers.tiff_metadata.microscopes import read_microscope
from napari_s1omni.storage.readers.tiff_metadata.ome_xml import ome_sizes
from napari_s1omni.storage.readers.tiff_metadata.slide_scanners import read_scanner
from napari_s1omni.storage.readers.tiff_metadata.stored_sizes import StoredSizes

_UNITS = {2: "inch", 3: "centimeter", 4: "millimeter", 5: "micrometer"}
_NO_UNIT = 1
_NO_DATA = 42113
"""Tag of GDAL with the number of pixels that were not measured."""
_PER_INCH = {"inch": 1.0, "centimeter": 2.54, "millimeter": 25.4}
"""Dots per inch for one dot per unit, in units that printing uses."""
_PRINTED = (
    *(72, 75, 90, 96, 100, 120, 144, 150, 180, 192, 200, 220, 240, 300, 350, 360),
    *(400, 600, 720, 900, 1200, 1440, 2400, 4800),
)
"""Resolutions of screens, printers and scanners in dots per inch."""
_MISTAKEN = (72, 96, 150, 240, 300, 600, 1200)
"""The same, where a program wrote them per centimetre; none of them is a round pixel size."""
_COARSE = 10.0
"""Pixels larger than this in micrometres are unusual for a microscope, so they are noted."""
_MICROMETRES = {"inch": 25400.0, "centimeter": 1e4, "millimeter": 1e3, "micrometer": 1.0}


def read_sizes(tiff: Any, series: Any, notes: list[str]) -> StoredSizes:
    """Return pixel size, units and channel names of a series.

    Parameters
    ----------
    tiff : tifffile.TiffFile
    series : tifffile.TiffPageSeries
    notes : list of str
        Gets what was found and not used.
    """
    sizes = None
    if tiff.is_ome and tiff.ome_metadata:
        number = next(i for i, other in enumerate(tiff.series) if other is series)
        sizes = ome_sizes(tiff.ome_metadata, series, number, notes)
    if sizes is None:
        sizes = StoredSizes()
        if series.kind == "imagej":
            _imagej(tiff.imagej_metadata or {}, series, sizes)
        else:
            for read in (read_microscope, read_scanner):
                try:
                    read(tiff, series, sizes)
                except (LookupError, ValueError, TypeError, AttributeError, SyntaxError) as error:
                    notes.append(f"the description by the microscope cannot be understood ({error}); it is not used")
            if not sizes.scale and not tiff.is_imagej:
                _resolution_tags(series, sizes, trusted=bool(tiff.is_ndpi or tiff.is_qpi or tiff.is_scn))
    if tiff.is_geotiff:
        notes.append("its position on the map (GeoTIFF) is not used")
    if (missing := series.keyframe.tags.valueof(_NO_DATA)) is not None:
        notes.append(
            f"pixels of {str(missing).strip()} hold no data (GDAL) and are read as numbers; make them NaN first"
        )
    described = str(series.keyframe.description or "")
    if not tiff.is_ome and "http://www.openmicroscopy.org/Schemas/OME" in described:
        notes.append("the OME-XML is broken or cut off; axes, pixel size and channel names in it are lost")
    notes.extend(sizes.notes)
    return sizes


def _imagej(about: dict[str, Any], series: Any, sizes: StoredSizes) -> None:
    """ImageJ keeps one unit for all axes, and leaves out a distance of planes of 1."""
    unit = str(about.get("unit", "")).strip()
    dots = {axis: n for axis, n in _dots(series).items() if n > 0} if unit else {}
    if _is_printed(list(dots.values()), unit_name(unit)):
        # ImageJ takes the print resolution of a picture for its scale.
        sizes.notes.append(_print_note(dots, unit))
        unit, dots = "", {}
    per_axis = {"y": str(about.get("yunit", unit)), "x": unit, "z": str(about.get("zunit", unit))}
    for axis, n in dots.items():
        sizes.add(axis, 1 / n, per_axis[axis], f"resolution along {axis}")
    if "spacing" in about:
        sizes.add("z", about["spacing"], per_axis["z"], "the ImageJ spacing along z")
    elif unit_name(unit) and "Z" in series.axes:
        sizes.add("z", 1.0, per_axis["z"], "spacing")
        sizes.notes.append(f"no distance along z is given; ImageJ then means 1 {unit} (give scale if it is another)")
    if about.get("finterval"):
        sizes.add("t", about["finterval"], str(about.get("tunit", "sec")), "finterval")
    labels = tuple(str(label) for label in about.get("Labels", ()) or ())
    channels = series.shape[series.axes.index("C")] if "C" in series.axes else 1
    sizes.channel_names = labels if len(labels) == channels else ()


def _resolution_tags(series: Any, sizes: StoredSizes, *, trusted: bool) -> None:
    """Take the pixel size from XResolution and YResolution, unless it is for printing."""
    dots = _dots(series)
    unit = _UNITS.get(_tag(series, "ResolutionUnit", 2))
    # One dot per unit is what programs write that know no resolution; only those of a microscope count micrometers.
    if not dots or (unit != "micrometer" and all(round(n, 6) == 1 for n in dots.values())):
        return
    if unit is None:
        _aspect(dots, sizes)
        return
    if not trusted and _is_printed(list(dots.values()), unit):
        sizes.notes.append(_print_note(dots, unit))
        return
    for axis, n in dots.items():
        sizes.add(axis, 1 / n, unit, f"resolution along {axis}")
    widest = max(1 / n for n in dots.values()) * _MICROMETRES[unit]
    if widest > _COARSE and not trusted:
        sizes.notes.append(
            f"a pixel size of {widest:.4g} um is taken from the resolution tags; give scale if they are for printing"
        )


def _aspect(dots: dict[str, float], sizes: StoredSizes) -> None:
    """Without a unit, the resolution only says whether pixels are square."""
    most = max(dots.values())
    if len(dots) == 2 and abs(dots["x"] / dots["y"] - 1) > 1e-6:
        for axis, n in dots.items():
            sizes.add(axis, most / n, None, f"resolution along {axis}")
        sizes.notes.append("pixels are not square; their size has no unit in this file")


def _dots(series: Any) -> dict[str, float]:
    """Return the pixels per unit along y and x."""
    found = {}
    for axis, name in (("y", "YResolution"), ("x", "XResolution")):
        value = _tag(series, name, None)
        if value is not None and value[0] and value[1]:
            found[axis] = value[0] / value[1]
    return found


def _is_printed(dots: list[float], unit: str | None) -> bool:
    """Whether a resolution is that of a screen or a printer, in whole numbers per unit or exactly."""
    per_inch = _PER_INCH.get(unit or "")
    if per_inch is None or not dots:
        return False
    # Some programs divide by 2.54 and leave the unit at inches, or the other way round.
    other = {"inch": [n / 2.54 for n in _PRINTED], "centimeter": _MISTAKEN}.get(unit or "", ())
    expected = [n / per_inch for n in _PRINTED]
    return all(
        n == 1
        or any(abs(n - e) <= 0.5 and abs(n / e - 1) < 0.02 for e in expected)
        or any(abs(n / e - 1) < 1e-3 for e in other)
        for n in dots
    )


def _print_note(dots: dict[str, float], unit: str) -> str:
    shown = " x ".join(f"{n:.5g}" for n in dict.fromkeys(dots.values()))
    return f"{shown} dots per {unit} is a resolution for printing; no pixel size is taken from it"


def _tag(series: Any, name: str, default: Any) -> Any:
    page = series.keyframe
    return page.tags[name].value if name in page.tags else default
