"""An image as this package reads it."""

from __future__ import annotations

import warnings
from pathlib import Path

from napari_s1omni.benchmarks.reading.seen import LARGEST, NotComparable, Seen
from napari_s1omni.storage.source import open_source

_CORNER = 16
"""Pixels along each axis that are read at both ends of a very large image."""


def read_ours(path: Path) -> tuple[Seen, tuple[str, ...]]:
    """Open and read an image; return it and its notes.

    Raises
    ------
    S1OmniError
        If this package refuses it.
    NotComparable
        If it is so large that only its corners were read.
    """
    with warnings.catch_warnings():
        # What libraries log stays: notes are made of it.
        warnings.simplefilter("ignore")
        source = open_source(path)
        spec = source.spec
        if spec.nbytes > LARGEST:
            source.read(tuple(slice(0, min(n, _CORNER)) for n in spec.shape))
            source.read(tuple(slice(max(0, n - _CORNER), n) for n in spec.shape))
            raise NotComparable(f"{spec.nbytes} bytes")
        seen = Seen(
            "napari_s1omni",
            "".join(spec.axes),
            source.read(),
            dict(zip(spec.axes, spec.scale, strict=True)),
            dict(zip(spec.axes, spec.units, strict=True)),
            dict(zip(spec.axes, spec.translate, strict=True)),
            spec.channel_names,
        )
    return seen, source.notes
