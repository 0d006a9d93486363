"""An image as this package reads it."""

from __future__ import annotations

from pathlib import Path

from napari_s1omni.benchmarks.reading.quiet import quiet
from napari_s1omni.benchmarks.reading.seen import Seen
from napari_s1omni.storage.source import open_source


def read_ours(path: Path) -> tuple[Seen, tuple[str, ...]]:
    """Open and read an image; return it and its notes.

    Raises
    ------
    S1OmniError
        If this package refuses it.
    """
    with quiet():
        source = open_source(path)
        spec = source.spec
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
