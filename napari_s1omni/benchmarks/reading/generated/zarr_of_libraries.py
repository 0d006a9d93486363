"""OME-Zarr written by ome-zarr-py, ngio and bioio-ome-zarr."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import zarr

from napari_s1omni.benchmarks.reading.generated.draws import Draws, Made, written

_TYPES = {"t": "time", "c": "channel"}


def ome_zarr_py(folder: Path, draws: Draws) -> Made:
    """Write with ome-zarr-py: axes with units, sizes and positions per level."""
    from ome_zarr.format import FormatV04, FormatV05
    from ome_zarr.writer import write_image

    letters = draws.one("yx", "zyx", "cyx", "czyx", "tcyx", "tczyx")
    pixels, path = draws.pixels(letters, draws.one("u1", "u2", "f4")), folder / "a.ome.zarr"
    sizes, unit = draws.sizes(letters), draws.one("micrometer", "nanometer", "millimeter")
    place = {a: draws.number(-9, 9) for a in letters if a in "zyx"} if draws.chance(0.4) else {}
    units: dict[str, str | None] = {a: "second" if a == "t" else unit for a in sizes}
    axes = [{"name": a, "type": _TYPES.get(a, "space"), **({"unit": units[a]} if a in units else {})} for a in letters]
    steps: list[list[dict[str, Any]]] = [
        [
            {"type": "scale", "scale": [sizes.get(a, 1.0) * (factor if a in "yx" else 1) for a in letters]},
            {"type": "translation", "translation": [place.get(a, 0.0) for a in letters]},
        ]
        for factor in (1, 2)
    ]
    names = draws.channel_names(pixels.shape[letters.index("c")]) if "c" in letters and draws.chance() else ()
    format = draws.one(FormatV04, FormatV05)()
    omero = {"omero": {"channels": [{"label": n, "color": "FF0000", "active": True} for n in names]}} if names else {}
    write_image(
        pixels,
        zarr.open_group(path, mode="w", zarr_format=format.zarr_format),
        scale_factors=[2],
        fmt=format,
        axes=axes,
        coordinate_transformations=steps,
        metadata=omero,
    )
    return Made(path, "OME-Zarr, ome-zarr-py", written(letters, pixels, sizes, units, place, names))


def ngio(folder: Path, draws: Draws) -> Made:
    """Write with ngio: pixel sizes in any unit and a time step."""
    from ngio import create_ome_zarr_from_array

    letters = draws.one("yx", "zyx", "cyx", "tyx", "czyx", "tczyx")
    pixels, path = draws.pixels(letters, draws.one("u1", "u2", "f4")), folder / "a.zarr"
    sizes, unit = draws.sizes(letters), draws.one("micrometer", "nanometer", "millimeter", "angstrom")
    names = draws.channel_names(pixels.shape[letters.index("c")]) if "c" in letters else ()
    if len(set(names)) < len(names):
        # This library wants each name once.
        names = tuple(f"{name} {i}" for i, name in enumerate(names))
    version, separator = draws.one("0.4", "0.5"), draws.one("/", ".")
    create_ome_zarr_from_array(
        path,
        pixels,
        pixelsize=(sizes["y"], sizes["x"]),
        z_spacing=sizes.get("z", 1.0),
        time_spacing=sizes.get("t", 1.0),
        levels=2,
        space_unit=unit,
        axes_names=list(letters),
        channels_meta=list(names) or None,
        ngff_version=version,
        dimension_separator=separator,
        consolidation_mode="auto",
    )
    units: dict[str, str | None] = {a: "second" if a == "t" else unit for a in sizes}
    return Made(path, "OME-Zarr, ngio", written(letters, pixels, sizes, units, names=names))


def bioio(folder: Path, draws: Draws) -> Made:
    """Write with bioio-ome-zarr."""
    from bioio_ome_zarr.writers import Channel, OMEZarrWriter

    letters = draws.one("yx", "zyx", "cyx", "czyx", "tcyx", "tczyx")
    pixels, path = draws.pixels(letters, draws.one("u1", "u2", "f4")), folder / "a.zarr"
    sizes, unit = draws.sizes(letters), draws.one("micrometer", "nanometer", None)
    names = draws.channel_names(pixels.shape[letters.index("c")]) if "c" in letters else ()
    units: dict[str, str | None] = {a: "second" if a == "t" else unit for a in sizes}
    writer = OMEZarrWriter(
        str(path),
        level_shapes=pixels.shape,
        dtype=pixels.dtype,
        zarr_format=draws.one(2, 3),
        channels=[Channel(label=n, color="00FF00") for n in names] or None,
        axes_names=list(letters),
        axes_types=[_TYPES.get(a, "space") for a in letters],
        axes_units=[units.get(a) for a in letters],
        physical_pixel_size=[sizes.get(a, 1.0) for a in letters],
    )
    writer.write_full_volume(pixels)
    return Made(path, "OME-Zarr, bioio", written(letters, pixels, sizes, units, names=names))


ZARR_OF_LIBRARIES = ((ome_zarr_py, "ome_zarr"), (ngio, "ngio"), (bioio, "bioio_ome_zarr"))
"""Writer and the library that it needs, which only tests install."""
