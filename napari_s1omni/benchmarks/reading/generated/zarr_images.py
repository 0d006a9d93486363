"""OME-Zarr 0.4 and 0.5 and Zarr arrays, written with zarr-python and metadata by hand, sound and damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import zarr
from numpy.typing import NDArray

from napari_s1omni.benchmarks.reading.generated.draws import Draws, Made, written

_ORDERS = ("yx", "zyx", "cyx", "tyx", "czyx", "tcyx", "tzyx", "tczyx", "zcyx", "yxc", "zyxc", "xyz", "xy")
_LENGTHS = ("micrometer", "nanometer", "millimeter", "angstrom", "centimeter", "inch", "picometer", None)
_TIMES = ("second", "millisecond", "minute", "hour", None)
_TYPES = {"t": "time", "c": "channel"}
_WORDS = {
    "t": ("time", "T", "frame", "timepoint"),
    "c": ("channel", "C", "wavelength", "Channels"),
    "z": ("depth", "Z", "slice", "section", "plane"),
    "y": ("Y", "y", "row"),
    "x": ("X", "x", "column"),
}
"""Axis -> how others call it; its type says the same."""


def image(folder: Path, draws: Draws) -> Made:
    """Write an image of two levels with units, positions, names and chunks as they come."""
    version = draws.one("0.4", "0.5")
    letters = draws.one(*_ORDERS)
    pixels = draws.pixels(letters, draws.one("u1", "u2", "i2", "u4", "f4", ">u2", "f8", "?"))
    path, level = folder / draws.one("a.zarr", "a.ome.zarr", "a"), draws.one("0", "s0", "scale0/image")
    sizes, place, units = draws.sizes(letters), _place(letters, draws), _units(letters, draws)
    group = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    _write(group, level, pixels, version, draws)
    coarse = level.replace("0", "1")
    # Averages of two pixels lie half a pixel further in.
    between = {a: place.get(a, 0.0) + (sizes[a] / 2 if a in "yx" else 0) for a in sizes}
    halves = tuple(slice(None, None, 2 if a in "yx" else 1) for a in letters)
    below = pixels[halves].copy()
    _write(group, coarse, below, version, draws)
    names = draws.channel_names(pixels.shape[letters.index("c")]) if "c" in letters and draws.chance(0.7) else ()
    double = {a: s * (2 if a in "yx" else 1) for a, s in sizes.items()}
    common = draws.chance(0.3)
    datasets = [_dataset(level, letters, sizes, place), _dataset(coarse, letters, double, between)]
    about: dict[str, Any] = {"axes": _axes(letters, units, draws), "datasets": datasets}
    if common:
        # All levels are stretched once more, as ome-zarr-py writes a time step.
        about["coordinateTransformations"] = [_scale(letters, dict.fromkeys(sizes, 2.0))]
        sizes, place, double, between = (
            {a: v * 2 for a, v in values.items()} for values in (sizes, place, double, between)
        )
    describe(group, version, [about], names)
    if names and draws.chance(0.15):
        names = _without_a_label(group, version, names)
    if draws.chance(0.3):
        zarr.consolidate_metadata(group.store)
    if draws.chance(0.2):
        truth = written(letters, below, double, units, between, names)
        return Made(path / coarse, f"OME-Zarr {version}, one level", truth)
    return Made(path, f"OME-Zarr {version}", written(letters, pixels, sizes, units, place, names))


def labels(folder: Path, draws: Draws) -> Made:
    """Write a label image inside an image."""
    version = draws.one("0.4", "0.5")
    pixels, path = draws.pixels("zyx", "u4"), folder / "a.zarr"
    sizes, units = draws.sizes("zyx"), dict.fromkeys("zyx", "micrometer")
    root = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    group = root.create_group("labels/nuclei")
    _write(group, "0", pixels, version, draws)
    about = {"axes": _axes("zyx", dict(units), draws), "datasets": [_dataset("0", "zyx", sizes, {})]}
    describe(group, version, [about], (), {"image-label": {}})
    return Made(path / "labels/nuclei", "OME-Zarr labels", written("zyx", pixels, sizes, dict(units)))


def array(folder: Path, draws: Draws) -> Made:
    """Write an array alone, with or without names of its dimensions."""
    version = draws.one(2, 3)
    letters = draws.one("yx", "zyx", "czyx", "tyx")
    pixels, path = draws.pixels(letters, draws.one("u1", "u2", "f4")), folder / "a.zarr"
    named = len(letters) == 4 or draws.chance()
    names = [draws.one(a, a, *_WORDS[a]) for a in letters] if named else None
    stored = zarr.create_array(
        path,
        data=pixels,
        chunks=_chunks(pixels),
        zarr_format=version,
        dimension_names=names if version == 3 else None,
    )
    if version == 2 and names:
        stored.attrs["_ARRAY_DIMENSIONS"] = names
    return Made(path, "Zarr array", written(letters if named else "?" * len(letters), pixels))


def several(folder: Path, draws: Draws) -> Made:
    """Write a group of two multiscale images."""
    path = folder / "a.zarr"
    group = zarr.create_group(path)
    found = []
    for name in ("0", "other"):
        pixels = draws.pixels("yx", "u2")
        _write(group, name, pixels, "0.5", draws)
        found.append((pixels, {"axes": _axes("yx", {}, draws), "datasets": [_dataset(name, "yx", {}, {})]}))
    describe(group, "0.5", [about for _, about in found], ())
    return Made(path, "OME-Zarr, several images", written("yx", found[0][0], images=2))


def wrong_separator(folder: Path, draws: Draws) -> Made:
    """Write chunks whose names do not fit the metadata, as after a copy by another program."""
    version, stored = draws.one("0.4", "0.5"), draws.one(".", "/")
    pixels, path = draws.pixels("yx", "u2"), folder / "a.zarr"
    group = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    _write(group, "0", pixels, version, draws, separator=stored)
    describe(group, version, [{"axes": _axes("yx", {}, draws), "datasets": [_dataset("0", "yx", {}, {})]}], ())
    said = "/" if stored == "." else "."
    file = path / "0" / (".zarray" if version == "0.4" else "zarr.json")
    about = json.loads(file.read_text())
    if version == "0.5":
        about["chunk_key_encoding"]["configuration"]["separator"] = said
    elif said == "." and draws.chance():
        about.pop("dimension_separator")
    else:
        about["dimension_separator"] = said
    file.write_text(json.dumps(about))
    return Made(path, "OME-Zarr, wrong separator", written("yx", pixels))


def stale_metadata(folder: Path, draws: Draws) -> Made:
    """Write an array again without renewing the consolidated metadata."""
    version = draws.one("0.4", "0.5")
    old, pixels, path = draws.pixels("yx", "u2"), draws.pixels("yx", "u2"), folder / "a.zarr"
    form = 2 if version == "0.4" else 3
    group = zarr.create_group(path, zarr_format=form)
    _write(group, "0", old, version, draws)
    describe(group, version, [{"axes": _axes("yx", {}, draws), "datasets": [_dataset("0", "yx", {}, {})]}], ())
    zarr.consolidate_metadata(group.store)
    zarr.create_array(path / "0", data=pixels, chunks=_chunks(pixels), zarr_format=form, overwrite=True)
    return Made(path, "OME-Zarr, stale metadata", written("yx", pixels))


def describe(
    group: Any,
    version: str,
    images: list[dict[str, Any]],
    names: tuple[str, ...],
    more: dict[str, Any] | None = None,
) -> None:
    """Write the metadata of a group."""
    omero = {"omero": {"channels": [{"label": n, "color": "FFFFFF"} for n in names]}} if names else {}
    if version == "0.4":
        group.attrs.update({"multiscales": [{**i, "version": version} for i in images], **omero, **(more or {})})
    else:
        group.attrs["ome"] = {"version": version, "multiscales": images, **omero, **(more or {})}


def _write(
    group: Any, name: str, pixels: NDArray[Any], version: str, draws: Draws, *, separator: str | None = None
) -> None:
    """Write one level with chunks that hold only the fill value left out."""
    separator = separator or draws.one(".", "/")
    encoding = "v2" if version == "0.4" else draws.one("default", "v2")
    options: dict[str, Any] = {"compressors": None} if draws.chance(0.3) else {}
    if version == "0.5" and draws.chance(0.3):
        options["shards"] = tuple(2 * n for n in _chunks(pixels))
    if pixels.dtype.kind == "u" and draws.chance(0.3):
        pixels[..., :8] = options["fill_value"] = 7
    group.create_array(
        name,
        data=pixels,
        chunks=_chunks(pixels),
        chunk_key_encoding={"name": encoding, "separator": separator},
        **options,
    )


def _without_a_label(group: Any, version: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Take the label of the first channel away."""
    key = "omero" if version == "0.4" else "ome"
    about = dict(group.attrs[key])
    channels = (about if version == "0.4" else about["omero"])["channels"]
    channels[0].pop("label")
    group.attrs[key] = about
    return ("", *names[1:]) if len(names) > 1 else ()


