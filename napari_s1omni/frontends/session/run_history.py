"""The runs that this user started, in a small file in the cache folder."""

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
from napari_s1omni.planning.zarr_folder import read_attributes
from napari_s1omni.settings import cache_folder
from napari_s1omni.storage.result.metadata import KEY
from napari_s1omni.system.locks import lock_file

_LIMIT = 200
"""Number of entries that are kept."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A run that was started."""

    output: str
    """Its output folder."""
    title: str
    """Such as ``segment the nuclei · plate 3``."""
    started: float
    """Unix time."""
    layer: str = ""
    """Name of the source layer."""


def new_output(name: str) -> Path:
    """Create an empty folder for a result in the cache.

    Parameters
    ----------
    name : str
        Beginning of its name; unusual characters become dashes.
    """
    stem = "".join(ch if ch.isalnum() or ch in "-_" else "-" for ch in name).strip("-") or "result"
    folder = cache_folder() / "results"
    folder.mkdir(exist_ok=True)
    for number in itertools.count(1):
        with contextlib.suppress(FileExistsError):
            # Creating it keeps two programs from choosing the same folder.
            (path := folder / f"{stem}-{number}.zarr").mkdir()
            return path
    raise AssertionError("unreachable")


def remember(output: Path | str, title: str, layer: str = "", folder: Path | None = None) -> HistoryEntry:
    """Add a run; an earlier entry with the same output is replaced."""
    entry = HistoryEntry(str(Path(output).absolute()), title, time.time(), layer)
    with _locked(folder) as file:
        kept = [e for e in _read(file) if e.output != entry.output]
        _write(file, [*kept, entry][-_LIMIT:])
    return entry


def forget(output: Path | str, folder: Path | None = None) -> None:
    """Remove a run."""
    removed = str(Path(output).absolute())
    with _locked(folder) as file:
        _write(file, [e for e in _read(file) if e.output != removed])


def unfinished(folder: Path | None = None) -> list[tuple[HistoryEntry, RunStatus]]:
    """Return the runs that work or can be resumed, newest first; runs whose output was deleted are removed."""
    found, kept = [], []
    with _locked(folder) as file:
        for entry in _read(file):
            try:
                found.append((entry, status(entry.output)))
            except (StoreError, OSError):
                # Of a disk that is not mounted now, nobody knows what it holds.
                if Path(entry.output).parent.exists():
                    continue
            kept.append(entry)
        _write(file, kept)
    return [(entry, now) for entry, now in reversed(found) if now.alive or now.resumable]


def history(folder: Path | None = None) -> list[HistoryEntry]:
    """Return all entries, oldest first."""
    with _locked(folder) as file:
        return _read(file)


def known_sources() -> set[str] | None:
    """Return the sources of all runs of the list; None if one of them cannot be read now, and may be needed later."""
    found: set[str] = set()
    for output in (Path(entry.output) for entry in history()):
        if not output.exists() and output.parent.exists():
            continue
        try:
            found.add(str(read_attributes(output)[KEY]["source"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
    return found


@contextlib.contextmanager
def _locked(folder: Path | None) -> Iterator[Path]:
    base = folder or cache_folder()
    # Several programs may start runs at once.
    with lock_file(base / "runs.lock", mode=0o600):
        yield base / "runs.json"


def _read(file: Path) -> list[HistoryEntry]:
    try:
        return [HistoryEntry(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        # An unreadable file loses the history, but no run.
        return []


def _write(file: Path, entries: list[HistoryEntry]) -> None:
    with contextlib.suppress(OSError):
        temporary = file.with_suffix(".tmp")
        temporary.write_text(json.dumps([asdict(e) for e in entries], indent=1), encoding="utf-8")
        temporary.replace(file)
