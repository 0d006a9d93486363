"""``s1omni info``: list the images of a file."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from napari_s1omni.core.image_references import with_image
from napari_s1omni.core.paths import join_reference, split_reference
from napari_s1omni.core.units import format_bytes
from napari_s1omni.errors import S1OmniError
from napari_s1omni.frontends.cli.arguments import ChosenImage
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import HOLES, Json
from napari_s1omni.storage.listing.file_images import chosen_names, is_pattern
from napari_s1omni.storage.listing.image_headers import bytes_on_disk, image_names, list_images, seconds_of_window
from napari_s1omni.storage.listing.image_list import LIST_ENDINGS
from napari_s1omni.storage.readers.file_format import ImageHeader
from napari_s1omni.storage.readers.registry import read_raw

_TIMING = 0.3
"""Seconds in which windows of further images are timed."""
_MOST_TABLES = 200
"""Images that have a table of their own; of more, each has a line, since a table takes a millisecond to lay out."""
_OF_LINES = ("shape", "type", "pixel size")


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
        try:
            headers = _headers(file)
            read = _read_windows(file, headers)
        except S1OmniError as error:
            if len(files) == 1:
                raise
            failed = True
            typer.echo(str(error), err=True)
            continue
        failed = failed or any(one.error for one in read)
        if json:
            own = {} if len(files) == 1 else {"file": split_reference(file)[0]}
            images += [{**own, **one.to_json(), **its.to_json()} for one, its in zip(headers, read, strict=True)]
            for its in read:
                its.print_error()
        else:
            if file != files[0]:
                typer.echo("")
            _print_file(file, headers, read)
    if json:
        sizes = [bytes_on_disk(file) for file in files]
        size = sum(n for n in sizes if n is not None) if any(n is not None for n in sizes) else None
        print_json({"images": images, "bytes": size})
    if failed:
        raise typer.Exit(HOLES)


def _files(place: str) -> list[str]:
    """Return the file itself, or the files of a folder or list with their images; a plate is one file of many."""
    file, chosen = split_reference(place)
    alone = os.path.isfile(file) and not file.lower().endswith(LIST_ENDINGS)
    if alone:
        return [place]
    # What a single file does not need takes most of the time of a short command to import.
    from napari_s1omni.storage.collections import is_collection, list_sources

    if not is_collection(place) or (found := list_sources(place)).plate:
        return [place]
    if chosen is not None:
        return [entry.uri for entry in found]
    return list(dict.fromkeys(split_reference(entry.uri)[0] for entry in found))


def _headers(place: str) -> tuple[ImageHeader, ...]:
    """List the images of a file, or those of it that a pattern such as ``B/*`` names."""
    file, chosen = split_reference(place)
    if chosen is None or not is_pattern(file, chosen):
        return list_images(place)
    headers = list_images(file)
    names = chosen_names([header.name for header in headers], chosen)
    # Without any, the error names those that there are.
    return tuple(header for header in headers if header.name in names) or list_images(place)


@dataclass(frozen=True, slots=True)
class _Read:
    """What reading a window of an image says about it."""

    seconds: float | None = None
    """None if none was timed."""
    notes: tuple[str, ...] = ()
    """Of the image; empty where none was read."""
    error: str = ""
    """Why the image cannot be read."""

    def to_json(self) -> dict[str, Any]:
        error = {"error": self.error} if self.error else {}
        return {"window_seconds": self.seconds, "notes": list(self.notes), **error}

    def print_error(self) -> None:
        if self.error:
            typer.echo(self.error, err=True)


def _read_windows(file: str, headers: tuple[ImageHeader, ...]) -> list[_Read]:
    """Read a window of each image until too much time has passed."""
    where, chosen = split_reference(file)
    begin, found = time.perf_counter(), list[_Read]()
    # A plate is one image only by the name of its field.
    named = len(headers) > 1 or chosen is not None or (os.path.isdir(where) and image_names(where) is not None)
    for header in headers:
        # What cannot be read is said, however many there are.
        if found and header.axes and time.perf_counter() - begin > _TIMING:
            found.append(_Read())
            continue
        try:
            raw = read_raw(join_reference(where, header.name if named else None), level=0)
            found.append(_Read(seconds_of_window(raw), tuple(raw.notes)))
        except S1OmniError as error:
            found.append(_Read(error=str(error)))
    return found


def _print_file(file: str, headers: tuple[ImageHeader, ...], read: list[_Read]) -> None:
    size = bytes_on_disk(file)
    images = "1 image" if len(headers) == 1 else f"{len(headers):,} images"
    typer.echo(f"{file}: {images}" + ("" if size is None else f", {format_bytes(size)} on disk"))
    said: set[str] = set()
    lines = len(headers) > _MOST_TABLES
    for number, (header, its) in enumerate(zip(headers, read, strict=True)):
        rows = _rows(header, its.seconds)
        if not header.axes:
            typer.echo(f"{number}: {header.name}: cannot be read")
        elif lines:
            typer.echo(f"{number}: {header.name}: {'; '.join(rows[key] for key in _OF_LINES)}")
        else:
            typer.echo("")
            print_rows(header.name if len(headers) == 1 else f"{number}: {header.name}", rows)
        for note in its.notes:
            if note not in said:
                typer.echo(f"note: {note}", err=True)
        said.update(its.notes)
        its.print_error()


def _rows(header: ImageHeader, seconds: float | None) -> dict[str, str]:
    shape = ", ".join(f"{axis} {n:,}" for axis, n in zip(header.axes, header.shape, strict=True))
    sizes = [
        f"{axis} {step:g} {unit or 'without unit'}"
        for axis, step, unit in zip(header.axes, header.scale, header.units, strict=True)
        if step is not None
    ]
    count = math.prod(header.shape)
    window = "not timed" if seconds is None else "less than 0.1 ms" if seconds < 1e-4 else f"{seconds * 1000:.1f} ms"
    return {
        "shape": f"{shape} (axes {header.axes})",
        "type": f"{header.dtype}, {count:,} pixels",
        "pixel size": ", ".join(sizes) or "not in the file",
        **({"channels": "; ".join(one.words() for one in header.channels)} if header.channels else {}),
        "levels": str(header.levels),
        "512 x 512 window": window,
    }
