"""preflight: whether a run may write here, checked before any model is loaded; and the lock while it does."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from napari_s1omni.errors import DiskFull, PlanMismatch, StoreDamaged, StoreError, StoreExists, StoreLocked
from napari_s1omni.storage.files.disk import Disk, disk_errors
from napari_s1omni.storage.files.fsync_store import WORK, FsyncStore
from napari_s1omni.storage.result.labels_group import check_labels_path, is_image
from napari_s1omni.system.files import is_writable
from napari_s1omni.system.locks import LocksMissing, LockTaken, check_unlocked, owner_lock

FINGERPRINT = "fingerprint.json"
LOCK = "lock"


@dataclass(frozen=True, slots=True)
class OutputFolder:
    """A place that this process alone may write to until the lock is released."""

    path: Path
    """The output folder."""
    resumed: bool
    """Whether a run with the same fingerprint was begun here before."""
    swept: int
    """Half-written files of killed processes that were deleted."""


@dataclass(frozen=True, slots=True)
class _Need:
    """Space that a run needs."""

    fingerprint: Mapping[str, Any]
    forecast: int
    left: Callable[[], int] | None


@contextlib.contextmanager
def preflight(
    path: Path | str,
    *,
    fingerprint: Mapping[str, Any],
    forecast: int,
    left: Callable[[], int] | None = None,
    resume: bool = True,
    source: str | None = None,
    into: bool = False,
    disk: Disk | None = None,
) -> Iterator[OutputFolder]:
    """Check and lock an output for the duration of a ``with`` block.

    Parameters
    ----------
    path : Path or str
        The output folder, there or not.
    fingerprint : mapping
        Everything that affects pixels, as JSON values; may be nested.
    forecast : int
        Bytes that a whole run writes.
    left : callable, optional
        Says how many bytes a run that was begun here has still to write. It is asked only where less than
        `forecast` is free, and the run there has the same fingerprint.
    resume : bool
        Whether a run with the same fingerprint may be continued.
    source : str, optional
        URI or path of the source, which must not be touched.
    into : bool
        The output is a label image inside the source: ``SOURCE/labels/NAME``.
    disk : Disk, optional

    Yields
    ------
    OutputFolder

    Raises
    ------
    StoreError
        The output is the source, lies in it or holds it, or cannot be written to.
    StoreExists
        Something else is there, or a run that may not be continued.
    PlanMismatch
        A run with another fingerprint is there; ``facts['keys']`` names what differs.
    StoreLocked
        Another process writes it; ``facts['pid']`` is its process.
    DiskFull
        Less space is free than what is still to be written.
    """
    path = Path(path)
    disk = disk or Disk()
    plain = json.loads(json.dumps(fingerprint))
    _check_ground(path, _Need(plain, forecast, left), source, into)
    work = path / WORK
    with disk_errors("writing", path):
        disk.make_folder(work)
    with _locked(work / LOCK, path):
        resumed = (work / FINGERPRINT).exists()
        if resumed:
            _check_same(path, work / FINGERPRINT, plain, resume)
        swept = FsyncStore(path, disk=disk).sweep()
        if not resumed:
            FsyncStore(path, disk=disk).put(f"{WORK}/{FINGERPRINT}", json.dumps(plain, indent=1).encode())
        yield OutputFolder(path, resumed, swept)


def dry_run(
    path: Path | str,
    *,
    fingerprint: Mapping[str, Any],
    forecast: int,
    left: Callable[[], int] | None = None,
    source: str | None = None,
    into: bool = False,
) -> bool:
    """Check an output as :func:`preflight` does, without writing or locking anything.

    Parameters
    ----------
    path, fingerprint, forecast, left, source, into
        As in :func:`preflight`.

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
    plain = json.loads(json.dumps(fingerprint))
    _check_ground(path, _Need(plain, forecast, left), source, into)
    nearest = _nearest(path)
    if not is_writable(nearest):
        raise StoreError(
            f"{path} cannot be written: {nearest} is read-only for this user", remedy="choose another output"
        )
    work = path / WORK
    if (work / LOCK).exists():
        with _lock_errors("reading", work / LOCK, path):
            check_unlocked(work / LOCK)
    begun = (work / FINGERPRINT).exists()
    if begun:
        _check_same(path, work / FINGERPRINT, plain, resume=True)
    return begun


