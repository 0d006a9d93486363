"""Read LIF, LOF, XLIF and XLEF of Leica with liffile (extra ``lif``): wavelengths become channels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.array import default_chunks
from napari_s1omni.storage.readers.file_format import FormatInfo, ImageHeader
from napari_s1omni.storage.readers.microscopes.image_description import ImageDescription
from napari_s1omni.storage.readers.microscopes.leica_files import read_contents
from napari_s1omni.storage.readers.microscopes.leica_image import LeicaImage, read_images
from napari_s1omni.storage.readers.microscopes.leica_pixels import FramePixels, MergedAxis, map_pixels
from napari_s1omni.storage.readers.raw_image import Pixels, RawImage

_CHANNELS = "cle"
"""Axes that are read as channels."""
_WAVELENGTHS = {"l": "emission", "e": "excitation"}


def describe() -> FormatInfo:
    """Describe the format."""
    return FormatInfo("Leica LIF", (".lif", ".lof", ".xlif", ".xlef"), "liffile", "BSD-3-Clause", "lif")


def list_images(path: Path) -> Sequence[ImageHeader]:
    """List the images of a file, and of the files that it refers to."""
    images, _ = read_images(read_contents(path).images)
    return [_described(image).header() for image in images]


def read_image(path: Path, number: int) -> RawImage:
    """Return one image as a lazy array."""
    contents = read_contents(path)
    images, unread = read_images(contents.images)
    image = images[number]
    described = _described(image)
    in_files = image.source.place is None and image.source.file.suffix.lower() == ".xlif"
    pixels: Pixels = FramePixels(image) if in_files else map_pixels(image)
    notes = [*contents.notes, *unread]
    axes, pixels = _as_channels(image, pixels, notes)
    axes = _with_rows(image, axes, described, notes)
    chunks = pixels.chunks if isinstance(pixels, FramePixels) else default_chunks(pixels.shape, axes)
    return described.image([pixels], chunks, str(path), axes, notes)


def _described(image: LeicaImage) -> ImageDescription:
    sizes, times = image.sizes()
    return ImageDescription(
        image.name,
        image.letters,
        image.shape,
        image.dtype.newbyteorder("=").name,
        sizes,
        image.acquisition(times),
        channels=image.bands(),
    )


def _as_channels(image: LeicaImage, pixels: Pixels, notes: list[str]) -> tuple[str, Pixels]:
    """Read wavelengths as channels; with channels of the file, or both wavelengths, there is one for each pair."""
    axes = image.letters
    bands = [a for a in axes if a in _CHANNELS]
    if "s" in axes and bands:
        raise SourceError(
            f"image '{image.name}' of {image.source.file} has {len(image.bands())} channels of 3 colours each",
            "an image has channels or colours, not both",
            "export each channel from LAS X",
            path=str(image.source.file),
        )
    while len(bands := [a for a in axes if a in _CHANNELS]) > 1:
        outer, inner = axes.index(bands[0]), axes.index(bands[1])
        notes.append(
            f"{_kind(bands[0])} and {_kind(bands[1])} are read as one axis of channels, "
            f"{pixels.shape[inner]} {_kind(bands[1])} for each of {pixels.shape[outer]} {_kind(bands[0])}"
        )
        pixels = MergedAxis(pixels, outer, inner)
        axes = axes[:inner] + axes[inner + 1 :]
        axes = axes.replace(bands[0], "c")
    for letter, kind in _WAVELENGTHS.items():
        if letter in axes:
            notes.append(f"the {pixels.shape[axes.index(letter)]} {kind} wavelengths are read as channels")
            axes = axes.replace(letter, "c")
    return axes, pixels


def _kind(letter: str) -> str:
    return "channels" if letter == "c" else f"{_WAVELENGTHS[letter]} wavelengths"


def _with_rows(image: LeicaImage, axes: str, described: ImageDescription, notes: list[str]) -> str:
    """Return axes with rows: an x-z scan shows planes as rows, and an x-t scan time."""
    if "y" in axes:
        return axes
    rows = next((a for a in "zt" if a in axes), None)
    if rows is None or "x" not in axes:
        raise SourceError(
            f"image '{image.name}' of {image.source.file} has the axes '{axes or 'none'}'",
            "an image has rows and columns",
            "export it from LAS X as a table",
            path=str(image.source.file),
        )
    sizes = described.sizes
    step, unit = sizes.scale.pop(rows, None), sizes.units.pop(rows, None)
    if rows == "z":
        notes.append("this is an x-z scan: its rows are z")
        if step is not None:
            sizes.add("y", step, unit, "Length of z")
    else:
        spacing = "" if step is None else f", {step:.4g} s apart"
        notes.append(f"this is an x-t scan: its rows are time points{spacing}, and have no size")
    return axes.replace(rows, "y")
