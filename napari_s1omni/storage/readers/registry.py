"""Find the reader of an image by its type, URI scheme or file ending."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from napari_s1omni.core.document import did_you_mean
from napari_s1omni.core.image_references import split_stored
from napari_s1omni.core.paths import full_path, is_left_by_system, is_url, join_reference, name_in, split_reference
from napari_s1omni.core.pixel_frame import PixelFrame
from napari_s1omni.core.units import format_bytes
from napari_s1omni.errors import JobError, SourceError
from napari_s1omni.storage.files.remote import local_copy, open_ranges, read_error
from napari_s1omni.storage.files.unreadable_file import DICOM_FILE, content_of, remedy_for
from napari_s1omni.storage.readers.formats import broken_formats, format_endings, format_named, format_of
from napari_s1omni.storage.readers.image_files import choose_number, read_image_of
from napari_s1omni.storage.readers.raw_image import RawImage, level_factor
from napari_s1omni.storage.readers.volumes.chunk_stores.known_stores import probed_format
from napari_s1omni.storage.readers.zarr_nodes.members import members_of

_STORAGE = "napari_s1omni.storage"
_READERS = f"{_STORAGE}.readers"
_TIFF = "tiff:read_tiff"
_PICTURE = "pictures.picture:read_picture"
_NIFTI = "nifti:read_nifti"
_BY_ENDING = {
    ".npy": "array:read_npy",
    **dict.fromkeys((".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".webp"), _PICTURE),
    **dict.fromkeys((".jp2", ".j2k", ".jpc", ".jpx", ".tga", ".pbm", ".pgm", ".ppm", ".pnm", ".pfm"), _PICTURE),
    **dict.fromkeys((".tif", ".tiff", ".btf", ".tf2", ".tf8", ".ptif", ".ptiff", ".lsm", ".stk", ".flex"), _TIFF),
    **dict.fromkeys((".svs", ".ndpi", ".scn", ".bif", ".qptiff", ".qpi", ".avs", ".zif"), _TIFF),
    **dict.fromkeys((".nii", ".nii.gz"), _NIFTI),
}
"""Ending of a local file -> ``module:function`` of its reader, imported when the first such file is opened."""


def file_endings() -> tuple[str, ...]:
    """Return the endings of the files that can be read."""
    return (*_BY_ENDING, *format_endings())


def read_raw(source: Any, *, level: int) -> RawImage:
    """Read the metadata of an image with the reader of its format. Only pictures are decoded here.

    Parameters
    ----------
    source : array, sequence of arrays, str or Path
        An array, the levels of a pyramid, a path or a URI.
    level : int
        Pyramid level; 0 is full resolution.

    Raises
    ------
    SourceError
        If nothing is there, or nothing that can be read.
    """
    if isinstance(source, Sequence) and not isinstance(source, str):
        return _reader("array:read_pyramid")(source, level)
    if not isinstance(source, str | os.PathLike):
        return _at_level(_reader("array:read_array")(source), level, "an array")
    try:
        uri = full_path(source)
    except JobError as error:
        raise SourceError(error.given, error.allowed, error.remedy, **error.facts) from None
    if uri.startswith("synthetic://"):
        return _at_level(_reader("synthetic.virtual_pixels:read_synthetic")(uri), level, uri)
    if uri.startswith("memmap://"):
        return _at_level(_reader("arrays.memory_map:read_memory_map", _STORAGE)(uri), level, uri)
    file, image = split_reference(uri)
    found = format_of(file)
    if is_url(uri):
        if found is not None and found.reads_urls:
            return _at_level(read_image_of(found, file, image), level, uri)
        if found is not None:
            return _at_level(_read_copy(file, lambda path: read_image_of(found, path, image)), level, uri)
        reader = _reader_of(file)
        return _read_store(file, image, level) if reader is None else _at_level(_read_remote(file, reader), level, uri)
    if found is not None and os.path.exists(file):
        return _at_level(read_image_of(found, Path(file), image), level, file)
    path, part = _split_image(Path(file)) if image is None else (Path(file), image)
    if os.path.isdir(path) or _is_inside_zarr(path):
        return _read_group(str(path), image, level)
    if not os.path.exists(path):
        raise _nothing_at(path)
    return _at_level(_read_file(path, part), level, str(path))


def _reader_of(where: str) -> str | None:
    """Return the reader of a file by the ending of its name."""
    name = name_in(where).lower()
    return next((reader for ending, reader in _BY_ENDING.items() if name.endswith(ending)), None)


KNOWN_ENDINGS = (
    "ending in .tif, .png, .npy, .czi, .nd2, .lif, .nii.gz, .dcm, .mha, .h5 or one of the others in docs/formats.md"
)
"""What is read, for messages; there are too many endings to list them all."""


def _similar_ending(path: Path) -> str:
    return did_you_mean(path.suffix.lower(), list(file_endings()), least=0.7) if path.suffix else ""


def is_tiff(where: str) -> bool:
    """Whether a file is read as TIFF, by the ending of its name."""
    return _reader_of(where) == _TIFF


def _read_file(path: Path, part: str | None = None) -> RawImage:
    """Read a file, or the image in it that `part` names."""
    reader = _reader_of(str(path))
    if is_left_by_system(path.name):
        raise SourceError(
            f"{path} is no image: the system keeps its own notes in files of such names",
            remedy=f"give the image beside it, {path.name[2:]}" if path.name.startswith("._") else "give an image",
            path=str(path),
        )
    if reader is None:
        raise SourceError(
            "; ".join([f"{path} has an unknown file ending", *broken_formats()]),
            f"a source is a file {KNOWN_ENDINGS}, or the folder of a Zarr store.{_similar_ending(path)}",
            remedy_for(path),
            path=str(path),
        )
    if part is not None and reader != _TIFF:
        if part not in _names_of(str(path)):
            raise _only_one(str(path), part)
        part = None
    found = content_of(path)
    # Pillow also reads files of other endings; gzip is what a .nii.gz is.
    other = found is not None and _reader_of(found[1]) != reader and not (reader == _NIFTI and "gzip" in found[0])
    try:
        # The same file may be a DICOM file and a TIFF.
        both = reader == _TIFF and found is not None and found[0] == DICOM_FILE
        if found is not None and other and not both and _reader_of(found[1]) is None:
            raise _other_content(path, *found)
        return _reader(reader)(path) if part is None else _reader(reader)(path, part)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error}", remedy="check the file and its permissions") from error
    except SourceError as error:
        if found is None or not other:
            raise
        raise _other_content(path, *found) from error


def _other_content(path: Path, content: str, remedy: str) -> SourceError:
    return SourceError(f"{path} is {content}", remedy=remedy, path=str(path))


def _split_image(path: Path) -> tuple[Path, str | None]:
    """Split ``cells.tif#1`` into the file and the image in it; a file whose name holds ``#`` is one file."""
    name, mark, part = path.name.rpartition("#")
    if mark and not path.exists() and path.with_name(name).is_file():
        return path.with_name(name), part
    return path, None


