"""The formats whose files may hold several images: those of this package, and those that other packages register."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from napari_s1omni.core.paths import name_in
from napari_s1omni.errors import S1OmniError, SourceError
from napari_s1omni.storage.format_descriptions import FORMATS
from napari_s1omni.storage.readers.adapters.bioio_endings import bioio_endings, has_plugins
from napari_s1omni.storage.readers.file_format import FileFormat, FormatInfo
from napari_s1omni.storage.readers.folder_formats import unnamed_format
from napari_s1omni.storage.readers.volumes.chunk_stores.known_stores import N5, PRECOMPUTED, url_format

GROUP = "napari_s1omni.readers"
"""Entry-point group: name -> module or object that is a :class:`FileFormat`."""
_READERS = "napari_s1omni.storage.readers"
_BIOIO = "adapters.bioio_images"
_OF_URLS = (N5, PRECOMPUTED)
"""Modules that read what lies behind a URL part by part."""

_DICOM = f"{_READERS}.medical.dicom"
"""Its endings are those of slides too, which only their content tells."""
_BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "microscopes.czi": (".czi",),
    "microscopes.leica": (".lif", ".lof", ".xlif", ".xlef"),
    "microscopes.nd2": (".nd2",),
    "medical.dicom": (".dcm", ".dicom", ".ima", "dicomdir"),
    "slides.dicom_slide": (),
    "medical.itk_files": (".mha", ".mhd", ".nrrd", ".nhdr"),
    "volumes.hdf5": (".h5", ".hdf5", ".hdf", ".he5"),
    "volumes.imaris": (".ims",),
    "volumes.views.big_data_viewer": (),
    N5: (),
    PRECOMPUTED: (),
    "volumes.mrc": (
        *(".mrc", ".mrcs", ".map", ".ccp4", ".rec", ".st", ".ali"),
        *(".mrc.gz", ".map.gz", ".rec.gz", ".st.gz", ".mrc.bz2", ".map.bz2", ".rec.bz2", ".st.bz2"),
    ),
    "volumes.ozx": (".ozx", ".zarr.zip"),
}
"""Module below ``storage/readers`` -> file endings, repeated here so that no module is imported to find one."""


@dataclass(frozen=True, slots=True)
class FormatSource:
    """The module that reads a format. It is imported when the first such file is opened."""

    module: str
    """Dotted name, with ``:name`` for an object in the module."""
    endings: tuple[str, ...]
    """File endings in small letters."""
    package: str = ""
    """Name and version of the package that registers it; empty for a format of this package."""
    error: str = ""
    """Why it cannot be used; empty if it can."""

    @property
    def reads_urls(self) -> bool:
        """Whether it reads behind a URL part by part, and not from a copy."""
        return self.module.removeprefix(f"{_READERS}.") in _OF_URLS

    def load(self) -> FileFormat:
        """Import the module.

        Raises
        ------
        SourceError
            If that fails.
        """
        if self.error:
            raise SourceError(self.error, remedy="update or remove that package")
        module, _, name = self.module.partition(":")
        found: Any = importlib.import_module(module)
        for part in name.split(".") if name else ():
            found = getattr(found, part)
        return cast("FileFormat", found)

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
    """Return the format of a file by the ending of its name, or of an existing folder; None if no format here has it.

    A URL is known by its words alone. Endings that only a plugin of bioio reads come last.
    """
    if module := url_format(str(where)):
        return format_named(module)
    name = name_in(str(where)).lower()
    found = next((s for s in formats() if not s.error and name.endswith(s.endings or ("\0",))), None)
    if not os.path.exists(where) or (found is not None and not os.path.isdir(where) and found.module != _DICOM):
        return found
    return format_named(unnamed_format(Path(where))) or found or plugin_format(where)


def format_named(module: str | None) -> FormatSource | None:
    """Return a format of this package by its module below ``storage/readers``; None if there is none."""
    return next((s for s in formats() if s.module == f"{_READERS}.{module}"), None)


def format_endings() -> tuple[str, ...]:
    """Return the endings of all formats."""
    return tuple(dict.fromkeys(ending for source in formats() for ending in source.endings))


def broken_formats() -> tuple[str, ...]:
    """Return what is wrong with each reader of another package that cannot be used."""
    return tuple(source.error for source in formats() if source.error)


def library_missing(info: FormatInfo, path: Path | str, error: ImportError) -> SourceError:
    """Return the error for a file whose library is not installed."""
    how = f'pip install "napari-s1omni[{info.extra}]"' if info.extra else f"pip install {info.library}"
    return SourceError(
        f"{path} is {info.name}, and a package to read it is missing ({error})",
        f"{info.library} is installed",
        f"run {how}",
        path=str(path),
    )


def plugin_format(where: str | Path) -> FormatSource | None:
    """Return the adapter of bioio for a file that only a plugin of bioio reads."""
    name = name_in(str(where)).lower()
    if not has_plugins() or name.endswith((*_own_endings(), *format_endings())) or not os.path.isfile(where):
        return None
    return FormatSource(f"{_READERS}.{_BIOIO}", bioio_endings()) if name.endswith(bioio_endings() or ("\0",)) else None


def _own_endings() -> tuple[str, ...]:
    return tuple(ending for format in FORMATS for ending in format.endings)


def _registered(point: metadata.EntryPoint, package: str) -> FormatSource:
    """Describe a format of another package; what goes wrong in it stays there."""
    try:
        info = point.load().describe()
        if not isinstance(info, FormatInfo):
            raise TypeError(f"describe() returned {type(info).__name__}, not FormatInfo")
        given: Any = info.endings
        if isinstance(given, str) or not all(isinstance(e, str) and e.startswith(".") for e in given):
            raise TypeError(f"the endings are {info.endings!r}, not a tuple of endings such as '.abc'")
        # What this package reads itself stays with it, so that a new package changes no result.
        endings = tuple(ending.lower() for ending in info.endings if ending.lower() not in _own_endings())
        return FormatSource(point.value, endings, package)
    except S1OmniError as error:
        return FormatSource(point.value, (), package, f"the reader '{point.name}' of {package}: {error.given}")
    except (Exception, SystemExit) as error:
        words = f"{type(error).__name__}: {error}"
        return FormatSource(point.value, (), package, f"the reader '{point.name}' of {package} is broken ({words})")
