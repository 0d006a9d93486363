"""Samples: images to try. Real ones ship inside scikit-image; large ones are computed where they are read."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.storage.source import Source, open_source

LayerData = tuple[Any, dict[str, Any], str]

VOLUME = "synthetic://nuclei?shape=2,32,4096,4096&axes=czyx&seed=7&diameter=24&scale=1,1.2,0.4,0.4"
"""Two channels of 32 planes of 4096 x 4096 px, 2.1 GB, of which nothing is stored."""
_SMALLEST = 512
_REMEMBERED = 2**20
"""Px of a level up to which it is read once and kept: viewers come back to coarse levels, whose px cost most."""


def coins() -> list[LayerData]:
    """Return Greek coins: a grey picture with an uneven ground."""
    from skimage import data

    return [(data.coins(), {"name": "coins"}, "image")]


def tissue() -> list[LayerData]:
    """Return colon tissue, immunohistochemistry: a colour picture of nuclei and a brown stain."""
    from skimage import data

    return [(data.immunohistochemistry(), {"name": "tissue (IHC)", "rgb": True}, "image")]


def nuclei() -> list[LayerData]:
    """Return nuclei of a synthetic monolayer, 2048 x 2048 px."""
    return [synthetic_layer("synthetic://nuclei?shape=2048,2048&seed=3&diameter=28&scale=0.325,0.325", "nuclei")]


def volume() -> list[LayerData]:
    """Return two channels of nuclei in 3D, 2.1 GB, computed as they are looked at."""
    return [synthetic_layer(VOLUME, "nuclei 3D")]


def synthetic_layer(uri: str, name: str = "synthetic") -> LayerData:
    """Open a synthetic image as a pyramid whose levels are computed when they are looked at.

    Parameters
    ----------
    uri : str
        See :mod:`napari_s1omni.storage.readers.synthetic`.
    name : str
    """
    source = open_source(uri)
    data = [LazyPixels(source)]
    drawn, at, factor = source, 1, 2
    while max(data[-1].shape[-2:]) > _SMALLEST:
        smaller = _smaller(uri, factor)
        if smaller is not None:
            drawn, at = smaller, factor
        # What is too small to be drawn is sampled from the smallest drawing, not from all px there are.
        data.append(LazyPixels(drawn, factor // at))
        factor *= 2
    spec = source.spec
    top = {"uint8": 255.0, "uint16": 4000.0, "float32": 1.0}.get(spec.dtype, 1.0)
    options: dict[str, Any] = {
        "name": name,
        "multiscale": len(data) > 1,
        "scale": spec.scale,
        "units": [unit or "pixel" for unit in spec.units],
        "axis_labels": spec.axes,
    }
    if spec.kind == "labels":
        return data if len(data) > 1 else data[0], options, "labels"
    options["contrast_limits"] = (0.0, top)
    return data if len(data) > 1 else data[0], options, "image"


def _smaller(uri: str, factor: int) -> Source | None:
    """Return the same scene drawn smaller, None where its objects would be too small."""
    kind, _, query = uri.partition("?")
    settings = dict(parse_qsl(query))
    shape = [int(n) for n in settings["shape"].split(",")]
    diameter = float(settings.get("diameter", 20)) / factor
    axes = settings.get("axes") or {2: "yx", 3: "zyx", 5: "tczyx"}[len(shape)]
    flat = [a in "yx" for a in axes]
    if diameter < 2 or any(f and n % factor for n, f in zip(shape, flat, strict=True)):
        return None
    scale = [float(s) for s in settings.get("scale", ",".join("1" * len(shape))).split(",")]
    settings["shape"] = ",".join(str(n // factor if f else n) for n, f in zip(shape, flat, strict=True))
    settings["scale"] = ",".join(str(s * factor if f else s) for s, f in zip(scale, flat, strict=True))
    settings["diameter"] = str(diameter)
    if "spacing" in settings:
        settings["spacing"] = str(float(settings["spacing"]) / factor)
    return open_source(f"{kind}?{urlencode(settings, safe=',')}")


class LazyPixels:
    """A source as an array that is read when it is indexed, every n-th px along y and x.

    Parameters
    ----------
    source : Source
    factor : int
        Which px of a row and column are kept.
    colours_last : bool
        Whether the axis of channels comes last, as viewers want the colours of a picture.
    """

    def __init__(self, source: Source, factor: int = 1, *, colours_last: bool = False) -> None:
        self._source = source
        self._factor = factor
        axes = "".join(source.spec.axes)
        self._axes = axes.replace("c", "") + "c" if colours_last else axes
        self.dtype = source.spec.np_dtype
        sizes = dict(zip(axes, source.spec.shape, strict=True))
        self.shape = tuple(-(-sizes[a] // factor) if a in "yx" else sizes[a] for a in self._axes)
        self.ndim = len(self.shape)
        self._whole: NDArray[Any] | None = None

    @property
    def store_path(self) -> str:
        """From where any process can open it again; empty for a coarser level."""
        return self._source.spec.source or ""

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Compute what integers and slices choose."""
        if self.size > _REMEMBERED:
            return self._read(key)
        if self._whole is None:
            self._whole = np.ascontiguousarray(self._read(...))
            self._whole.setflags(write=False)
        pixels: NDArray[Any] = self._whole[key]
        return pixels

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[(slice(None),) * self.ndim], dtype)

    def _read(self, key: Any) -> NDArray[Any]:
        keys = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in keys:
            i = keys.index(Ellipsis)
            keys[i : i + 1] = [slice(None)] * (self.ndim - len(keys) + 1)
        keys += [slice(None)] * (self.ndim - len(keys))
        spec = self._source.spec
        after, box = [], {}
        for k, n, axis in zip(keys, self.shape, self._axes, strict=True):
            start, stop, step = k.indices(n) if isinstance(k, slice) else (int(k) % n, int(k) % n + 1, 1)
            f = self._factor if axis in "yx" else 1
            after.append(slice(None, None, step * f) if isinstance(k, slice) else 0)
            box[axis] = slice(start * f, min(spec.size(axis), (max(stop, start + 1) - 1) * f + 1))
        pixels = self._source.read([box[a] for a in spec.axes])
        return pixels.transpose([spec.axes.index(a) for a in self._axes])[tuple(after)]