def _read_remote(url: str, reader: str) -> RawImage:
    """Read a file behind a URL: a TIFF part by part where the server can, any other file from a copy."""
    if reader.startswith("tiff:") and (opened := open_ranges(url)) is not None:
        try:
            return replace(_reader(reader)(url, remote=opened), uri=url)
        except SourceError:
            raise
        except Exception as error:
            raise read_error(url, error) from error
    return _read_copy(url, _read_file)


def _read_copy(url: str, read: Callable[[Path], RawImage]) -> RawImage:
    """Read a file behind a URL from a copy of it."""
    path = local_copy(url)
    try:
        raw = read(path)
    except SourceError as error:
        # The copy has a name that its user never gave.
        given, allowed, remedy = (part.replace(str(path), url) for part in (error.given, error.allowed, error.remedy))
        raise type(error)(given, allowed, remedy, **{**error.facts, "path": url}) from error
    size = format_bytes(path.stat().st_size)
    # The copy may be read as one of several images, which its reference names.
    _, image = split_reference(raw.uri or "")
    notes = (*raw.notes, f"the whole file of {size} was copied from its URL")
    return replace(raw, uri=join_reference(url, image), notes=notes)


def _read_store(url: str, image: str | None, level: int) -> RawImage:
    """Read a Zarr behind a URL, or a volume of another kind that has no ending."""
    try:
        return _read_group(url, image, level)
    except SourceError as error:
        # A server that does not answer is not asked again.
        if "transient" in error.facts or (found := format_named(probed_format(url))) is None:
            raise
        return _at_level(read_image_of(found, url, image), level, url)


