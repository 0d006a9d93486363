"""Find images in folders and by patterns without reading a pixel, and count what is skipped."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_s1omni.core.paths import is_left_by_system
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.image_group.plate_group import is_own_plate
from napari_s1omni.storage.readers.folder_formats import is_dicom_slice
from napari_s1omni.storage.readers.formats import format_of, plugin_format
from napari_s1omni.storage.readers.registry import file_endings

BATCH_TABLE = "batch.csv"
"""File in the folder of a batch; images in such a folder are its own pictures and results."""
_ANY_DEPTH = "**"
_ZARR = ("zarr.json", ".zattrs", ".zgroup", ".zarray")


@dataclass(slots=True)
class FoundImages:
    """Images, and how much else was found and skipped."""

    paths: list[Path] = field(default_factory=list)
    """Files and Zarr stores, sorted."""
    hidden: int = 0
    """Hidden files, and files that systems keep for themselves."""
    results: int = 0
    """Results of this package, and pictures in the folder of a batch."""
    folders: int = 0
    """Folders that were not searched."""
    others: Counter[str] = field(default_factory=Counter)
    """Files that are no images, by their ending."""
    said: list[str] = field(default_factory=list)
    """What the pattern means other than it may seem."""

    @property
    def skipped(self) -> int:
        """Number of skipped files and results."""
        return self.hidden + self.results + sum(self.others.values())

    def notes(self, where: str) -> list[str]:
        """Say what was skipped in `where`, one sentence each."""
        said = list(self.said)
        if self.hidden:
            files, are = ("files", "are") if self.hidden > 1 else ("file", "is")
            said.append(f"{self.hidden} hidden {files} or {files} that the system keeps for itself {are} skipped")
        if self.others:
            named = ", ".join(f"{count} {ending}" for ending, count in sorted(self.others.items()))
            said.append(f"files that are no images are skipped: {named}")
        if self.results:
            said.append(f"{self.results} results of earlier runs are skipped; a pattern that names them includes them")
        if self.folders:
            plural = "folders are" if self.folders > 1 else "folder is"
            said.append(f"{self.folders} {plural} not searched; the pattern '{where}/**/*' searches them too")
        return said

    def take(self, path: Path, hidden: bool = False, keep_results: bool = True) -> None:
        """Keep a file or folder if it is an image, or count it."""
        is_folder = path.is_dir()
        if hidden or path.name.startswith(".") or is_left_by_system(path.name):
            self.hidden += 1
        elif is_folder and not is_image_folder(path):
            self.folders += not (path / BATCH_TABLE).exists()
        elif is_folder and not keep_results and _is_result(path):
            self.results += 1
        elif is_folder or path.name.lower().endswith(file_endings()) or plugin_format(path) is not None:
            self.paths.append(path)
        else:
            self.others[path.suffix or path.name] += 1


def _is_result(folder: Path) -> bool:
    return (folder / WORK).exists() or is_own_plate(folder)


def is_zarr(folder: Path) -> bool:
    """Whether a folder is a Zarr group or array."""
    return any((folder / name).exists() for name in _ZARR)


def is_image_folder(folder: Path) -> bool:
    """Whether a folder is an image itself: a Zarr store, a series of slices, or another format that is a folder."""
    return is_zarr(folder) or format_of(folder) is not None


def images_in(folder: Path) -> FoundImages:
    """Find the images of a folder, without its subfolders; results beside their sources are not images of it."""
    found = FoundImages()
    for path in sorted(folder.iterdir()):
        found.take(path, keep_results=False)
    slices = sum(map(is_dicom_slice, found.paths))
    if slices > 1:
        found.said.append(
            f"{slices} DICOM files lie among others, and each is taken for an image; a series needs a folder of its own"
        )
    return found


def fixed_folder(pattern: Path) -> Path:
    """Return the folder that a pattern starts in; brackets in names of existing folders are no pattern."""
    return next((folder for folder in pattern.parents if folder.is_dir()), Path(pattern.anchor))


def images_like(pattern: Path) -> FoundImages:
    """Find the images that a pattern names; ``**`` stands for any number of folders.

    ``**`` enters neither hidden folders, nor Zarr stores, nor the folder of a batch, and leaves results out.
    """
    folder = fixed_folder(pattern)
    parts = pattern.relative_to(folder).parts
    found = FoundImages()
    for part in parts:
        if _ANY_DEPTH in part and part != _ANY_DEPTH:
            better = part.replace(_ANY_DEPTH, "**/*")
            found.said.append(f"'{part}' searches one folder; '{better}' searches those inside it too")
    if _ANY_DEPTH in parts:
        for path in _walk(folder, found):
            inside = path.relative_to(folder).parts
            if _fits(inside, parts):
                found.take(path, _is_hidden(inside), keep_results=False)
        found.paths.sort()
        return found
    listed = glob.glob(f"{glob.escape(str(folder))}/{Path(*parts)}", include_hidden=True)
    for path in sorted(map(Path, listed)):
        found.take(path, _is_hidden(path.relative_to(folder).parts))
    # Such a pattern says how deep to search.
    found.folders = 0
    return found


def _walk(folder: Path, found: FoundImages) -> Iterator[Path]:
    """Yield all files, and folders that are images, below a folder; one that links reach twice is read once."""
    seen: set[tuple[int, int]] = set()
    for home, names, files in os.walk(folder, followlinks=True):
        here = Path(home)
        state = os.stat(here)
        if (state.st_dev, state.st_ino) in seen:
            names.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        if BATCH_TABLE in files and here != folder:
            found.results += sum(name.lower().endswith(file_endings()) for name in files)
            found.results += sum(_is_result(here / name) for name in names)
            names.clear()
            continue
        stores = [name for name in names if is_image_folder(here / name)]
        names[:] = [n for n in names if n not in stores and not n.startswith(".") and not is_left_by_system(n)]
        yield from (here / name for name in (*stores, *files))


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == _ANY_DEPTH:
        return any(_fits(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def _is_hidden(parts: Iterable[str]) -> bool:
    return any(part.startswith(".") for part in parts)
