"""Formats that are known by what lies in a file or folder and not by an ending."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_s1omni.storage.readers.slides.dicom_slide import is_slide

_DICOM = (".dcm", ".dicom", "")


def _may_be_slide(path: Path) -> bool:
    return (path.is_dir() or (path.suffix.lower() in _DICOM and path.is_file())) and is_slide(path)


_TESTS: tuple[tuple[Callable[[Path], bool], str], ...] = ((_may_be_slide, "slides.dicom_slide"),)
"""Test of a path, cheap and without a library; module of its reader."""


def folder_format(path: Path) -> str | None:
    """Return the module below ``storage/readers`` that reads a file or folder by its content; None if none does."""
    return next((module for test, module in _TESTS if test(path)), None)