def _names_of(where: str) -> tuple[str, ...]:
    """Return what may choose the only image of a file: its number, and the name of the file without its endings."""
    return ("0", name_in(where).partition(".")[0], PurePath(name_in(where)).stem)


def _only_one(where: str, image: str) -> SourceError:
    """Return the error for an image that is chosen in a file of one."""
    return SourceError(
        f"there is no image '{image}' in {where}",
        "the file holds one image",
        "leave the image out, or give the number 0",
        path=where,
    )


def _nothing_at(path: Path) -> SourceError:
    """Return the error for a path, perhaps with an image behind it, where no file is."""
    place, image = split_stored(str(path))
    if image is None and place.endswith("::") and os.path.exists(place[:-2]):
        return SourceError(
            f"{place} names no image", "an image has a name or a number", "give it, or leave '::' out", path=place
        )
    return SourceError(f"there is nothing at {place}", remedy=_inside_file(path) or "check the path", path=place)


def _inside_file(path: Path) -> str:
    """Return the reference that is meant by the path of a dataset behind that of its file, as in ``scan.h5/raw``."""
    file = next((parent for parent in path.parents if parent.is_file()), None)
    if file is None or format_of(file) is None:
        return ""
    return f"give {join_reference(str(file), path.relative_to(file).as_posix())}"


def _is_inside_zarr(path: Path) -> bool:
    """Whether a missing path lies inside a Zarr store; its reader can then say what the store holds."""
    return not path.exists() and any(
        (parent / name).is_file() for parent in path.parents[:4] for name in ("zarr.json", ".zgroup", ".zattrs")
    )


def _read_group(where: str, image: str | None, level: int) -> RawImage:
    """Read a Zarr array or image, or one image of a plate, a well or a collection."""
    if image is None:
        try:
            return _read_zarr(where, level)
        except SourceError as error:
            found = None if error.facts.get("transient") else members_of(where)
            if found is None or (len(found.names) == 1 and not found.collection):
                raise
    elif (found := members_of(where)) is None:
        if is_url(where) or os.path.isdir(os.path.join(where, image)):
            return _read_zarr(f"{where}/{image}", level)
        if image in _names_of(where):
            return _read_zarr(where, level)
        raise _only_one(where, image)
    number = choose_number(found.names, image, where)
    raw = _read_zarr(f"{where}/{found.paths[number]}", level)
    said = () if image is not None else (f"{where} holds one image, '{found.names[number]}', which is read",)
    return replace(raw, uri=join_reference(where, found.names[number]), notes=(*raw.notes, *said))


def _read_zarr(uri: str, level: int) -> RawImage:
    return _reader("zarr_nodes.zarr_store:read_zarr")(uri, level)


def _at_level(raw: RawImage, level: int, name: str) -> RawImage:
    """Pick one level of an image whose levels were all read; its pixels are larger accordingly."""
    if not level:
        return raw
    if not 0 < level <= len(raw.coarser):
        has = f"it has the levels 0 to {len(raw.coarser)}" if raw.coarser else "it has no pyramid"
        raise SourceError(f"level {level} of {name}", has, "choose one of them, or leave the level out", level=level)
    pixels = raw.coarser[level - 1]
    fine, axes = raw.pixels.shape, raw.axes or ""
    factors = {a: n / m for a, n, m in zip(axes, fine, pixels.shape, strict=False) if a in "zyx"}
    if (factor := level_factor(raw.pixels, pixels)) is not None:
        factors |= dict.fromkeys("yx", factor)
    # All levels show the same field of view, so the first pixel of a coarse one has its centre further in.
    shifts = {a: raw.translate.get(a, 0.0) + (k - 1) / 2 * raw.scale.get(a, 1.0) for a, k in factors.items()}
    return replace(
        raw,
        pixels=pixels,
        chunks=getattr(pixels, "chunks", raw.chunks),
        scale={**raw.scale, **{a: raw.scale.get(a, 1.0) * factor for a, factor in factors.items()}},
        translate={**raw.translate, **shifts},
        coarser=raw.coarser[level:],
        otherwise=_at_level(raw.otherwise, level, name) if raw.otherwise else None,
        frame=PixelFrame.of_level(dict(zip(axes, fine, strict=False)), factors),
    )


def _reader(place: str, package: str = _READERS) -> Callable[..., RawImage]:
    module, _, function = place.partition(":")
    found: Callable[..., RawImage] = getattr(importlib.import_module(f"{package}.{module}"), function)
    return found
