"""Generations: the state of a result before something was redone, kept until that is accepted or dropped.

Every file of a result is replaced whole by a rename, never changed in place,
save for the logs, which only grow. So a generation costs hard links, copies
of the logs, and later the space of what was replaced since.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from napari_s1omni.errors import StoreError
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.files.fsync_store import WORK

FOLDER = "generations"
_PREVIOUS = "previous"
_OF_THE_PROCESS = ("lock", "status.json", "control.json", "control.json.lock", "run.log", "partial", "source", FOLDER)
"""What belongs to a run and not to its result."""


def has_previous(path: Path) -> bool:
    """Whether an earlier generation of a result is kept."""
    return _kept(path).is_dir()


def keep(path: Path) -> None:
    """Keep the present state of a result; only for the holder of its lock.

    Raises
    ------
    StoreError
        If an earlier generation is kept already.
    DiskFull
        If there is no space for the links.
    """
    if has_previous(path):
        raise StoreError(
            f"{path} keeps an earlier generation already", "one at a time", "accept or drop what was redone last"
        )
    aside = _kept(path).with_name("aside")
    with disk_errors("writing", aside):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for file in _files(path):
            _place(path / file, aside / file)
        aside.replace(_kept(path))


def previous(path: Path) -> Path:
    """Return the folder of the earlier generation, itself a result.

    Raises
    ------
    StoreError
        If none is kept.
    """
    _check(path)
    return _kept(path)


def accept(path: Path) -> None:
    """Forget the earlier generation.

    Raises
    ------
    StoreError
        If none is kept.
    """
    _check(path)
    with disk_errors("deleting", _kept(path)):
        shutil.rmtree(_kept(path))


def drop(path: Path) -> None:
    """Return to the earlier generation, and forget what came after it; only for the holder of the lock.

    It may be interrupted, and done again.

    Raises
    ------
    StoreError
        If none is kept.
    """
    _check(path)
    kept = _kept(path)
    with disk_errors("writing", path):
        before = set(_files(kept))
        for file in before:
            if not (path / file).exists() or not (path / file).samefile(kept / file):
                aside = path / file.parent / f".{file.name}.restored"
                aside.unlink(missing_ok=True)
                _place(kept / file, aside)
                aside.replace(path / file)
        for file in set(_files(path)) - before:
            (path / file).unlink()
        shutil.rmtree(kept)


def _check(path: Path) -> None:
    if not has_previous(path):
        raise StoreError(f"{path} keeps no earlier generation", "a result of which something was redone")


def _kept(path: Path) -> Path:
    return path / WORK / FOLDER / _PREVIOUS


def _files(root: Path) -> Iterator[Path]:
    """Yield the files of a result, relative to its folder."""
    for folder, names, files in os.walk(root):
        here = Path(folder).relative_to(root)
        if here == Path(WORK):
            names[:] = [name for name in names if name not in _OF_THE_PROCESS]
            files = [name for name in files if name not in _OF_THE_PROCESS]
        yield from (here / name for name in files if not name.endswith(".restored"))


def _place(file: Path, target: Path) -> None:
    """Put a file in a second place: linked, or copied where it may grow."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".log":
        shutil.copy2(file, target)
    else:
        target.hardlink_to(file)
