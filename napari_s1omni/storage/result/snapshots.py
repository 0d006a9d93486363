"""Keep a snapshot of a result before it is redone or replaced, until the new version is accepted or dropped.

Files of a result are replaced as a whole by a rename and never changed in place,
except for the logs, which only grow. So a snapshot costs hard links, copies of
the logs, and later the space of the files replaced since.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from napari_s1omni.errors import StoreError
from napari_s1omni.storage.files.disk import disk_errors
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.files.tile_scratch import FOLDER as SHARED_TILES
from napari_s1omni.storage.result.output_fingerprint import FINGERPRINT

FOLDER = "generations"
_PREVIOUS = "previous"
_REPLACED = "replaced"
_STATE = ("lock", "status.json", "launch.json", "control.json", "control.json.lock", "job.yaml", "run.log")
_NOT_IN_SNAPSHOT = (*_STATE, "partial", "source", SHARED_TILES, FOLDER)
"""Files and folders of a run that are not part of its result."""


def has_snapshot(path: Path) -> bool:
    """Whether a result has a snapshot of its earlier version."""
    return _snapshot(path).is_dir()


def has_replaced(path: Path) -> bool:
    """Whether the snapshot of a result is that of another job, which was replaced, and not one from before a redo."""
    try:
        return (_snapshot(path) / FINGERPRINT).read_bytes() != (path / FINGERPRINT).read_bytes()
    except OSError:
        return False


def was_redone(path: Path) -> bool:
    """Whether the snapshot of a result is that from before its last redo."""
    return has_snapshot(path) and not has_replaced(path)


def keep_replaced(path: Path) -> Path:
    """Keep the snapshot of another job under a number, so that tiles can be redone; only for the process with the lock.

    Returns
    -------
    Path
        Its new folder, ``.s1omni/generations/1`` or a higher number.
    """
    _require_snapshot(path)
    folder = _snapshot(path).parent
    number = max((int(one.name) for one in folder.iterdir() if one.name.isdecimal()), default=0) + 1
    with disk_errors("moving", _snapshot(path)):
        return _snapshot(path).rename(folder / str(number))


def take_snapshot(path: Path) -> None:
    """Take a snapshot of a result; only for the process that holds its lock.

    Raises
    ------
    StoreError
        If there is a snapshot already.
    DiskFull
        If there is no space for it.
    """
    if has_snapshot(path):
        raise StoreError(
            f"{path} already has an earlier version",
            "one is kept at a time",
            f"keep the present one with 's1omni redo {path} --accept', or go back with --drop",
        )
    aside = _snapshot(path).with_name("aside")
    with disk_errors("writing", aside):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for file in _files(path):
            _link(path / file, aside / file)
        aside.replace(_snapshot(path))


def put_aside(path: Path) -> None:
    """Move a result into its own snapshot, so that another run can begin here; only for the process with its lock.

    An earlier snapshot is deleted. If it is interrupted, call it again.

    Raises
    ------
    StoreError
        If something cannot be moved.
    """
    target = _snapshot(path)
    aside = target.with_name(_REPLACED)
    with disk_errors("moving", path):
        for name in ("source", SHARED_TILES):
            shutil.rmtree(path / WORK / name, ignore_errors=True)
        (aside / WORK).mkdir(parents=True, exist_ok=True)
        if (path / FINGERPRINT).exists():
            parts = [entry for entry in (*path.iterdir(), *(path / WORK).iterdir()) if _is_result(entry.name)]
            # The fingerprint goes last: until then the folder counts as the earlier result.
            for entry in sorted(parts, key=lambda entry: entry == path / FINGERPRINT):
                entry.rename(aside / entry.relative_to(path))
        shutil.rmtree(target, ignore_errors=True)
        aside.rename(target)


def snapshot_folder(path: Path) -> Path:
    """Return the folder of the snapshot, which is itself a result.

    Raises
    ------
    StoreError
        If there is none.
    """
    _require_snapshot(path)
    return _snapshot(path)


def delete_snapshot(path: Path) -> None:
    """Delete the snapshot.

    Raises
    ------
    StoreError
        If there is none.
    """
    _require_snapshot(path)
    with disk_errors("deleting", _snapshot(path)):
        shutil.rmtree(_snapshot(path))


def restore_snapshot(path: Path) -> None:
    """Restore a result from its snapshot and delete the snapshot; only for the process that holds the lock.

    If it is interrupted, call it again.

    Raises
    ------
    StoreError
        If there is none.
    """
    _require_snapshot(path)
    snapshot = _snapshot(path)
    with disk_errors("writing", path):
        before = set(_files(snapshot))
        for file in before:
            if not (path / file).exists() or not (path / file).samefile(snapshot / file):
                aside = path / file.parent / f".{file.name}.restored"
                aside.unlink(missing_ok=True)
                _link(snapshot / file, aside)
                aside.replace(path / file)
        for file in set(_files(path)) - before:
            (path / file).unlink()
        shutil.rmtree(snapshot)


def _is_result(name: str) -> bool:
    return name != WORK and name not in _NOT_IN_SNAPSHOT


def _require_snapshot(path: Path) -> None:
    if not has_snapshot(path):
        raise StoreError(
            f"{path} has no earlier version",
            "a result that was redone or replaced has one until it is accepted or dropped",
        )


def _snapshot(path: Path) -> Path:
    return path / WORK / FOLDER / _PREVIOUS


def _files(root: Path) -> Iterator[Path]:
    """Yield the files of a result, relative to its folder."""
    for folder, names, files in os.walk(root):
        here = Path(folder).relative_to(root)
        if here == Path(WORK):
            names[:] = [name for name in names if name not in _NOT_IN_SNAPSHOT]
            files = [name for name in files if name not in _NOT_IN_SNAPSHOT]
        yield from (here / name for name in files if not name.endswith(".restored"))


def _link(file: Path, target: Path) -> None:
    """Hard-link a file; copy it if it is a log, which may grow."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".log":
        shutil.copy2(file, target)
    else:
        target.hardlink_to(file)
