"""Folders, and files without an ending, that are images of a format: told from their names and first bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from napari_s1omni.storage.readers.volumes.chunk_stores.known_stores import (
    N5,
    PRECOMPUTED,
    is_n5,
    is_precomputed,
    is_spim_data,
)

_DICOM_ENDINGS = (".dcm", ".dicom", ".ima")
_DICOM_MARK = b"DICM"
_BESIDE = (".json", ".txt", ".pdf", ".xml", ".csv", ".html", ".htm", ".md", ".log", ".bval", ".bvec", ".inf", ".exe")
"""Endings of notes and programs that lie beside the files of a series."""
_WHOLE_SLIDE = b"1.2.840.10008.5.1.4.1.1.77.1.6\2\0"
"""UID of the class of whole-slide images, and the beginning of the tag that follows it in the head of each file."""
_HEAD = 1024
"""First bytes of a file that hold it."""
_LISTED = 4096
"""Names of a folder that are looked at."""
_OPENED = 8
"""Files that are opened to see what they are."""


def unnamed_format(path: Path) -> str | None:
    """Return the module below ``storage/readers`` that reads a folder or a file without an ending; None if none does.

    Parameters
    ----------
    path : Path
        An existing folder or file.
    """
    return next((module for is_one, module in _TESTS if is_one(path)), None)


def is_dicom_folder(path: Path) -> bool:
    """Whether a folder holds the files of DICOM series: more than half of its files are, not counting notes on them."""
    if not path.is_dir():
        return False
    with os.scandir(path) as entries:
        listed = [entry.name for entry, _ in zip(entries, range(_LISTED), strict=False)]
    names = [name for name in listed if not name.startswith(".") and not name.lower().endswith(_BESIDE)]
    if "DICOMDIR" in names:
        return True
    maybe = [name for name in names if _may_be_dicom(name)]
    if 2 * len(maybe) <= len(names):
        return False
    opened = maybe[:: max(1, len(maybe) // _OPENED)][:_OPENED]
    return 2 * sum(has_dicom_mark(path / name) for name in opened) > len(opened)


def is_slide(path: Path) -> bool:
    """Whether a file, or a folder of DICOM files, is a whole slide in DICOM."""
    if path.is_dir():
        if not is_dicom_folder(path):
            return False
        files = sorted(file for file in path.iterdir() if _may_be_dicom(file.name) and file.is_file())
        return any(is_slide(file) for file in files[:_OPENED])
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return head[128:132] == _DICOM_MARK and _WHOLE_SLIDE in head


def is_dicom_file(path: Path) -> bool:
    """Whether a file without an ending, as hospitals write them, is of DICOM."""
    return not path.name.lower().endswith(_DICOM_ENDINGS) and is_dicom_slice(path)


def is_dicom_slice(path: Path) -> bool:
    """Whether a file is of DICOM, whatever its ending."""
    return _may_be_dicom(path.name) and path.is_file() and has_dicom_mark(path)


def has_dicom_mark(path: Path) -> bool:
    """Whether a file begins as DICOM files do."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == _DICOM_MARK
    except OSError:
        return False


def _may_be_dicom(name: str) -> bool:
    """Whether a name is one of DICOM: its ending, none, or the last number of a UID."""
    lower = name.lower()
    ending = lower.rpartition(".")[2] if "." in lower else ""
    return lower.endswith(_DICOM_ENDINGS) or not ending or ending.isdecimal()


_TESTS: tuple[tuple[Callable[[Path], bool], str], ...] = (
    (is_slide, "slides.dicom_slide"),
    (is_dicom_folder, "medical.dicom"),
    (is_dicom_file, "medical.dicom"),
    (is_n5, N5),
    (is_precomputed, PRECOMPUTED),
    (is_spim_data, "volumes.views.big_data_viewer"),
)
"""Test of a folder or file -> module that reads it."""
