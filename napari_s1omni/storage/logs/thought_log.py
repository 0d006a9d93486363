"""The stored thoughts of a run by key, beside the journal."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from napari_s1omni.engine.protocol import Thought
from napari_s1omni.errors import StoreError
from napari_s1omni.storage.files.disk import Disk, disk_errors
from napari_s1omni.storage.files.standing_folder import folder_gone
from napari_s1omni.storage.logs.append_log import AppendLog, decode_line, read_texts
from napari_s1omni.storage.logs.offset_index import LogPosition, OffsetIndex

_HEADER = re.compile(rb'\{"key":("(?:[^"\\]|\\.)*"),"time":(\d+),')
"""Key and time at the start of an entry."""


class ThoughtLog(Mapping[str, Thought]):
    """The thoughts of all writers by key, and the segment to which one writer appends.

    Only 16 bytes per thought are held in memory, and the files are read at the
    first access. If a key was put more than once, the latest thought counts.
    Threads may share an instance.

    Parameters
    ----------
    folder : Path
        Holds one file ``WORKER.log`` per writer.
    worker : str, optional
        Name of this writer; two writers at a time must not share one. None opens for reading only.
    disk : Disk, optional
    """

    def __init__(self, folder: Path, worker: str | None = None, *, disk: Disk | None = None) -> None:
        self.folder = folder
        self._path = folder / f"{worker}.log"
        self._log = AppendLog(self._path, disk=disk, interval=math.inf) if worker is not None else None
        self._index = OffsetIndex()
        self._segments: list[Path] = []
        self._segment_numbers: dict[Path, int] = {}
        self._ends: dict[Path, int] = {}
        self._lock = threading.RLock()
        self._scanned = False

    def refresh(self) -> None:
        """Read the thoughts that other writers have put since the last access."""
        with self._lock:
            if self._scanned:
                self._scan()

    def put(self, key: str, thought: Thought) -> None:
        """Append a thought; it is safe after :meth:`commit`.

        Raises
        ------
        ValueError
            If the log was opened for reading only.
        """
        if self._log is None:
            raise ValueError("this thought log was opened for reading")
        # Key and time come first, so that they can be read without decoding the rest.
        entry: dict[str, Any] = {"key": key, "time": time.time_ns(), "text": thought.text}
        if thought.token_ids:
            entry["token_ids"] = thought.token_ids
        if thought.prompt:
            entry["prompt"] = thought.prompt
        if thought.route is not None:
            entry["route"] = thought.route
        if thought.runaway:
            entry["runaway"] = thought.runaway
        if thought.margin:
            entry["margin"] = thought.margin
        with self._lock:
            self._ensure_scanned()
            self._index.put(key, (self._segment_number(self._path), self._log.append(entry)))

    def __getitem__(self, key: str) -> Thought:
        entry = self._entry(key)
        if entry is None:
            raise KeyError(key)
        ids, runaway = tuple(entry.get("token_ids", ())), entry.get("runaway", "")
        margin = entry.get("margin", 0)
        return Thought(entry["text"], ids, entry.get("route"), entry.get("prompt", ""), runaway, margin)

    def commit(self) -> None:
        """Sync all thoughts to the disk; called before the record of a block that was generated from them."""
        if self._log is not None:
            self._log.commit()

    def close(self) -> None:
        """Commit and close."""
        if self._log is not None:
            self._log.close()

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._entry(key) is not None

    def __len__(self) -> int:
        with self._lock:
            self._ensure_scanned()
            return len(self._index)

    def __iter__(self) -> Iterator[str]:
        """Yield the keys in sorted order; all of them are held in memory meanwhile."""
        with self._lock:
            self._ensure_scanned()
            keys = {header[0] for path in self._segments for _, header in _headers(path, 0) if header is not None}
            return iter(sorted(key for key in keys if self._index.get(key) is not None))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ensure_scanned(self) -> None:
        if not self._scanned:
            self._scanned = True
            self._scan()

    def _scan(self) -> None:
        """Add the new entries of all segments to the index."""
        for path in sorted(self.folder.glob("*.log")):
            if self._ends.get(path) == path.stat().st_size:
                continue
            for offset, header in _headers(path, self._ends.get(path, 0)):
                # The last line is read again next time: its writer may not have finished it yet.
                self._ends[path] = offset
                if header is not None:
                    self._add(*header, (self._segment_number(path), offset))

    def _add(self, key: str, written: int, position: LogPosition) -> None:
        """Add a key to the index unless a later thought is known."""
        if self._index.get(key) != position:
            known = self._entry(key)
            if known is None or written >= known["time"]:
                self._index.put(key, position)

    def _entry(self, key: str) -> dict[str, Any] | None:
        with self._lock:
            self._ensure_scanned()
            position = self._index.get(key)
            if position is None:
                return None
            path = self._segments[position[0]]
        try:
            with disk_errors("reading", path), path.open("rb") as file:
                file.seek(position[1])
                entry: dict[str, Any] = decode_line(file.readline()[:-1])
        except StoreError as error:
            if path.parent.exists():
                raise
            raise folder_gone(self.folder.parent.parent) from error
        return entry if entry["key"] == key else None

    def _segment_number(self, path: Path) -> int:
        if path not in self._segment_numbers:
            self._segment_numbers[path] = len(self._segments)
            self._segments.append(path)
        return self._segment_numbers[path]


def _headers(path: Path, start: int) -> Iterator[tuple[int, tuple[str, int] | None]]:
    """Yield (offset, (key, time)) of each thought of a segment from `start` on; None for a damaged line."""
    for offset, text in read_texts(path, start):
        if text is None:
            yield offset, None
        elif found := _HEADER.match(text):
            yield offset, (json.loads(found[1]), int(found[2]))
        else:
            entry = json.loads(text)
            yield offset, (entry["key"], entry["time"])
