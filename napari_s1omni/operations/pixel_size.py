"""Sizes in pixels of a layer: lengths and areas with a unit, and the object size that a prompt states."""

from __future__ import annotations

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import read_size
from napari_s1omni.engine.instruction import UM, size_hint
from napari_s1omni.errors import PlanError


def pixel_um(spec: LayerSpec) -> float | None:
    """Return the edge of a pixel in um, the mean of y and x, or None if the unit is not a length."""
    units = [UM.get((spec.unit_of(a) or "").lower()) for a in "yx"]
    if any(u is None for u in units):
        return None
    return sum(spec.scale_of(a) * (u or 0.0) for a, u in zip("yx", units, strict=True)) / 2


def size_in_px(value: int | str, spec: LayerSpec, name: str, power: int = 1) -> float:
    """Convert a length or an area to pixels of `spec`.

    Parameters
    ----------
    value : int or str
        As :func:`napari_s1omni.core.units.read_size` takes it.
    spec : LayerSpec
    name : str
        Name of the option, for the error message.
    power : int
        1 for a length, 2 for an area in a plane.

    Raises
    ------
    PlanError
        If it has a unit and the layer has no pixel size, or the unit is unknown.
    """
    number, unit = read_size(value, power)
    if unit == "px":
        return number
    edge = pixel_um(spec)
    if unit.lower() not in UM or edge is None:
        raise PlanError(
            f"{name} {value!r} for {spec.source or 'the layer'}, whose pixels "
            + (f"measure {edge:g} um" if edge else "have no unit of length"),
            "allowed units are px, nm, um and mm" if edge else "without a pixel size only px is allowed",
            "use px" if edge else "use px, or set the pixel size with scale and units",
        )
    sides = [spec.scale_of(a) * UM[(spec.unit_of(a) or "").lower()] for a in "yx"]
    return number * UM[unit.lower()] ** power / (edge if power == 1 else sides[0] * sides[1])


def length_in_px(value: int | str, spec: LayerSpec, power: int = 1) -> float:
    """Convert a length, or an area, to pixels of a layer.

    Parameters
    ----------
    value : int or str
        Pixels such as ``20``; a length such as ``"12.5 um"``; an area such as ``"80 um2"``.
    spec : LayerSpec
        The layer, with its pixel size in ``scale`` and ``units``.
    power : int
        1 for a length, 2 for an area in a plane.

    Returns
    -------
    float
        Length in px, or area in px of a plane.

    Raises
    ------
    ValueError
        If `value` is not a length (or area).
    PlanError
        If it has a unit and the layer has no pixel size, or the unit is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_s1omni
    >>> spec = napari_s1omni.open_source(np.zeros((64, 64)), scale=0.5, units="um").spec
    >>> napari_s1omni.length_in_px("10 um", spec)
    20.0
    >>> napari_s1omni.length_in_px("80 um2", spec, power=2)
    320.0
    """
    return size_in_px(value, spec, "area" if power == 2 else "length", power)


def object_size(request: str, spec: LayerSpec) -> float | None:
    """Return the object diameter that a prompt states, in pixels of a layer.

    Parameters
    ----------
    request : str
        A prompt such as ``"segment the nuclei, about 10 um"``; a range gives its middle.
    spec : LayerSpec
        The layer, with its pixel size in ``scale`` and ``units``.

    Returns
    -------
    float or None
        Diameter in px; None if the prompt states no size, or states a length and the layer has no pixel size.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_s1omni
    >>> spec = napari_s1omni.open_source(np.zeros((64, 64)), scale=0.5, units="um").spec
    >>> napari_s1omni.object_size("segment the nuclei, about 10 um", spec)
    20.0
    """
    return size_hint(request, pixel_um(spec))
