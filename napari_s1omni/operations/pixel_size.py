"""Sizes in pixels of a layer: lengths and areas with a unit, and the object size that a prompt states."""

from __future__ import annotations

from napari_s1omni.core.sizes.lengths import UM, length_unit
from napari_s1omni.core.sizes.object_size import object_size_in_words
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import read_size
from napari_s1omni.errors import PlanError


def pixel_um(spec: LayerSpec) -> float | None:
    """Return the edge of a pixel in um, the mean of y and x, or None if the unit is not a length."""
    sides = _sides_um(spec)
    return None if sides is None else sum(sides) / 2


def _sides_um(spec: LayerSpec) -> tuple[float, float] | None:
    """Return height and width of a pixel in um, or None if a unit is not a length."""
    y, x = (UM.get(length_unit(spec.unit_of(a) or "") or "") for a in "yx")
    return None if y is None or x is None else (spec.scale_of("y") * y, spec.scale_of("x") * x)


def plane_distance(spec: LayerSpec) -> float | None:
    """Return the distance of the planes of a stack in px of a plane, or None if it is not known.

    A pixel size without units counts if it differs from 1, the size that stands for an unknown one.
    """
    sizes = [spec.scale_of(axis) for axis in "zyx"]
    factors = [UM.get(length_unit(spec.unit_of(axis) or "") or "") for axis in "zyx"]
    if not any(spec.unit_of(axis) for axis in "zyx"):
        factors = [1.0] * 3 if sizes != [1.0] * 3 else factors
    if None in factors:
        return None
    z, y, x = (size * (factor or 0) for size, factor in zip(sizes, factors, strict=True))
    return 2 * z / (y + x)


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
    name_of_unit, sides = length_unit(unit), _sides_um(spec)
    if name_of_unit is None or sides is None:
        raise PlanError(
            f"{name} {value!r} for {spec.source or 'the layer'}, whose pixels "
            + (f"measure {sum(sides) / 2:g} um" if sides else "have no unit of length"),
            "allowed units are px and lengths such as nm, um, mm, inch"
            if sides
            else "without a pixel size only px is allowed",
            "use px" if sides else "use px, or set the pixel size with scale and units",
        )
    return number * UM[name_of_unit] ** power / (sum(sides) / 2 if power == 1 else sides[0] * sides[1])


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
        A prompt such as ``"segment the nuclei, about 10 um"``, in English, German, French, Spanish, Portuguese or
        Chinese. A range gives its middle, a radius is doubled, an area gives the diameter of a circle. Limits,
        distances, thicknesses, pixel sizes and wavelengths are not used, nor what may have two meanings.
    spec : LayerSpec
        The layer, with its pixel size in ``scale`` and ``units``.

    Returns
    -------
    float or None
        Diameter in px; None if the prompt states no size, or states a length and the layer has no pixel size. The
        notes of a plan say which size was understood, and why another one is not used.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_s1omni
    >>> spec = napari_s1omni.open_source(np.zeros((64, 64)), scale=0.5, units="um").spec
    >>> napari_s1omni.object_size("segment the nuclei, about 10 um", spec)
    20.0
    """
    return object_size_in_words(request, pixel_um(spec)).pixels
