"""LIF, LOF, XLIF and XLEF files, written as Leica's description of its formats says."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

_IDS = {"x": 1, "y": 2, "z": 3, "t": 4, "l": 5, "n": 7, "e": 9, "m": 10}
_UNITS = {"t": "s", "m": "", "n": ""}


def element(
    name: str,
    pixels: NDArray[Any],
    axes: str,
    lengths: Mapping[str, tuple[float, float]] | None = None,
    tables: Sequence[str] = ("Green",),
    memory: str = "",
    tags: Sequence[int] | None = None,
    children: str = "",
) -> str:
    """Return the XML of an image; `lengths` gives (origin, length) by axis, in m or s; `c` and `s` are channels."""
    pixels = np.asarray(pixels)
    steps = dict(zip(axes, pixels.strides, strict=True))
    sizes = dict(zip(axes, pixels.shape, strict=True))
    dimensions = "".join(
        f'<DimensionDescription DimID="{_IDS[a]}" NumberOfElements="{sizes[a]}" '
        f'Origin="{(lengths or {}).get(a, (0, 0))[0]}" '
        f'Length="{(lengths or {}).get(a, (0, 0))[1]}" Unit="{_UNITS.get(a, "m")}" BitInc="0" BytesInc="{steps[a]}"/>'
        for a in axes
        if a not in "cs"
    )
    channel = next((a for a in axes if a in "cs"), "")
    count = sizes.get(channel, 1)
    kind, bits = int(pixels.dtype.kind == "f"), 8 * pixels.dtype.itemsize
    tags = tags or ((1, 2, 3) if channel == "s" else (0,) * count)
    channels = "".join(
        f'<ChannelDescription DataType="{kind}" ChannelTag="{tags[i]}" Resolution="{bits}" NameOfMeasuredQuantity="" '
        f'Min="0" Max="255" Unit="" LUTName="{tables[i % len(tables)]}" IsLUTInverted="0" '
        f'BytesInc="{i * steps.get(channel, 0)}" BitInc="0"/>'
        for i in range(count)
    )
    return (
        f"<Element Name={quoteattr(name)}><Data><Image><ImageDescription><Channels>{channels}</Channels>"
        f"<Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
        f"{memory}<Children>{children}</Children></Element>"
    )


def write_lif(
    path: str | Path, images: Sequence[tuple[str, NDArray[Any], str, Mapping[str, Any]]], extra: str = ""
) -> Path:
    """Write (name, pixels, axes, options) as a LIF; a name with slashes lies in folders."""
    blocks, described = [], ""
    for number, (name, pixels, axes, options) in enumerate(images):
        *folders, last = name.split("/")
        memory = f'<Memory Size="{np.asarray(pixels).nbytes}" MemoryBlockID="MemBlock_{number}"/>'
        text = element(last, pixels, axes, memory=memory, **options)
        for folder in reversed(folders):
            text = f"<Element Name={quoteattr(folder)}><Data/><Children>{text}</Children></Element>"
        described += text
        blocks.append((f"MemBlock_{number}", np.asarray(pixels).tobytes()))
    xml = (
        f'<LMSDataContainerHeader Version="2"><Element Name="project"><Data/>'
        f"<Children>{described}{extra}</Children></Element></LMSDataContainerHeader>"
    )
    with open(path, "wb") as file:
        file.write(_chunk(xml))
        for name, data in blocks:
            coded = name.encode("utf-16-le")
            file.write(struct.pack("<IIBQBI", 0x70, len(coded) + 14, 0x2A, len(data), 0x2A, len(name)) + coded + data)
    return Path(path)


def write_lof(path: str | Path, name: str, pixels: NDArray[Any], axes: str, **options: Any) -> Path:
    """Write one image as a LOF."""
    xml = f'<LMSDataContainerHeader Version="2">{element(name, pixels, axes, **options)}</LMSDataContainerHeader>'
    data = np.asarray(pixels).tobytes()
    head = _chunk("LMS_Object_File") + struct.pack("<BIBIBQ", 0x2A, 2, 0x2A, 0, 0x2A, len(data))
    Path(path).write_bytes(head + data + _chunk(xml))
    return Path(path)


def write_xlif(
    path: str | Path,
    name: str,
    pixels: NDArray[Any],
    axes: str,
    files: Sequence[tuple[str, int, int]],
    **options: Any,
) -> Path:
    """Write an XLIF whose pixels lie in other files, each with its byte among the pixels and its size."""
    frames = "".join(f'<Frame File="{file}" Offset="{at}" Size="{size}" UUID=""/>' for file, at, size in files)
    memory = f'<Memory Size="{np.asarray(pixels).nbytes}" MemoryBlockID="MemBlock_0">{frames}</Memory>'
    xml = element(name, pixels, axes, memory=memory, **options)
    return _write_xml(path, xml)


def write_xlef(path: str | Path, files: Sequence[str]) -> Path:
    """Write an XLEF that refers to other files."""
    references = "".join(f'<Reference File="{file}" UUID=""/>' for file in files)
    return _write_xml(
        path, f'<Element Name="{Path(path).stem}"><Data><Experiment/></Data><Children>{references}</Children></Element>'
    )


def _write_xml(path: str | Path, xml: str) -> Path:
    whole = f'<?xml version="1.0"?><LMSDataContainerHeader Version="2">{xml}</LMSDataContainerHeader>'
    Path(path).write_text(whole, "utf-8")
    return Path(path)


def _chunk(text: str) -> bytes:
    data = text.encode("utf-16-le")
    return struct.pack("<IIBI", 0x70, len(data) + 5, 0x2A, len(text)) + data
