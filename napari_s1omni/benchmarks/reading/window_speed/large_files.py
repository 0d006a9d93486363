"""How long ``s1omni info`` takes on files of 50 GB and of 10,000 images, and how much memory."""

from __future__ import annotations

import contextlib
import io
import runpy
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_s1omni.benchmarks.fresh_process import Numbers, call_in_fresh_process
from napari_s1omni.benchmarks.reading.instrument_files import leica, zeiss
from napari_s1omni.system.memory import own_peak

SECONDS = 1.0
"""Processor seconds of ``s1omni info`` that are the target."""
MEMORY = 200 * 10**6
"""Bytes of memory that are the target."""
_SHAPE = (50, 22_400, 22_400)
"""Pixels of 16 bits: 50 GB."""
_BYTES = 2 * _SHAPE[0] * _SHAPE[1] * _SHAPE[2]
_IMAGES = 10_000
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class InfoTime:
    """What ``s1omni info`` takes on one file."""

    file: str
    images: int
    size: int
    """Bytes of the file; most of it was never written."""
    seconds: float
    """Processor time of the whole command, of the fastest of three."""
    memory: int
    """Peak of its memory in bytes."""


def measure_large() -> Iterator[InfoTime]:
    """Yield what ``s1omni info`` takes on each file whose library is installed."""
    for name, (images, write) in _FILES.items():
        with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as home:
            path = Path(home) / name
            try:
                write(path)
            except ImportError:
                continue
            found = [call_in_fresh_process(run_info, str(path)) for _ in range(_ROUNDS)]
            seconds, memory = (min(one[key] for one in found) for key in ("seconds", "memory"))
            yield InfoTime(name, images, path.stat().st_size, float(seconds), int(memory))


def run_info(path: str) -> Numbers:
    """Run the command in this process, and return what it took from the start of the process."""
    sys.argv = ["s1omni", "info", path]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            runpy.run_module("napari_s1omni", run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"s1omni info {path} ended with exit code {end.code}") from end
    return {"seconds": time.process_time(), "memory": own_peak()}


def _behind(path: Path, header: bytes) -> None:
    """Write a header and, behind it, pixels that take no place on the disk."""
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + _BYTES)


def _npy(path: Path) -> None:
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<u2", "fortran_order": False, "shape": _SHAPE})
        file.truncate(file.tell() + _BYTES)


def _tiff(path: Path) -> None:
    import tifffile

    tifffile.memmap(path, shape=_SHAPE, dtype=np.uint16, bigtiff=True, photometric="minisblack")


def _mrc(path: Path) -> None:
    header = bytearray(1024)
    struct.pack_into("<10i", header, 0, *_SHAPE[::-1], 6, 0, 0, 0, *_SHAPE[::-1])
    struct.pack_into("<6f3i", header, 40, *(2500.0 * n for n in _SHAPE[::-1]), 90.0, 90.0, 90.0, 1, 2, 3)
    header[208:216] = b"MAP \x44\x44\x00\x00"
    struct.pack_into("<i", header, 108, 20140)
    _behind(path, bytes(header))


def _mha(path: Path) -> None:
    z, y, x = _SHAPE
    words = (
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nDimSize = {x} {y} {z}\n"
        "ElementSpacing = 1 1 1\nElementType = MET_USHORT\nElementDataFile = LOCAL\n"
    )
    _behind(path, words.encode())


def _nrrd(path: Path) -> None:
    z, y, x = _SHAPE
    words = f"NRRD0004\ntype: uint16\ndimension: 3\nsizes: {x} {y} {z}\nendian: little\nencoding: raw\n\n"
    _behind(path, words.encode())


def _hdf5(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("raw", shape=_SHAPE, dtype="u2")
        # The last pixel makes the file as long as it says.
        file["raw"][-1, -1, -1] = 1


def _czi_scenes(path: Path) -> None:
    pixels = np.ones((16, 16), np.uint8)
    zeiss.write_czi(path, [(pixels, (20 * k, 0), {"T": 0, "Z": 0, "C": 0}, k) for k in range(_IMAGES)])


def _hdf5_datasets(path: Path) -> None:
    import h5py

    pixels = np.ones((16, 16), np.uint8)
    with h5py.File(path, "w") as file:
        for k in range(_IMAGES):
            file[f"cells/{k}"] = pixels


def _lif_images(path: Path) -> None:
    lengths = {"y": (0.0, 1e-5), "x": (0.0, 1e-5)}
    pixels = np.ones((16, 16), np.uint8)
    leica.write_lif(path, [(f"well/{k}", pixels, "yx", {"lengths": lengths}) for k in range(_IMAGES)])


_FILES: Mapping[str, tuple[int, Callable[[Path], None]]] = {
    "volume.npy": (1, _npy),
    "volume.tif": (1, _tiff),
    "volume.mrc": (1, _mrc),
    "volume.mha": (1, _mha),
    "volume.nrrd": (1, _nrrd),
    "volume.h5": (1, _hdf5),
    "scenes.czi": (_IMAGES, _czi_scenes),
    "datasets.h5": (_IMAGES, _hdf5_datasets),
    "images.lif": (_IMAGES, _lif_images),
}
"""Name of a file -> how many images it holds, and what writes it."""
