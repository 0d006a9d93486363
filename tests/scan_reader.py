"""A format for tests: ``.scan`` is a list of images in JSON, whose pixels are discs that are computed where they are read."""

import json
from pathlib import Path

import numpy as np

from napari_s1omni.core.acquisition import Acquisition, Channel
from napari_s1omni.storage.readers.file_format import FormatInfo, ImageHeader
from napari_s1omni.storage.readers.raw_image import RawImage

STEP, RADIUS = 40, 8
"""Pixels between the centres of discs, and their radius."""


def describe():
    return FormatInfo("Test scan", (".scan",), "nobody", "MIT")


def list_images(path):
    document = json.loads(Path(path).read_text("utf-8"))
    return [_header(one) for one in document["images"]]


def read_image(path, number):
    one = json.loads(Path(path).read_text("utf-8"))["images"][number]
    header = _header(one)
    scale = {a: s for a, s in zip(header.axes, header.scale, strict=True) if s is not None}
    units = {a: u for a, u in zip(header.axes, header.units, strict=True) if u is not None}
    levels = [Discs(header.axes, _coarse(header, 2**i), number, 2**i) for i in range(header.levels)]
    names = tuple(channel.name for channel in header.channels)
    axes = header.axes.replace("l", "c").replace("e", "c")
    acquisition = Acquisition(channels=header.channels, **{**one.get("acquired", {})})
    return RawImage(
        levels[0],
        axes,
        levels[0].chunks,
        scale,
        {},
        units,
        names,
        coarser=tuple(levels[1:]),
        notes=("the gamma of the camera is left out",),
        acquisition=acquisition,
    )


def write_scan(path, *images):
    """Write a file; images are dictionaries with the fields of a header, where only the name is required."""
    Path(path).write_text(json.dumps({"images": list(images)}), "utf-8")
    return path


def _header(one):
    axes = one.get("axes", "yx")
    shape = tuple(one.get("shape", [80] * len(axes)))
    scale = tuple(one.get("scale", [0.5 if a in "yx" else None for a in axes]))
    units = tuple(one.get("units", ["micrometer" if a in "yx" else None for a in axes]))
    channels = tuple(Channel(**channel) for channel in one.get("channels", ()))
    return ImageHeader(one["name"], axes, shape, "uint8", scale, units, channels, one.get("levels", 1))


def _coarse(header, factor):
    return tuple(-(-n // factor) if a in "yx" else n for a, n in zip(header.axes, header.shape, strict=True))


class Discs:
    """Discs on a grid, brighter in each further image of the file and in each channel."""

    dtype = np.dtype("uint8")

    def __init__(self, axes, shape, number, factor):
        self.axes, self.shape, self.number, self.factor = axes, shape, number, factor
        self.chunks = tuple(min(n, 64) if a in "yx" else 1 for a, n in zip(axes, shape, strict=True))

    def __getitem__(self, index):
        grids = np.ogrid[tuple(index)]
        at = dict(zip(self.axes, grids, strict=True))
        away = sum(((at[a] * self.factor) % STEP - STEP // 2) ** 2 for a in "yx")
        bright = 60 + 40 * (self.number % 3) + 20 * at.get("c", 0)
        return (np.where(away <= RADIUS**2, bright, 10) + 0 * sum(grids)).astype(self.dtype)