def _chunks(pixels: NDArray[Any]) -> tuple[int, ...]:
    return tuple(8 if n > 8 else 1 for n in pixels.shape)


def _axes(letters: str, units: dict[str, str | None], draws: Draws) -> list[dict[str, Any]]:
    words, typed = draws.chance(0.25), draws.chance(0.9)
    found = []
    for a in letters:
        axis: dict[str, Any] = {"name": draws.one(*_WORDS[a]) if words else a}
        if typed or words:
            axis["type"] = _TYPES.get(a, "space")
        found.append({**axis, "unit": units[a]} if units.get(a) else axis)
    return found


def _units(letters: str, draws: Draws) -> dict[str, str | None]:
    length = draws.one(*_LENGTHS)
    units: dict[str, str | None] = {
        a: length if draws.chance(0.8) else draws.one(*_LENGTHS) for a in letters if a in "zyx"
    }
    return {**units, **({"t": draws.one(*_TIMES)} if "t" in letters else {})}


def _place(letters: str, draws: Draws) -> dict[str, float]:
    return {a: draws.number(-20, 20) for a in letters if a != "c"} if draws.chance(0.4) else {}


def _dataset(path: str, letters: str, sizes: dict[str, float], place: dict[str, float]) -> dict[str, Any]:
    steps = [_scale(letters, sizes)]
    if place:
        steps.append({"type": "translation", "translation": [place.get(a, 0.0) for a in letters]})
    return {"path": path, "coordinateTransformations": steps}


def _scale(letters: str, sizes: dict[str, float]) -> dict[str, Any]:
    return {"type": "scale", "scale": [sizes.get(a, 1.0) for a in letters]}


ZARR_IMAGES = (image, image, image, image, labels, array, several, wrong_separator, stale_metadata)
