"""One shard of a zarr v3 array, encoded whole in one call.

The layout is that of the ``sharding_indexed`` codec of the zarr v3 core: the
inner chunks, each zstd and then crc32c, followed by an index of little-endian
uint64 pairs (offset, length) in C order with its own crc32c. zarr-python
writes the same through its event loop, chunk by chunk; a writer of whole
shards needs neither that nor its reading before writing.
"""

from __future__ import annotations

import hashlib
import itertools
import math

import google_crc32c
import numpy as np
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

ZSTD_LEVEL = 1
"""On noisy images higher levels cost two to five times as long for 5 % less space."""
_ABSENT = 2**64 - 1


def encode_shard(pixels: NDArray[np.generic], chunk: tuple[int, ...], shard: tuple[int, ...]) -> bytes | None:
    """Encode one shard; None if all its pixels are 0 and it need not exist.

    Parameters
    ----------
    pixels : array
        What lies inside the array's bounds, at most `shard` large; starts at the shard's origin.
    chunk, shard : tuple of int
        Sizes in px; `chunk` divides `shard`.
    """
    codec = Zstd(level=ZSTD_LEVEL)
    stored = pixels.dtype.newbyteorder("<")
    counts = tuple(s // c for s, c in zip(shard, chunk, strict=True))
    index = np.full((math.prod(counts), 2), _ABSENT, "<u8")
    parts: list[bytes] = []
    offset = 0
    for i, at in enumerate(itertools.product(*map(range, counts))):
        box = tuple(slice(k * c, k * c + c) for k, c in zip(at, chunk, strict=True))
        inside = pixels[box]
        if _all_zero(inside):
            continue
        if inside.shape != chunk:
            full = np.zeros(chunk, stored)
            full[tuple(slice(0, n) for n in inside.shape)] = inside
            inside = full
        packed = codec.encode(np.ascontiguousarray(inside, stored))
        parts += [packed, google_crc32c.value(packed).to_bytes(4, "little")]
        index[i] = offset, len(packed) + 4
        offset += len(packed) + 4
    if not parts:
        return None
    table = index.tobytes()
    return b"".join([*parts, table, google_crc32c.value(table).to_bytes(4, "little")])


def digest(pixels: NDArray[np.generic]) -> str:
    """SHA-256 (128 bits of it, hexadecimal) over shape, dtype and values, whatever the compression."""
    values = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
    found = hashlib.sha256(f"{pixels.shape} {pixels.dtype.name} ".encode())
    found.update(values.reshape(-1).view(np.uint8).data)
    return found.hexdigest()[:32]


def inner_chunk(shard: tuple[int, ...], axes: tuple[str, ...], itemsize: int) -> tuple[int, ...]:
    """Choose the unit of reading: planes of 128 to 512 px, of one channel and time, at most 1 MiB.

    A shard edge without a divisor in that range is one chunk.
    """
    chunk = dict.fromkeys(axes, 1)
    for axis in "yx":
        size = shard[axes.index(axis)]
        chunk[axis] = max((d for d in range(1, min(size, 512) + 1) if size % d == 0), default=1)
        if chunk[axis] < min(size, 128):
            chunk[axis] = size
    if "z" in axes:
        depth = shard[axes.index("z")]
        planes = max(1, 2**20 // (chunk["y"] * chunk["x"] * itemsize))
        chunk["z"] = max(d for d in range(1, min(depth, planes) + 1) if depth % d == 0)
    return tuple(chunk[axis] for axis in axes)


def _all_zero(pixels: NDArray[np.generic]) -> bool:
    """Whether every bit is 0: a float -0.0 is a value of its own."""
    if pixels.dtype.kind == "f":
        return not np.ascontiguousarray(pixels).view(f"u{pixels.dtype.itemsize}").any()
    return not pixels.any()
