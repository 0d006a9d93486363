"""Damage to fields of a header that is otherwise sound: TIFF tags, PNG sizes, NIfTI fields."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zlib
from typing import Any

import tifffile

from napari_s1omni.benchmarks.fuzzing.damaged_bytes import flip
from napari_s1omni.benchmarks.reading.quiet import quiet

_WHOLE = (0, 1, 2, 3, 5, 8, 16, 32, 255, 4096, 65535, 2**31 - 1, 2**32 - 1)
_REAL = (0.0, -1.0, 1e30, 1e-30, float("nan"), float("inf"), -float("inf"), 2.0)
_NIFTI = {
    "dim": ("h", 40, 8),
    "intent_code": ("h", 68, 1),
    "datatype": ("h", 70, 1),
    "bitpix": ("h", 72, 1),
    "pixdim": ("f", 76, 8),
    "vox_offset": ("f", 108, 1),
    "scl_slope": ("f", 112, 2),
    "xyzt_units": ("b", 123, 1),
    "qform_code": ("h", 252, 2),
    "quatern": ("f", 256, 6),
    "srow": ("f", 280, 12),
    "magic": ("b", 344, 4),
}
"""Field of a NIfTI-1 header -> its type, place and number of values."""


def tiff_tag(data: bytearray, rng: random.Random) -> str:
    """Change the value, the type, the count or the code of a tag."""
    try:
        with quiet(), tifffile.TiffFile(io.BytesIO(bytes(data))) as tiff:
            tags = [tag for page in tiff.pages[:3] for tag in page.tags]
            order, large = tiff.byteorder, tiff.is_bigtiff
    except Exception:
        # It is damaged too much already to have tags.
        return flip(data, rng)
    if not tags:
        return flip(data, rng)
    tag = rng.choice(tags)
    part, value = rng.choice(("value", "value", "value", "type", "count", "code")), rng.choice(_WHOLE)
    at, form = {
        "code": (tag.offset, "H"),
        "type": (tag.offset + 2, "H"),
        "count": (tag.offset + 4, "Q" if large else "I"),
        "value": (tag.valueoffset, {1: "B", 2: "B", 3: "H", 16: "Q"}.get(int(tag.dtype), "I")),
    }[part]
    _put(data, order + form, at, value)
    return f"{part} of tag {tag.name} became {value}"


def png_size(data: bytearray, rng: random.Random) -> str:
    """Change width, height, depth or colour type of a PNG, with a right checksum."""
    name, at, form = rng.choice((("width", 16, ">I"), ("height", 20, ">I"), ("depth", 24, "B"), ("colours", 25, "B")))
    value = rng.choice(_WHOLE)
    _put(data, form, at, value)
    _put(data, ">I", 29, zlib.crc32(data[12:29]))
    return f"{name} became {value}"


def nifti_field(data: bytearray, rng: random.Random) -> str:
    """Change a field of a NIfTI header, compressed or not."""
    compressed = data[:2] == b"\x1f\x8b"
    plain = data
    if compressed:
        try:
            plain = bytearray(gzip.decompress(bytes(data)))
        except (OSError, EOFError, zlib.error):
            return flip(data, rng)
    name = rng.choice(tuple(_NIFTI))
    form, at, count = _NIFTI[name]
    value: Any = rng.choice(_REAL) if form == "f" else rng.choice((*_WHOLE[:9], -1, 32767))
    item = rng.randrange(count)
    _put(plain, "<" + form, at + item * struct.calcsize(form), value)
    if compressed:
        data[:] = gzip.compress(bytes(plain), 1, mtime=0)
    return f"{name}[{item}] became {value}"


def _put(data: bytearray, form: str, at: int, value: Any) -> None:
    """Write a number, cut to the bits of its place, if the data reach so far."""
    size = struct.calcsize(form)
    if form[-1] == "f":
        packed = struct.pack(form, value)
    else:
        packed = (int(value) % 2 ** (8 * size)).to_bytes(size, "big" if form[0] == ">" else "little")
    if at + size <= len(data):
        data[at : at + size] = packed
