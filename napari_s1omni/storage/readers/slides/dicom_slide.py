"""Read whole slides in DICOM with wsidicom, region by region: a folder with one file per level, or one of its files."""

from __future__ import annotations

import threading
import weakref
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.file_format import FormatInfo, ImageHeader
from napari_s1omni.storage.readers.folder_formats import is_slide
from napari_s1omni.storage.readers.raw_image import Pixels, RawImage
from napari_s1omni.storage.readers.slides.dicom_slide_metadata import read_acquisition, slide_name

_SIDES = ("labels", "overviews")


def describe() -> FormatInfo:
    """Describe the format."""
    return FormatInfo(
        "DICOM whole slide", (), "wsidicom", "Apache-2.0", "slides", "files written by hand as the standard says"
    )


def list_images(path: Path) -> Sequence[ImageHeader]:
    """List the slides of a folder with their labels and overviews; see :class:`FileFormat`."""
    return [header for each in _open(path) for header in each.headers()]


def read_image(path: Path, number: int) -> RawImage:
    """Return one slide, label or overview as a lazy array; see :class:`FileFormat`."""
    for each in _open(path):
        count = len(each.headers())
        if number < count:
            return each.read(number)
        number -= count
    raise SourceError(f"{path} has no image {number}", path=str(path))


