"""ND2 files: chunks with a map at the end, and metadata in XML, as in version 2.1 of the format."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x0ABECEDA
_TYPES = {int: "lx_uint32", float: "double", str: "CLxStringW", bool: "bool"}


def loop(kind: int, inner: dict[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    """Return a loop of the experiment: 1 is time, 2 positions, 4 planes, 7 is custom."""
    found = {"eType": kind, "uLoopPars": parameters}
    return {**found, "ppNextLevelEx": {"no_name": inner}} if inner else found


def time_loop(count: int, step: float, inner: dict[str, Any] | None = None, spread: float = 0.0) -> dict[str, Any]:
    """Return time points, on average `step` ms apart."""
    parts = {"dStart": 0.0, "dPeriod": 0.0, "dDuration": 0.0}
    measured = {"dAvgPeriodDiff": step, "dMaxPeriodDiff": step + spread, "dMinPeriodDiff": step - spread}
    return loop(1, inner, uiCount=count, **parts, **measured)


def positions(points: Sequence[tuple[str, float, float]], inner: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return stage positions, each (name, x, y)."""
    found = {
        f"i{n:010}": {"dPosX": x, "dPosY": y, "dPosZ": 0.0, "dPosName": name} for n, (name, x, y) in enumerate(points)
    }
    return loop(2, inner, bUseZ=False, Points=found)


def planes(count: int, step: float) -> dict[str, Any]:
    """Return a stack of planes."""
    return loop(4, uiCount=count, dZLow=0.0, dZHigh=step * (count - 1), dZStep=step, dZHome=0.0)


def write_nd2(
    path: str | Path,
    frames: NDArray[Any],
    experiment: Mapping[str, Any] | None = None,
    channels: Sequence[str] = ("DAPI",),
    size: float = 0.25,
    compressed: bool = False,
    left_out: Collection[int] = (),
    dyes: bool = True,
) -> Path:
    """Write frames (y, x, components) in the order of the loops; three components of one channel are colours."""
    frames = np.asarray(frames)
    count, height, width, components = frames.shape
    each = components // len(channels)
    bits = 8 * frames.dtype.itemsize
    attributes = {
        "uiBpcInMemory": bits,
        "uiBpcSignificant": bits,
        "uiComp": components,
        "uiHeight": height,
        "uiWidth": width,
        "uiWidthBytes": width * components * frames.dtype.itemsize,
        "uiSequenceCount": count - len(left_out),
        "eCompression": 0 if compressed else 2,
        "dCompressionParam": 0.0,
    }
    named: dict[str, dict[str, Any]] = {
        f"a{i}": {"sDescription": name, "uiColor": 0x0000FF << (8 * i % 24), "uiCompCount": each, "uiModalityMask": 1}
        for i, name in enumerate(channels)
    }
    if dyes:
        for plane in named.values():
            plane["pFluorescentProbe"] = {"m_ExcitationSpectrum": _peak(488.0), "m_EmissionSpectrum": _peak(520.0)}
    meta = {
        "bCalibrated": size > 0,
        "dCalibration": float(size),
        "sPicturePlanes": {"uiCount": len(channels), "sPlaneNew": named},
    }
    chunks = [
        ("ImageAttributes!", _xml(attributes)),
        ("ImageMetadataSeq|0!", _xml(meta)),
        ("ImageTextInfo!", _xml({"TextInfoItem_13": "Plan Apo 20x"})),
    ]
    if experiment is not None:
        chunks.append(("ImageMetadata!", _xml(experiment)))
    for number, frame in enumerate(frames):
        if number not in left_out:
            data = frame.tobytes()
            chunks.append((f"ImageDataSeq|{number}!", bytes(8) + (zlib.compress(data) if compressed else data)))
    out = bytearray(struct.pack("<IIQ32s64s", _MAGIC, 32, 64, b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver2.1"))
    out += bytes(4096 - len(out))
    places = b""
    for name, data in chunks:
        places += name.encode() + struct.pack("<QQ", len(out), len(data))
        # The first pixel lies 4096 bytes behind the begin of a frame, after its time in 8 bytes.
        out += struct.pack("<IIQ", _MAGIC, 4072 if name.startswith("ImageData") else len(name), len(data))
        out += name.encode() + (bytes(4072 - len(name)) if name.startswith("ImageData") else b"")
        out += data
    begin = len(out)
    places += b"ND2 CHUNK MAP SIGNATURE 0000001!"
    out += struct.pack("<IIQ32s", _MAGIC, 32, len(places) + 8, b"ND2 FILEMAP SIGNATURE NAME 0001!")
    out += places + struct.pack("<Q", begin)
    Path(path).write_bytes(out)
    return Path(path)


def _peak(wavelength: float) -> dict[str, Any]:
    return {"uiCount": 1, "pPoint": {"Point0": {"dWavelength": wavelength, "dTValue": 1.0, "eType": 1}}}


def _xml(values: Mapping[str, Any]) -> bytes:
    return f"<variant version='1.0'>{_inside(values)}</variant>".encode()


def _inside(values: Mapping[str, Any]) -> str:
    text = ""
    for name, value in values.items():
        if isinstance(value, dict):
            text += f"<{name} runtype='CLxListVariant'>{_inside(value)}</{name}>"
        else:
            shown = str(value).lower() if isinstance(value, bool) else value
            text += f"<{name} runtype='{_TYPES[type(value)]}' value='{shown}'/>"
    return text
