"""Encode one shard of a zarr v3 array in one call.

The layout is that of the ``sharding_indexed`` codec of zarr v3: the inner
chunks, each zstd and then crc32c, followed by an index of little-endian
uint64 pairs (offset, length) in C order with its own crc32c. zarr-python
writes the same chunk by chunk through its event loop and reads before it
writes; whole shards need neither.
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
"""On noisy images, higher levels take two to five times as long and save 5 % of space."""
_ABSENT = 2**64 - 1


def encode_shard(pixels: NDArray[np.generic], chunk: tuple[int, ...], shard: tuple[int, ...]) -> bytes | None:
    """Encode one shard; return None if all its pixels are 0, since it is then not stored.

    Parameters
    ----------
    pixels : array
        The part of the shard inside the array, starting at the shard's origin.
    chunk, shard : tuple of int
        Sizes in pixels; `chunk` divides `shard`.
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
    """Return 128 bits of a SHA-256 over shape, dtype and values as hexadecimal, independent of compression."""
    values = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
    found = hashlib.sha256(f"{pixels.shape} {pixels.dtype.name} ".encode())
    found.update(values.reshape(-1).view(np.uint8).data)
    return found.hexdigest()[:32]


def inner_chunk(shard: tuple[int, ...], axes: tuple[str, ...], itemsize: int) -> tuple[int, ...]:
    """Choose the chunk to read: planes of 128 to 512 px, one channel and time point, at most 1 MiB.

    A shard edge without a divisor in that range becomes one chunk.
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
    """Whether every bit is 0; a float -0.0 counts as a value."""
    if pixels.dtype.kind == "f":
        return not np.ascontiguousarray(pixels).view(f"u{pixels.dtype.itemsize}").any()
    return not pixels.any()
