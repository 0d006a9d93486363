"""The DICOM files that belong to a folder, a DICOMDIR, or one file of a series."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from napari_s1omni.core.paths import is_left_by_system
from napari_s1omni.errors import SourceError
from napari_s1omni.storage.readers.folder_formats import has_dicom_mark
from napari_s1omni.storage.readers.medical.dicom_frames import frames_of
from napari_s1omni.storage.readers.medical.dicom_instance import Instance, first_value, quiet_pydicom, read_instance
from napari_s1omni.storage.readers.medical.dicom_series import Series, group_frames

_DIRECTORY = "DICOMDIR"
_DIRECTORY_KIND = "Media Storage Directory Storage"
"""What such a file is, whatever its name."""
_ENDINGS = (".dcm", ".dicom", ".ima")
_NAMED = 3
"""Files that are named in a note, of each kind."""


@dataclass(frozen=True, slots=True)
class Found:
    """The images of a place, and what else lies there."""

    images: tuple[Series, ...]
    notes: tuple[str, ...]
    """What was skipped, and which files belong together."""


def read_place(path: Path) -> Found:
    """Find the images of a folder, of a DICOMDIR, or of the series that a file belongs to.

    Raises
    ------
    SourceError
        If a file that was given is no DICOM image, or the folder holds none.
    """
    folder = path if path.is_dir() else path.parent
    # A disc keeps its files in folders below its DICOMDIR.
    listed = folder.rglob("*") if (folder / _DIRECTORY).is_file() else folder.iterdir()
    stats = ((file.name, file.stat()) for file in listed if file.is_file())
    return _read_place(path, hash(frozenset((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)))


@functools.lru_cache(maxsize=8)
def _read_place(path: Path, state: int) -> Found:
    """Read the headers once, as long as no file of the folder changes."""
    if path.is_dir():
        directory = path / _DIRECTORY
        files = _files_of(path)
        found = _images(files + (_listed(directory)[0] if directory.is_file() else []), path)
        return Found(found.images, (*found.notes, *_others(path, files)))
    instance = read_instance(path)
    if instance == _DIRECTORY_KIND:
        files, notes = _listed(path)
        found = _images(files, path)
        return Found(found.images, (*notes, *found.notes))
    if isinstance(instance, str):
        raise SourceError(f"{path} holds no image ({instance})", "an image is a DICOM file with pixels", path=str(path))
    if instance.frames > 1:
        return Found(tuple(group_frames(frames_of(instance))), ())
    return _series_of(instance)


def _series_of(instance: Instance) -> Found:
    """Return the series of a file: the other files of its folder that belong to it, too."""
    series = instance.text("SeriesInstanceUID")
    same, notes = [instance], list[str]()
    for path in _files_of(instance.path.parent) if series else ():
        if path == instance.path:
            continue
        try:
            if first_value(path, "SeriesInstanceUID") != series:
                continue
            other = read_instance(path)
        except Exception:
            # Only files of the series matter, and this is none as far as can be told.
            continue
        if isinstance(other, Instance) and other.frames == 1:
            same.append(other)
    if len(same) > 1:
        notes.append(f"{instance.path.name} is one of {len(same)} files of its series in this folder; all are read")
    return Found(tuple(group_frames([frame for each in same for frame in frames_of(each)])), tuple(notes))


def _images(files: list[Path], where: Path) -> Found:
    """Read the headers of files, and group those that hold pixels."""
    frames, skipped, broken = [], list[tuple[str, Path]](), list[str]()
    for path in dict.fromkeys(files):
        try:
            instance = read_instance(path)
        except (SourceError, OSError) as error:
            words = error.given if isinstance(error, SourceError) else str(error)
            broken.append(words.replace(str(path), path.name))
            continue
        if isinstance(instance, str):
            skipped.append((instance, path))
        else:
            frames.extend(frames_of(instance))
    notes = [f"skipped, since it holds no image: {_counted(skipped)}"] if skipped else []
    if broken:
        more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
        notes.append(f"skipped, since it cannot be read: {'; '.join(broken[:_NAMED])}{more}")
    if not frames:
        raise SourceError(
            f"{where} holds no DICOM image{': ' + '; '.join(notes) if notes else ''}",
            "a series is a folder of DICOM files with pixels",
            path=str(where),
        )
    return Found(tuple(group_frames(frames)), tuple(notes))


def _others(folder: Path, files: list[Path]) -> list[str]:
    """Say which files of a folder are no DICOM files, such as pictures beside a series."""
    others = [
        (path.suffix or path.name, path)
        for path in sorted(set(folder.iterdir()).difference(files))
        if path.is_file()
        and path.name.upper() != _DIRECTORY
        and not path.name.startswith(".")
        and not is_left_by_system(path.name)
    ]
    return [f"skipped, since it is no DICOM file: {_counted(others)}"] if others else []


def _counted(skipped: list[tuple[str, Path]]) -> str:
    """Name what was skipped by its kind, with the first names."""
    words = []
    for kind, count in Counter(kind for kind, _ in skipped).items():
        names = [path.name for each, path in skipped if each == kind]
        listed = ", ".join(names[:_NAMED]) + (" ..." if count > _NAMED else "")
        words.append(f"{count} {kind.removesuffix(' Storage')} ({listed})")
    return ", ".join(words)


def _files_of(folder: Path) -> list[Path]:
    """Return the files of a folder that may be DICOM, sorted by name."""
    return [
        path
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".")
        and path.name.upper() != _DIRECTORY
        and path.is_file()
        and (path.name.lower().endswith(_ENDINGS) or has_dicom_mark(path))
    ]


def _listed(directory: Path) -> tuple[list[Path], list[str]]:
    """Return the files that a DICOMDIR lists, and notes on those that are missing.

    Raises
    ------
    SourceError
        If it is damaged, or no DICOMDIR.
    """
    from pydicom import dcmread

    try:
        with quiet_pydicom():
            records = dcmread(directory, force=True).DirectoryRecordSequence
            names = [record.get("ReferencedFileID") for record in records]
    except Exception as error:
        raise SourceError(
            f"{directory} is no DICOMDIR that can be read ({type(error).__name__}: {error})",
            remedy="give the folder of a series",
            path=str(directory),
        ) from error
    parts = [[name] if isinstance(name, str) else [str(part) for part in name] for name in names if name]
    files = [_as_on_disk(directory.parent, part) for part in parts]
    there = [path for path in files if path.is_file()]
    lacking = len(files) - len(there)
    return there, [f"{lacking} of the {len(files)} files that DICOMDIR lists are missing"] if lacking else []


def _as_on_disk(folder: Path, parts: list[str]) -> Path:
    """Return the path of a listed file; copies from a disc often have names in small letters."""
    path = folder.joinpath(*parts)
    if path.exists():
        return path
    small = folder.joinpath(*(part.lower() for part in parts))
    return small if small.exists() else path
