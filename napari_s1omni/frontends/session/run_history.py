"""The runs that were started from this account: a small file in the user's cache folder."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from napari_s1omni.errors import StoreError
from napari_s1omni.execution.run.status import RunStatus
from napari_s1omni.execution.run.watch import status
from napari_s1omni.settings import cache_folder
from napari_s1omni.system.locks import lock_file

_LIMIT = 200


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A run that was started."""

    output: str
    """Its folder."""
    title: str
    """Such as ``segment the nuclei · plate 3``."""
    started: float
    """Unix time."""
    layer: str = ""
    """Name of the source layer, to be found again."""


def new_output(name: str) -> Path:
    """Make an empty folder for a result in the cache.

    Parameters
    ----------
    name : str
        How it begins; whatever no file name should hold becomes a dash.
    """
    stem = "".join(ch if ch.isalnum() or ch in "-_" else "-" for ch in name).strip("-") or "result"
    folder = cache_folder() / "results"
    folder.mkdir(exist_ok=True)
    for number in itertools.count(1):
        with contextlib.suppress(FileExistsError):
            # Making it is what keeps two surfaces from choosing the same one.
            (path := folder / f"{stem}-{number}.zarr").mkdir()
            return path
    raise AssertionError("unreachable")


def remember(output: Path | str, title: str, layer: str = "", folder: Path | None = None) -> HistoryEntry:
    """Note that a run was started; an earlier note on the same output is replaced."""
    entry = HistoryEntry(str(Path(output).absolute()), title, time.time(), layer)
    with _locked(folder) as file:
        kept = [e for e in _read(file) if e.output != entry.output]
        _write(file, [*kept, entry][-_LIMIT:])
    return entry


def forget(output: Path | str, folder: Path | None = None) -> None:
    """Do not offer a run again."""
    gone = str(Path(output).absolute())
    with _locked(folder) as file:
        _write(file, [e for e in _read(file) if e.output != gone])


def unfinished(folder: Path | None = None) -> list[tuple[HistoryEntry, RunStatus]]:
    """Return the runs that are at work or can be resumed, newest first; lost ones are forgotten."""
    found = []
    with _locked(folder) as file:
        for entry in _read(file):
            with contextlib.suppress(StoreError, OSError):
                found.append((entry, status(entry.output)))
        _write(file, [entry for entry, _ in found])
    return [(entry, now) for entry, now in reversed(found) if now.alive or now.resumable]


@contextlib.contextmanager
def _locked(folder: Path | None) -> Iterator[Path]:
    base = folder or cache_folder()
    # Several viewers may start runs at once.
    with lock_file(base / "runs.lock", mode=0o600):
        yield base / "runs.json"


def _read(file: Path) -> list[HistoryEntry]:
    try:
        return [HistoryEntry(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        # A file that cannot be read costs a convenience, no run.
        return []


def _write(file: Path, entries: list[HistoryEntry]) -> None:
    with contextlib.suppress(OSError):
        temporary = file.with_suffix(".tmp")
        temporary.write_text(json.dumps([asdict(e) for e in entries], indent=1), encoding="utf-8")
        temporary.replace(file)
