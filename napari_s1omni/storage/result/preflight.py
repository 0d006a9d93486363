"""Check and lock the output of a run before any model is loaded."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_s1omni.core.units import format_bytes
from napari_s1omni.errors import DiskFull, StoreError, StoreLocked
from napari_s1omni.storage.files.disk import Disk, disk_errors
from napari_s1omni.storage.files.fsync_store import WORK, FsyncStore
from napari_s1omni.storage.image_group.labels_group import check_labels_path
from napari_s1omni.storage.result.output_checks import check_apart, check_no_other_files, existing_parent
from napari_s1omni.storage.result.output_fingerprint import FINGERPRINT, check_same_run, is_begun, is_same_run
from napari_s1omni.storage.result.snapshots import put_aside
from napari_s1omni.system.files import is_writable
from napari_s1omni.system.locks import LocksMissing, LockTaken, check_unlocked, owner_lock

LOCK = "lock"


@dataclass(frozen=True, slots=True)
class OutputRequest:
    """What a run wants to write, and from which source."""

    fingerprint: Mapping[str, Any]
    """Everything that affects pixels, as JSON values; may be nested."""
    forecast: int
    """Bytes that a whole run writes."""
    bytes_left: Callable[[], int] | None = None
    """Returns the bytes that a run begun here still has to write. It is called only if less than `forecast` is free and
    the run here has the same fingerprint."""
    source: str | None = None
    """URI or path of the source, which must not be changed."""
    into: bool = False
    """The output is a label image inside the source: ``SOURCE/labels/NAME``."""

    def json_fingerprint(self) -> dict[str, Any]:
        """Return the fingerprint as it reads back from JSON."""
        return dict(json.loads(json.dumps(self.fingerprint)))


@dataclass(frozen=True, slots=True)
class OutputFolder:
    """A folder that only this process may write to until the lock is released."""

    path: Path
    """The output folder."""
    resumed: bool
    """Whether a run with the same fingerprint was begun here before."""
    swept: int
    """Number of deleted partial files of killed processes."""


@contextlib.contextmanager
def preflight(
    path: Path | str, request: OutputRequest, *, resume: bool = True, disk: Disk | None = None
) -> Iterator[OutputFolder]:
    """Check and lock an output for the duration of a ``with`` block.

    Parameters
    ----------
    path : Path or str
        The output folder, existing or not.
    request : OutputRequest
    resume : bool
        Whether a run with the same fingerprint may be continued.
    disk : Disk, optional

    Yields
    ------
    OutputFolder

    Raises
    ------
    StoreError
        If the output is the source, lies in it or holds it, or cannot be written.
    StoreExists
        If the folder holds something else, or a run that must not be continued.
    PlanMismatch
        If a run with another fingerprint was begun here; ``facts['keys']`` names what differs.
    StoreLocked
        If another process writes to it; ``facts['pid']`` is its process.
    DiskFull
        If less space is free than the run still has to write.
    """
    path = Path(path)
    disk = disk or Disk()
    fingerprint = request.json_fingerprint()
    _check_output(path, request)
    _check_begun(path, fingerprint, resume=resume)
    work = path / WORK
    with disk_errors("writing", path):
        disk.make_folder(work)
    with _locked(work / LOCK, path):
        resumed = is_begun(path)
        if resumed:
            check_same_run(path, fingerprint, resume=resume)
        store = FsyncStore(path, disk=disk)
        swept = store.sweep()
        if not resumed:
            store.put(FINGERPRINT, json.dumps(fingerprint, indent=1).encode())
        yield OutputFolder(path, resumed, swept)


def replace_other(path: Path | str, request: OutputRequest) -> bool:
    """Make place for a run where another one was begun: its result becomes the snapshot of the output.

    Returns
    -------
    bool
        Whether there was another one; a run with the same fingerprint stays, to be resumed.

    Raises
    ------
    StoreError, DiskFull
        As :func:`preflight` for a new output; then nothing is changed.
    """
    path = Path(path)
    _check_output(path, request)
    if not is_begun(path):
        return False
    with _locked(path / WORK / LOCK, path):
        other = is_begun(path) and not is_same_run(path, request.json_fingerprint())
        if other:
            put_aside(path)
        return other


def dry_run(path: Path | str, request: OutputRequest, *, overwrite: bool = False) -> bool:
    """Check an output like :func:`preflight`, without writing or locking anything.

    Parameters
    ----------
    path : Path or str
    request : OutputRequest
    overwrite : bool
        Whether another result may be replaced.

    Returns
    -------
    bool
        Whether a run with the same fingerprint was begun here before.

    Raises
    ------
    StoreError, DiskFull
        As :func:`preflight` would now.
    """
    path = Path(path)
    _check_output(path, request)
    parent = existing_parent(path)
    if not is_writable(parent):
        raise StoreError(
            f"{path} cannot be written: {parent} is read-only for this user", remedy="choose another output"
        )
    return _check_begun(path, request.json_fingerprint(), resume=True, overwrite=overwrite)


def _check_begun(path: Path, fingerprint: Mapping[str, Any], *, resume: bool, overwrite: bool = False) -> bool:
    """Return whether this run was begun here; refuse another one, or one at work, before anything is touched."""
    lock = path / WORK / LOCK
    if lock.exists():
        with _lock_errors("reading", lock, path):
            check_unlocked(lock)
    begun = is_begun(path)
    if begun and overwrite:
        return is_same_run(path, fingerprint)
    if begun:
        check_same_run(path, fingerprint, resume=resume)
    return begun


def is_locked(path: Path) -> bool:
    """Report whether a process, on any machine that shares the locks of this folder, writes to an output."""
    lock = path / WORK / LOCK
    try:
        with disk_errors("reading", lock):
            check_unlocked(lock)
    except LockTaken:
        return True
    except (LocksMissing, StoreError):
        # Without locks, or without a file to lock, nobody can be found out.
        return False
    return False


def _check_output(path: Path, request: OutputRequest) -> None:
    with disk_errors("reading", path):
        if request.into:
            check_labels_path(path)
        check_apart(path, request.source, request.into)
        check_no_other_files(path)
        _check_space(path, request)


def _check_space(path: Path, request: OutputRequest) -> None:
    folder = existing_parent(path)
    total, _, free = shutil.disk_usage(folder)
    needed = request.forecast
    # Reading a long journal takes time, so it is read only if it can change the answer.
    if free < needed and request.bytes_left is not None and is_same_run(path, request.json_fingerprint()):
        needed = request.bytes_left()
    # Virtual file systems have no size; writing there fails on its own.
    if total and free < needed:
        raise DiskFull(
            f"{folder} has {format_bytes(free)} free and the result may need {format_bytes(needed)}",
            remedy="free some space, choose another output, or a smaller region",
            free=free,
            forecast=needed,
        )


@contextlib.contextmanager
def _locked(file: Path, path: Path) -> Iterator[None]:
    """Hold the lock of an output."""
    with contextlib.ExitStack() as stack:
        with _lock_errors("locking", file, path):
            stack.enter_context(owner_lock(file))
        yield


@contextlib.contextmanager
def _lock_errors(doing: str, file: Path, path: Path) -> Iterator[None]:
    try:
        with disk_errors(doing, file):
            yield
    except LockTaken as error:
        holder = error.holder
        raise StoreLocked(
            f"{path} is being written by process {holder.get('pid', '?')} on {holder.get('host', 'this machine')}",
            remedy="wait for that run or watch it, or choose another output",
            path=str(path),
            **holder,
        ) from None
    except LocksMissing as error:
        raise StoreError(
            f"{path} cannot be locked: {error}", remedy="choose a folder whose file system has locks"
        ) from error
