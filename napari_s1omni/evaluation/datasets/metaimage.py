"""Reader of MetaImage (``.mha``): one file with a text header and the voxels."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import SourceError

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


def read_metaimage(path: Path) -> NDArray[Any]:
    """Read the voxels of a MetaImage as (z, y, x), or (y, x).

    Raises
    ------
    SourceError
        If it is missing or damaged, has several channels, or keeps its voxels in another file.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error}", remedy="check the path") from error
    head, mark, rest = data.partition(b"ElementDataFile")
    try:
        entries = (line.split("=", 1) for line in head.decode("ascii").splitlines() if line.strip())
        facts = {key.strip(): value.strip() for key, value in entries}
        location, _, body = rest.partition(b"\n")
        shape = tuple(int(n) for n in facts["DimSize"].split())[::-1]
        order = ">" if facts.get("BinaryDataByteOrderMSB", "False").lower() == "true" else "<"
        dtype = np.dtype(order + _TYPES[facts["ElementType"]])
        if not mark or location.strip(b" =\r") != b"LOCAL" or facts.get("ElementNumberOfChannels", "1") != "1":
            raise ValueError("only one channel, with its voxels in the same file")
        if facts.get("CompressedData", "False").lower() == "true":
            body = zlib.decompress(body)
        voxels = np.frombuffer(body, dtype, math.prod(shape)).reshape(shape)
    except (ValueError, KeyError, UnicodeDecodeError, zlib.error) as error:
        raise SourceError(
            f"{path} is not a readable MetaImage ({type(error).__name__}: {error})",
            "an .mha file with one channel",
            "convert it",
        ) from error
    return voxels.astype(dtype.newbyteorder("="))