def differing_keys(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> tuple[str, ...]:
    """Return the dotted names of what differs between two fingerprints, sorted."""
    keys: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            keys += differing_keys(a, b, f"{prefix}{key}.")
        elif a != b or (key in old) != (key in new):
            keys.append(prefix + key)
    return tuple(keys)


def _check_ground(path: Path, need: _Need, source: str | None, into: bool) -> None:
    with disk_errors("reading", path):
        if into:
            check_labels_path(path)
        _check_apart(path, source, into)
        _check_foreign(path)
        _check_space(path, need)


def _nearest(path: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    folder = path.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def _check_apart(path: Path, source: str | None, into: bool) -> None:
    """The output must not be the source, lie in it, or hold it."""
    origin = _local(source)
    if origin is None:
        return
    here, there = path.resolve(), origin.resolve()
    if here == there:
        given = f"output {path} is the source itself"
    elif here in there.parents:
        given = f"the source {origin} lies inside the output {path}"
    else:
        # The source may be named by one of its levels: its image is then above it.
        images = [folder for folder in (there, *there.parents) if folder in here.parents and is_image(folder)]
        if not images or (into and here.parent.parent == images[0]):
            return
        given = f"output {path} lies inside the source {images[0]}"
    raise StoreError(given, remedy="choose another output", path=str(path), source=source)


def _local(source: str | None) -> Path | None:
    """Path of a source on this machine, or None."""
    if source is None:
        return None
    parsed = urlparse(source)
    if parsed.scheme == "file":
        return Path(unquote(parsed.path))
    return None if "://" in source else Path(source)


def _check_foreign(path: Path) -> None:
    if path.is_dir():
        entries = {entry.name for entry in path.iterdir()}
        if not entries or WORK in entries:
            return
        given = f"{path} holds other files ({', '.join(sorted(entries)[:3])}{', ...' if len(entries) > 3 else ''})"
    elif path.exists():
        given = f"{path} is a file"
    else:
        return
    raise StoreExists(
        given, "a new or empty folder, or the output of the same job", "choose another output", path=str(path)
    )


def _check_space(path: Path, need: _Need) -> None:
    folder = _nearest(path)
    total, _, free = shutil.disk_usage(folder)
    forecast = need.forecast
    # Reading a long journal takes its time, so only where the answer counts.
    if free < forecast and need.left is not None and _is_begun(path, need.fingerprint):
        forecast = need.left()
    # File systems of the kernel have no size; writing there fails by itself.
    if total and free < forecast:
        raise DiskFull(
            f"{folder} has {free / 1e9:.3g} GB free and the result may need {forecast / 1e9:.3g} GB",
            remedy="free some space, choose another output, or a smaller region",
            free=free,
            forecast=forecast,
        )


def _is_begun(path: Path, fingerprint: Mapping[str, Any]) -> bool:
    """Whether this very run was begun here; what cannot be read is refused later, with its own words."""
    try:
        return bool(json.loads((path / WORK / FINGERPRINT).read_bytes()) == fingerprint)
    except (OSError, ValueError):
        return False


def _check_same(path: Path, file: Path, new: Mapping[str, Any], resume: bool) -> None:
    with disk_errors("reading", file):
        text = file.read_bytes()
    try:
        old = json.loads(text)
    except ValueError as error:
        raise StoreDamaged(f"{file} cannot be read: {error}", remedy="choose another output") from error
    keys = differing_keys(old, new)
    if keys:
        raise PlanMismatch(
            f"{path} was begun with another plan; different: {', '.join(keys)}",
            remedy="run with what it was begun with, or choose another output",
            path=str(path),
            keys=keys,
        )
    if not resume:
        raise StoreExists(f"{path} holds this very run already", remedy="resume it, or choose another output")


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
            remedy="wait for it or watch it, or choose another output",
            path=str(path),
            **holder,
        ) from None
    except LocksMissing as error:
        raise StoreError(
            f"{path} cannot be locked: {error}", remedy="choose a folder whose file system has locks"
        ) from error
