"""``s1omni info``: list the images of a file."""

from __future__ import annotations

import math
import os
import time
from typing import Annotated, Any

import typer

from napari_s1omni.core.image_references import with_image
from napari_s1omni.core.paths import join_reference, split_reference
from napari_s1omni.core.units import format_bytes
from napari_s1omni.errors import S1OmniError
from napari_s1omni.frontends.cli.arguments import ChosenImage
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import HOLES, Json
from napari_s1omni.storage.listing.image_headers import bytes_on_disk, list_images, seconds_of_window
from napari_s1omni.storage.listing.image_list import LIST_ENDINGS
from napari_s1omni.storage.readers.file_format import ImageHeader
from napari_s1omni.storage.readers.registry import read_raw

_TIMING = 0.3
"""Seconds in which windows of further images are timed."""


def info(
    source: Annotated[
        str,
        typer.Argument(metavar="FILE", help="An image, a file of several, or a folder of files.", show_default=False),
    ],
    image: ChosenImage = None,
    json: Json = False,
) -> None:
    """List the images of a file: axes, shape, type, pixel size, channels, levels, size on disk, time of a window.

    No image is read but a window of 512 x 512 pixels, to time it. Axes are in the order of the file: t, c, z, y, x, s
    for the colours of a picture, l and e for emission and excitation wavelengths. Their names choose an image
    everywhere, as in FILE::NAME.
    """
    place = with_image(source, image)
    files = _files(place)
    failed = False
    images: list[dict[str, Any]] = []
    for file in files:
        notes: list[str] = []
        try:
            headers = list_images(file)
            timed = _time_windows(file, headers, notes)
        except S1OmniError as error:
            if len(files) == 1:
                raise
            failed = True
            typer.echo(f"{file}: {error}", err=True)
            continue
        if json:
            own = {} if len(files) == 1 else {"file": split_reference(file)[0]}
            images += [{**own, **one.to_json(), "window_seconds": s} for one, s in zip(headers, timed, strict=True)]
        else:
            _print_file(file, headers, timed, notes)
    if json:
        sizes = [bytes_on_disk(file) for file in files]
        size = sum(n for n in sizes if n is not None) if any(n is not None for n in sizes) else None
        print_json({"images": images, "bytes": size})
    if failed:
        raise typer.Exit(HOLES)


def _files(place: str) -> list[str]:
    """Return the file itself, or the files of a folder or list; a plate is one file of many images."""
    file, chosen = split_reference(place)
    alone = os.path.isfile(file) and not file.lower().endswith(LIST_ENDINGS)
    if alone or chosen is not None:
        return [place]
    # What a single file does not need takes most of the time of a short command to import.
    from napari_s1omni.storage.collections import is_collection, list_sources

    if not is_collection(place) or (found := list_sources(place)).plate:
        return [place]
    return list(dict.fromkeys(split_reference(entry.uri)[0] for entry in found))


def _time_windows(file: str, headers: tuple[ImageHeader, ...], notes: list[str]) -> list[float | None]:
    """Time a window of each image until too much time has passed; collect the notes of the first image."""
    where, chosen = split_reference(file)
    begin, timed = time.perf_counter(), list[float | None]()
    for header in headers:
        if timed and time.perf_counter() - begin > _TIMING:
            timed.append(None)
            continue
        name = chosen if chosen is not None else header.name if len(headers) > 1 else None
        try:
            raw = read_raw(join_reference(where, name), level=0)
            timed.append(seconds_of_window(raw))
            notes += [] if len(timed) > 1 else raw.notes
        except S1OmniError as error:
            timed.append(None)
            notes.append(f"image '{header.name}' cannot be read: {error}")
    return timed


def _print_file(file: str, headers: tuple[ImageHeader, ...], timed: list[float | None], notes: list[str]) -> None:
    size = bytes_on_disk(file)
    images = "1 image" if len(headers) == 1 else f"{len(headers):,} images"
    typer.echo(f"{file}: {images}" + ("" if size is None else f", {format_bytes(size)} on disk"))
    for number, (header, seconds) in enumerate(zip(headers, timed, strict=True)):
        typer.echo("")
        print_rows(header.name if len(headers) == 1 else f"{number}: {header.name}", _rows(header, seconds))
    for note in dict.fromkeys(notes):
        typer.echo(f"note: {note}", err=True)


def _rows(header: ImageHeader, seconds: float | None) -> dict[str, str]:
    shape = ", ".join(f"{axis} {n:,}" for axis, n in zip(header.axes, header.shape, strict=True))
    sizes = [
        f"{axis} {step:g} {unit or 'without unit'}"
        for axis, step, unit in zip(header.axes, header.scale, header.units, strict=True)
        if step is not None
    ]
    count = math.prod(header.shape)
    window = "not timed" if seconds is None else f"{seconds * 1000:.1f} ms"
    return {
        "shape": f"{shape} (axes {header.axes})",
        "type": f"{header.dtype}, {count:,} pixels",
        "pixel size": ", ".join(sizes) or "not in the file",
        **({"channels": "; ".join(one.words() for one in header.channels)} if header.channels else {}),
        "levels": str(header.levels),
        "512 x 512 window": window,
    }