@dataclass(frozen=True, slots=True)
class _Level:
    """One level of a slide as an array."""

    slide: _Slide
    level: Any
    """The level as wsidicom knows it."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        return self.slide.read_region(self, index)


class _Slide:
    """An open slide, closed when the last array that reads from it is deleted."""

    def __init__(self, files: Sequence[Path], number: int, of: int) -> None:
        from wsidicom import WsiDicom

        self.where = files[0].parent
        self._lock = threading.Lock()
        self._slide = WsiDicom.open(files)
        weakref.finalize(self, self._slide.close)
        # wsidicom leaves out files that it cannot read, and goes on with a coarser level.
        opened = {str(Path(str(file))) for file in self._slide.files or ()}
        if lost := [file.name for file in files if str(file) not in opened]:
            raise SourceError(
                f"{', '.join(lost)} in {self.where} cannot be read",
                "all files of a slide are whole",
                "copy them again; to read the others alone, move them into another folder",
                path=str(self.where),
            )
        self._name = slide_name(self._slide, number) if of > 1 else self.where.name

    def headers(self) -> list[ImageHeader]:
        """Describe the slide, then its label and overview."""
        first, *coarser = self.levels()
        level = self._slide.levels.base_level
        axes, size = self._axes(level), level.pixel_spacing
        steps = {"y": float(size.height), "x": float(size.width)}
        if (depth := self._depth(level)) is not None:
            steps["z"] = depth
        main = ImageHeader(
            name=self._name,
            axes=axes,
            shape=first.shape,
            dtype=first.dtype.name,
            scale=tuple(steps.get(axis) for axis in axes),
            units=tuple("millimeter" if axis in steps else None for axis in axes),
            channels=read_acquisition(self._slide).channels if "c" in axes else (),
            levels=1 + len(coarser),
        )
        prefix = f"{self._name}/" if self._name else ""
        return [
            main,
            *(
                ImageHeader(
                    f"{prefix}{kind[:-1]}", "yxs", pixels.shape, pixels.dtype.name, (None,) * 3, (None,) * 3, main=False
                )
                for kind, pixels in self._sides()
            ),
        ]

    def read(self, number: int) -> RawImage:
        """Return the slide, or from 1 its label and overview."""
        if number:
            _, pixels = self._sides()[number - 1]
            return RawImage(pixels, "yxs", pixels.shape)
        header = self.headers()[0]
        first, *coarser = self.levels()
        known = {a: s for a, s in zip(header.axes, header.scale, strict=True) if s is not None}
        acquisition = read_acquisition(self._slide)
        return RawImage(
            first,
            header.axes,
            first.chunks,
            scale=known,
            units=dict.fromkeys(known, "millimeter"),
            channel_names=tuple(channel.name for channel in header.channels),
            coarser=tuple[Pixels, ...](coarser),
            notes=self._notes(),
            acquisition=acquisition,
        )

    def levels(self) -> list[_Level]:
        """Return the levels, finest first."""
        found = []
        for level in self._slide.levels:
            axes = self._axes(level)
            sizes = {"y": level.size.height, "x": level.size.width, "s": 3}
            sizes |= {"z": len(level.focal_planes), "c": len(level.optical_paths)}
            tile = {"y": level.tile_size.height, "x": level.tile_size.width, "s": 3, "z": 1, "c": 1}
            bits = int(level.datasets[0].as_dataset().BitsAllocated)
            shape, chunks = (tuple(int(each[a]) for a in axes) for each in (sizes, tile))
            found.append(_Level(self, level, shape, np.dtype(f"uint{bits}"), chunks))
        return found

    def read_region(self, level: _Level, index: tuple[slice, ...]) -> NDArray[Any]:
        """Read a box of a level."""
        at = level.level
        axes = self._axes(at)
        box = {a: part.indices(n) for a, part, n in zip(axes, index, level.shape, strict=True)}
        (top, bottom, _), (left, right, _) = box["y"], box["x"]
        paths = sorted(at.optical_paths)[slice(*box["c"][:2])] if "c" in axes else [None]
        depths = sorted(at.focal_planes)[slice(*box["z"][:2])] if "z" in axes else [None]
        shape = tuple(stop - start for start, stop, _ in (box[a] for a in axes))
        planes = []
        for path in paths if shape and all(shape) else ():
            for depth in depths:
                try:
                    with self._lock:
                        planes.append(
                            self._slide.read_region(
                                (left, top), at.level, (right - left, bottom - top), depth, path, as_array=True
                            )
                        )
                except Exception as error:
                    raise SourceError(
                        f"{self.where}, level {at.level}, pixels [{top}:{bottom}, {left}:{right}], cannot be decoded: "
                        f"{type(error).__name__}: {error}",
                        remedy="copy the slide again, or leave that region out",
                        path=str(self.where),
                    ) from error
        if not planes:
            return np.zeros(shape, level.dtype)
        colours = slice(*box["s"][:2]) if "s" in axes else slice(None)
        stacked = np.stack([p if "s" not in axes else p[..., colours] for p in map(np.asarray, planes)])
        return stacked.reshape(shape)

    def _notes(self) -> tuple[str, ...]:
        base = self._slide.levels.base_level.datasets[0].as_dataset()
        if "RESAMPLED" in base.get("ImageType", ()):
            return ("the finest level here was resampled from a finer one, whose file is missing",)
        return ()

    def _sides(self) -> list[tuple[str, NDArray[Any]]]:
        found = []
        for kind in _SIDES:
            groups = getattr(self._slide, kind)
            if groups:
                read = getattr(self._slide, f"read_{kind[:-1]}")
                found.append((kind, np.asarray(read().convert("RGB"))))
        return found

    @staticmethod
    def _axes(level: Any) -> str:
        coloured = level.datasets[0].samples_per_pixel == 3
        c = "c" if len(level.optical_paths) > 1 and not coloured else ""
        z = "z" if len(level.focal_planes) > 1 else ""
        return f"{c}{z}yx{'s' if coloured else ''}"

    @staticmethod
    def _depth(level: Any) -> float | None:
        """Return the distance of focal planes in millimetres."""
        depths = sorted(level.focal_planes)
        return (depths[-1] - depths[0]) / (len(depths) - 1) / 1000 if len(depths) > 1 else None


def _open(path: Path) -> list[_Slide]:
    """Open each slide of a folder, or the slide that a file belongs to."""
    import pydicom

    wanted = None if path.is_dir() else _series(path)
    by_series: dict[str, list[Path]] = defaultdict(list)
    for file in sorted((path if path.is_dir() else path.parent).iterdir()):
        if file.is_file() and is_slide(file):
            by_series[_series(file)].append(file)
    if not by_series:
        raise SourceError(f"{path} holds no whole slide in DICOM", path=str(path))
    chosen = {series: files for series, files in by_series.items() if wanted in (None, series)}
    try:
        return [_Slide(files, number, len(chosen)) for number, files in enumerate(chosen.values())]
    except pydicom.errors.InvalidDicomError as error:
        raise SourceError(f"{path} cannot be read as DICOM: {error}", remedy="copy it again", path=str(path)) from error


def _series(file: Path) -> str:
    import pydicom

    try:
        found = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
    except Exception as error:
        raise SourceError(
            f"{file} cannot be read as DICOM: {type(error).__name__}: {error}", remedy="copy it again", path=str(file)
        ) from error
    return str(found.get("SeriesInstanceUID", ""))
