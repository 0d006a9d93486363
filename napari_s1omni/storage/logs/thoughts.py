"""ThoughtStore: what was thought, by key, beside the journal."""

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
from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.logs.append_log import AppendLog, decode_line, read_texts
from napari_s1omni.storage.logs.offset_index import OffsetIndex, Place

_HEAD = re.compile(rb'\{"key":("(?:[^"\\]|\\.)*"),"time":(\d+),')


class ThoughtStore(Mapping[str, Thought]):
    """Thoughts of all writers by key, and the segment of one of them.

    Of a thought 16 bytes are held in memory; nothing is read before the first
    look. A thought that was put twice is the later one. Threads may share it.

    Parameters
    ----------
    folder : Path
        Holds one file ``WORKER.log`` per writer.
    worker : str, optional
        Name of this writer; no two at a time may share one. None only reads.
    disk : Disk, optional
    """

    def __init__(self, folder: Path, worker: str | None = None, *, disk: Disk | None = None) -> None:
        self.folder = folder
        self._path = folder / f"{worker}.log"
        self._lines = AppendLog(self._path, disk=disk, interval=math.inf) if worker is not None else None
        self._places = OffsetIndex()
        self._segments: list[Path] = []
        self._numbers: dict[Path, int] = {}
        self._ends: dict[Path, int] = {}
        self._lock = threading.RLock()
        self._looked = False

    def refresh(self) -> None:
        """See what other writers have put since; the first look of all sees it anyway."""
        with self._lock:
            if self._looked:
                self._look()

    def put(self, key: str, thought: Thought) -> None:
        """Store a thought; see :meth:`commit`."""
        if self._lines is None:
            raise ValueError("this store of thoughts was opened for reading")
        # Key and time come first, so that they are found without decoding the rest.
        entry: dict[str, Any] = {"key": key, "time": time.time_ns(), "text": thought.text}
        if thought.token_ids:
            entry["token_ids"] = thought.token_ids
        if thought.prompt:
            entry["prompt"] = thought.prompt
        if thought.route is not None:
            entry["route"] = thought.route
        if thought.runaway:
            entry["runaway"] = thought.runaway
        with self._lock:
            self._first_look()
            place = self._number(self._path), self._lines.append(entry)
            self._places.put(key, place)

    def __getitem__(self, key: str) -> Thought:
        entry = self._entry(key)
        if entry is None:
            raise KeyError(key)
        ids, runaway = tuple(entry.get("token_ids", ())), entry.get("runaway", "")
        return Thought(entry["text"], ids, entry.get("route"), entry.get("prompt", ""), runaway)

    def commit(self) -> None:
        """Wait until all thoughts are stored: before the line of a block that was drawn from them."""
        if self._lines is not None:
            self._lines.commit()

    def close(self) -> None:
        """Commit and close."""
        if self._lines is not None:
            self._lines.close()

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._entry(key) is not None

    def __len__(self) -> int:
        with self._lock:
            self._first_look()
            return len(self._places)

    def __iter__(self) -> Iterator[str]:
        """Yield the keys in sorted order; all of them are held in memory meanwhile."""
        with self._lock:
            self._first_look()
            keys = {head[0] for path in self._segments for _, head in _heads(path, 0) if head is not None}
            return iter(sorted(key for key in keys if self._places.get(key) is not None))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _first_look(self) -> None:
        if not self._looked:
            self._looked = True
            self._look()

    def _look(self) -> None:
        for path in sorted(self.folder.glob("*.log")):
            if self._ends.get(path) == path.stat().st_size:
                continue
            for offset, head in _heads(path, self._ends.get(path, 0)):
                # The last one is read again: whoever is writing may not have ended its line yet.
                self._ends[path] = offset
                if head is not None:
                    self._enter(*head, (self._number(path), offset))

    def _enter(self, key: str, written: int, place: Place) -> None:
        if self._places.get(key) != place:
            known = self._entry(key)
            if known is None or written >= known["time"]:
                self._places.put(key, place)

    def _entry(self, key: str) -> dict[str, Any] | None:
        with self._lock:
            self._first_look()
            place = self._places.get(key)
            if place is None:
                return None
            path = self._segments[place[0]]
        with path.open("rb") as file:
            file.seek(place[1])
            entry: dict[str, Any] = decode_line(file.readline()[:-1])
        return entry if entry["key"] == key else None

    def _number(self, path: Path) -> int:
        if path not in self._numbers:
            self._numbers[path] = len(self._segments)
            self._segments.append(path)
        return self._numbers[path]


def _heads(path: Path, start: int) -> Iterator[tuple[int, tuple[str, int] | None]]:
    """Yield (offset, (key, time)) of each thought of a segment from an offset on; None for a line not to be trusted."""
    for offset, text in read_texts(path, start):
        if text is None:
            yield offset, None
        elif found := _HEAD.match(text):
            yield offset, (json.loads(found[1]), int(found[2]))
        else:
            entry = json.loads(text)
            yield offset, (entry["key"], entry["time"])


def read_thoughts(folder: Path) -> Mapping[str, Thought]:
    """Every thought stored in a folder, read from disk when asked for."""
    return ThoughtStore(folder)
