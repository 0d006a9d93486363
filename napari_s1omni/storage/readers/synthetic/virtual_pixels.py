"""Read a synthetic source: its pixels are computed box by box."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import JobError
from napari_s1omni.storage.readers.raw_image import RawImage
from napari_s1omni.storage.readers.synthetic.objects import draw_objects, shade
from napari_s1omni.storage.readers.synthetic.scene import Scene

_BAND = 2**18
"""Pixels that are computed at once."""


def read_synthetic(uri: str) -> RawImage:
    """Read the settings of a ``synthetic://`` URI.

    Raises
    ------
    JobError
        If a setting is unknown or out of range.
    """
    kind, _, query = uri.partition("://")[2].partition("?")
    given = parse_qsl(query, keep_blank_values=True)
    if len({key for key, _ in given}) != len(given):
        raise JobError(f"{uri}: a setting is given twice", remedy="remove one of them")
    scene = Scene.read({**dict(given), "kind": kind}, uri)
    axes = scene.letters.replace("c", "") if scene.labels else scene.letters
    scale = dict(zip(scene.letters, scene.scale, strict=True)) if scene.scale else {}
    pixels = VirtualPixels(scene, axes)
    return RawImage(
        pixels=pixels,
        axes=axes,
        chunks=pixels.chunks,
        scale={a: s for a, s in scale.items() if a in axes},
        units={a: scene.units for a in "zyx" if a in axes} if scale else {},
        kind="labels" if scene.labels else "image",
        uri=uri,
    )


@dataclass(frozen=True, slots=True)
class VirtualPixels:
    """An array computed when it is read."""

    scene: Scene
    """The settings."""
    axes: str
    """Its axes; labels have no c."""

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.scene.shape[self.scene.letters.index(a)] for a in self.axes)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint32 if self.scene.labels else self.scene.dtype)

    @property
    def chunks(self) -> tuple[int, ...]:
        return tuple(min(self.scene.chunk, n) if a in "yx" else 1 for a, n in zip(self.axes, self.shape, strict=True))

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        """Compute a box; a large one is halved along its longest axis until the parts are small."""
        size = [part.stop - part.start for part in index]
        if math.prod(size) <= _BAND:
            return self._compute(index)
        out = np.empty(size, self.dtype)
        longest = size.index(max(size))
        middle = size[longest] // 2
        for start, stop in ((0, middle), (middle, size[longest])):
            part = slice(index[longest].start + start, index[longest].start + stop)
            target = (*(slice(None),) * longest, slice(start, stop))
            out[target] = self[(*index[:longest], part, *index[longest + 1 :])]
        return out

    def _compute(self, index: tuple[slice, ...]) -> NDArray[Any]:
        """Compute each time point of a box, and for an image each channel."""
        spans = dict(zip(self.axes, index, strict=True))
        space = [a for a in self.axes if a in "zyx"]
        sizes = tuple(spans[a].stop - spans[a].start for a in space)
        found: dict[tuple[int, ...], NDArray[Any]] = {}
        for t in _indices(spans.get("t")):
            depth, ids = draw_objects(self.scene, space, [spans[a] for a in space], t)
            if self.scene.labels:
                found[t, 0] = ids
                continue
            for c in _indices(spans.get("c")):
                found[t, c] = shade(self.scene, space, [spans[a] for a in space], (t, c), depth, ids)
        # The stored order may have t and c anywhere: fill the canonical order, then transpose.
        block = np.stack(list(found.values())).reshape(
            len(_indices(spans.get("t"))), -1 if not self.scene.labels else 1, *sizes
        )
        letters = ["t", "c", *space]
        kept = [i for i, a in enumerate(letters) if a in self.axes]
        block = block.reshape([block.shape[i] for i in kept])
        order = [letters[i] for i in kept]
        return block.transpose([order.index(a) for a in self.axes])


def _indices(span: slice | None) -> range:
    return range(span.start, span.stop) if span is not None else range(1)
