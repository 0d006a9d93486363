"""Damage to the bytes of any file: flipped, cut, missing, repeated."""

from __future__ import annotations

import random
import re

_HEADER = 1024
_TEXTS = (b"<OME", b"ImageJ=", b'{"shape"', b"Aperio", b"\x93NUMPY")
"""Beginnings of the texts in which files keep their sizes."""
_NUMBER = re.compile(rb"\d[\d.]*")
_WORDS = (b"nan", b"-1", b"0", b"1e99", b"inf", b"x", b"99999999999", b"")


def flip(data: bytearray, rng: random.Random) -> str:
    """Change some bytes, often in the header."""
    count = rng.choice((1, 1, 2, 8, 32))
    end = min(len(data), _HEADER) if rng.random() < 0.5 else len(data)
    for _ in range(count if data else 0):
        data[rng.randrange(end)] = rng.randrange(256)
    return f"{count} bytes changed"


def truncate(data: bytearray, rng: random.Random) -> str:
    """Keep the beginning."""
    kept = rng.randrange(len(data) + 1)
    del data[kept:]
    return f"truncated to {kept} bytes"


def remove(data: bytearray, rng: random.Random) -> str:
    """Take a piece out."""
    start, stop = _piece(data, rng)
    del data[start:stop]
    return f"bytes {start} to {stop} removed"


def repeat(data: bytearray, rng: random.Random) -> str:
    """Write a piece twice."""
    start, stop = _piece(data, rng)
    data[start:start] = data[start:stop]
    return f"bytes {start} to {stop} repeated"


def overwrite(data: bytearray, rng: random.Random) -> str:
    """Overwrite a piece with 0 or 255, as a bad copy does."""
    start, stop = _piece(data, rng)
    value = rng.choice((0, 255))
    data[start:stop] = bytes([value]) * (stop - start)
    return f"bytes {start} to {stop} set to {value}"


def change_number(data: bytearray, rng: random.Random) -> str:
    """Change a number in the text of the metadata; the text keeps its length."""
    start = next((at for text in _TEXTS if (at := data.find(text)) >= 0), None)
    numbers = [] if start is None else list(_NUMBER.finditer(data, start, start + 4096))
    if not numbers:
        return flip(data, rng)
    found = rng.choice(numbers)
    width = found.end() - found.start()
    word = rng.choice(_WORDS)[:width].ljust(width)
    data[found.start() : found.end()] = word
    return f"{found.group().decode('latin-1')} in the text became {word.decode('latin-1')!r}"


ANY = (flip, flip, truncate, remove, repeat, overwrite, change_number)


def _piece(data: bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 2, 4, 16, 256, 4096)))
