"""The formats whose files may hold several images: those of this package, and those that other packages register."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import cast

from napari_s1omni.core.paths import name_in
from napari_s1omni.errors import S1OmniError, SourceError
from napari_s1omni.storage.readers.file_format import FileFormat, FormatInfo
from napari_s1omni.storage.readers.folder_formats import unnamed_format

GROUP = "napari_s1omni.readers"
"""Entry-point group: name -> module that is a :class:`FileFormat`."""
_READERS = "napari_s1omni.storage.readers"

_BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "microscopes.czi": (".czi",),
    "microscopes.leica": (".lif", ".lof", ".xlif", ".xlef"),
    "microscopes.nd2": (".nd2",),
    "medical.dicom": (".dcm", ".dicom", ".ima", "dicomdir"),
    "medical.itk_files": (".mha", ".mhd", ".nrrd", ".nhdr"),
}
"""Module below ``storage/readers`` -> file endings. They are repeated here, so that no module is imported to find one."""


@dataclass(frozen=True, slots=True)
class FormatSource:
    """The module that reads a format. It is imported when the first such file is opened."""

    module: str
    """Dotted name."""
    endings: tuple[str, ...]
    """File endings in small letters."""
    package: str = ""
    """Name and version of the package that registers it; empty for a format of this package."""
    error: str = ""
    """Why it cannot be used; empty if it can."""

    def load(self) -> FileFormat:
        """Import the module.

        Raises
        ------
        SourceError
            If that fails.
        """
        if self.error:
            raise SourceError(self.error, remedy="update or remove that package")
        return cast("FileFormat", importlib.import_module(self.module))

    def describe(self) -> FormatInfo:
        """Return what is known of the format.

        Raises
        ------
        SourceError
            If its module is broken.
        """
        return self.load().describe()


@functools.cache
def formats() -> tuple[FormatSource, ...]:
    """Return all formats, those of this package first; one that is broken has an :attr:`~FormatSource.error`."""
    own = [FormatSource(f"{_READERS}.{module}", endings) for module, endings in _BUILT_IN.items()]
    seen: dict[tuple[str, str], FormatSource] = {}
    for point in metadata.entry_points(group=GROUP):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"
        seen.setdefault((package, point.value), _registered(point, package))
    return (*own, *seen.values())


def format_of(where: str | Path) -> FormatSource | None:
    """Return the format of a file by the ending of its name, or of an existing folder; None if no format here has it."""
    name = name_in(str(where)).lower()
    found = next((s for s in formats() if not s.error and name.endswith(s.endings or ("\0",))), None)
    if (found is not None and not os.path.isdir(where)) or not os.path.exists(where):
        return found
    module = unnamed_format(Path(where))
    return next((s for s in formats() if s.module == f"{_READERS}.{module}"), found)


def format_endings() -> tuple[str, ...]:
    """Return the endings of all formats."""
    return tuple(dict.fromkeys(ending for source in formats() for ending in source.endings))


def library_missing(info: FormatInfo, path: Path | str, error: ImportError) -> SourceError:
    """Return the error for a file whose library is not installed."""
    how = f'pip install "napari-s1omni[{info.extra}]"' if info.extra else f"pip install {info.library}"
    return SourceError(
        f"{path} is {info.name}, and a package to read it is missing ({error})",
        f"{info.library} is installed",
        f"run {how}",
        path=str(path),
    )


def _registered(point: metadata.EntryPoint, package: str) -> FormatSource:
    """Describe a format of another package; what goes wrong in it stays there."""
    try:
        module: ModuleType = point.load()
        info = module.describe()
        if not isinstance(info, FormatInfo):
            raise TypeError(f"describe() returned {type(info).__name__}, not FormatInfo")
        return FormatSource(point.value, info.endings, package)
    except S1OmniError as error:
        return FormatSource(point.value, (), package, f"the reader '{point.name}' of {package}: {error.given}")
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        return FormatSource(point.value, (), package, f"the reader '{point.name}' of {package} is broken ({words})")
