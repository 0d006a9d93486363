"""What a file is that cannot be read as an image, and what to do with it, from its name and its first bytes."""

from __future__ import annotations

import re
from pathlib import Path

DICOM_FILE = "a DICOM file"
"""What :func:`content_of` calls one."""
_HEAD = 512
_CONTENTS = (
    ((b"version https://git-lfs",), "a pointer of Git LFS, not the file itself", "fetch the file: git lfs pull"),
    ((b"<!doctype html", b"<html"), "a web page, not the file itself", "download it again, after signing in if needed"),
    ((b"<?xml version", b"<error"), "text in XML", "download it again if it should be an image"),
    ((b"\x89png\r\n",), "a PNG", "rename it to end in .png"),
    ((b"\xff\xd8\xff",), "a JPEG", "rename it to end in .jpg"),
    ((b"ii*\0", b"mm\0*", b"ii+\0", b"mm\0+"), "a TIFF", "rename it to end in .tif"),
    ((b"\x93numpy",), "an array of NumPy", "rename it to end in .npy"),
    ((b"\x89hdf\r\n",), "HDF5", "rename it to end in .h5, or in .ims if Imaris wrote it"),
    ((b"zisrawfile",), "a Zeiss CZI", "rename it to end in .czi"),
    ((b"\xda\xce\xbe\n",), "a Nikon ND2", "rename it to end in .nd2"),
    ((b"p\0\0\0",), "a Leica LIF", "rename it to end in .lif"),
    ((b"\x1f\x8b",), "packed with gzip", "unpack it"),
    ((b"pk\3\4",), "a zip archive", "unpack it; the name of a zipped OME-Zarr ends in .ozx or .zarr.zip"),
    ((b"bzh",), "packed with bzip2", "unpack it"),
    ((b"7z\xbc\xaf", b"rar!"), "an archive", "unpack it"),
)
"""First bytes in small letters, what they mean, what to do."""
_ENDINGS = (
    ((".xlsx", ".xls", ".ods"), "save the sheet as CSV if it is a list of images"),
    ((".zip", ".gz", ".bz2", ".7z", ".rar", ".tar", ".tgz"), "unpack it, and give what is inside"),
    ((".npz",), "open it with numpy.load, and give one of its arrays, or save that as .npy"),
    ((".mat",), "open it with scipy.io.loadmat, and give one of its arrays"),
    (
        (
            ".oib",
            ".oif",
            ".oir",
            ".vsi",
            ".mrxs",
            ".dv",
            ".zvi",
            ".vms",
            ".nef",
        ),
        "convert it to OME-Zarr with bioformats2raw, or to OME-TIFF with Fiji or QuPath; or install a plugin of bioio "
        "that reads it, such as bioio-bioformats",
    ),
    (
        (".geojson", ".json", ".roi", ".csv", ".tsv"),
        "give an image; outlines of a region are GeoJSON or ROIs of ImageJ",
    ),
)
_CHUNK = re.compile(r"(c\.)?\d+(\.\d+)*|c")
"""Names of chunks of Zarr arrays, such as ``0``, ``1.0`` and ``c.0.1``."""
_ZARR_DOCUMENTS = (".zattrs", ".zgroup", ".zarray", ".zmetadata", "zarr.json")


def content_of(path: Path) -> tuple[str, str] | None:
    """Return what a file that its reader refused really is, and what to do; None if that is unknown."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    if not head:
        return "empty (0 bytes)", "copy or download it again"
    if not any(head):
        return "a file of zeros, as a broken copy leaves it", "copy or download it again"
    # A DICOM file may begin as a TIFF does: its first 128 bytes are free.
    if head[128:132] == b"DICM":
        return DICOM_FILE, "rename it to end in .dcm"
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    return next(((is_, do) for marks, is_, do in _CONTENTS if start.startswith(marks)), None)


def remedy_for(path: Path) -> str:
    """Return what to do with a file whose name has an ending that is not read."""
    name = path.name.lower()
    if name in _ZARR_DOCUMENTS or _is_chunk(path):
        return f"give the folder of the image, such as {_image_folder(path)}"
    for endings, remedy in _ENDINGS:
        if name.endswith(endings):
            return remedy
    found = content_of(path)
    return f"this is {found[0]}: {found[1]}" if found else "convert it, for example to OME-TIFF or OME-Zarr"


def _is_chunk(path: Path) -> bool:
    return _CHUNK.fullmatch(path.name) is not None and any(
        (parent / name).is_file() for parent in path.parents[:6] for name in (".zarray", "zarr.json")
    )


def _image_folder(path: Path) -> Path:
    """Return the outermost of the nested Zarr folders around a file that is an image or array."""
    around = [p for p in path.parents[:8] if any((p / name).is_file() for name in _ZARR_DOCUMENTS)]
    return next((p for p in reversed(around) if (p / "0").is_dir()), around[-1] if around else path.parent)
