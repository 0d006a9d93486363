"""What the header of a picture says about its bits, where Pillow decodes fewer or other ones without a word."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError

_HEAD = 2**20
"""Bytes that are searched for the header of a JPEG 2000 codestream."""
_PNG_GREY, _PNG_COLOURS, _PNG_PALETTE = 0, (2, 4, 6), 3
_PNM = re.compile(rb"P([2356])(?:\s+#[^\n]*)*\s+\d+(?:\s+#[^\n]*)*\s+\d+(?:\s+#[^\n]*)*\s+(\d+)\s")
_J2K = re.compile(rb"\xff\x4f\xff\x51")


@dataclass(frozen=True, slots=True)
class StoredBits:
    """How the values of a picture differ from those that Pillow returns."""

    restore: Callable[[NDArray[Any]], NDArray[Any]] | None = None
    """Turns decoded grey values into the stored ones; None if they are the same."""
    note: str = ""


def stored_bits(path: Path) -> StoredBits:
    """Read the header of a picture.

    Raises
    ------
    SourceError
        If it has more than 8 bits per colour, which Pillow reduces to 8; or if it is a PNG without its palette or
        with a part that is larger than the file.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if head.startswith(b"\x89PNG"):
            _check_png_parts(path, file)
    if head.startswith(b"\x89PNG") and len(head) > 26:
        bits, kind = head[24], head[25]
        if kind == _PNG_PALETTE and b"PLTE" not in head[: head.find(b"IDAT")]:
            raise _damaged(path, "its colours are numbers of a palette, which is missing")
        if bits == 16 and kind in _PNG_COLOURS:
            raise _too_deep(path, "PNG", bits)
        if kind == _PNG_GREY and bits in (2, 4):
            top = 2**bits - 1
            return StoredBits(note=f"its values of 0 to {top} are read as 0 to 255, as a PNG of {bits} bits shows them")
    if found := _PNM.match(head):
        top = int(found.group(2))
        if found.group(1) in b"36" and top > 255:
            raise _too_deep(path, "PPM", 16)
        if found.group(1) in b"36" and top < 255:
            return StoredBits(note=f"its values of 0 to {top} are read as 0 to 255")
        if found.group(1) in b"25" and top not in (255, 65535):
            full = 255 if top < 255 else 65535
            return StoredBits(lambda grey: np.rint(grey.astype(float) * (top / full)).astype(_unsigned(top)))
    if found := _J2K.search(head):
        return _jpeg_2000(path, head[found.end() :])
    return StoredBits()


def _check_png_parts(path: Path, file: BinaryIO) -> None:
    """Refuse a PNG with a part (chunk) larger than the file, for which the decoder would take memory."""
    size, at = os.fstat(file.fileno()).st_size, 8
    while at < size:
        file.seek(at)
        length = int.from_bytes(file.read(4), "big")
        if length > size:
            raise _damaged(path, f"a part of it claims {length:,} bytes, but the file has {size:,}")
        at += length + 12


def _jpeg_2000(path: Path, segment: bytes) -> StoredBits:
    """Look at the segment SIZ: the number of components at byte 36, and the bits of the first at byte 38."""
    if len(segment) < 39:
        return StoredBits()
    components, bits = int.from_bytes(segment[36:38], "big"), (segment[38] & 0x7F) + 1
    if bits <= 8:
        return StoredBits()
    if components > 1 or bits > 16:
        raise _too_deep(path, "JPEG 2000", bits)
    return StoredBits(lambda grey: grey >> (16 - bits)) if bits < 16 else StoredBits()


def _unsigned(top: int) -> type[np.unsignedinteger[Any]]:
    return np.uint8 if top < 256 else np.uint16


def _damaged(path: Path, reason: str) -> SourceError:
    return SourceError(f"{path} cannot be decoded: {reason}", remedy="copy or write the file again", path=str(path))


def _too_deep(path: Path, kind: str, bits: int) -> SourceError:
    return SourceError(
        f"{path} is a {kind} of {bits} bits per colour, which the decoder reduces to 8",
        f"a {kind} has 8 bits per colour, or up to 16 bits in one channel",
        "convert it to TIFF",
        path=str(path),
    )
