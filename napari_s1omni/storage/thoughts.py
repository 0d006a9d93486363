"""ThoughtStore: what was thought, by key, beside the journal."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from napari_s1omni.engine.protocol import Thought
from napari_s1omni.storage.disk import Disk
from napari_s1omni.storage.lines import LineWriter, decode_line, read_lines


class ThoughtStore(Mapping[str, Thought]):
    """Thoughts of all writers by key, in sorted order, and the segment of one of them.

    Only keys and places are held in memory. A thought that was put twice is
    the later one.

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
        self._lines = LineWriter(self._path, disk=disk, interval=math.inf) if worker is not None else None
        self._places: dict[str, tuple[int, Path, int]] = {}
        self._ends: dict[Path, int] = {}
        self.refresh()

    def refresh(self) -> None:
        """See what other writers have put since."""
        for path in sorted(self.folder.glob("*.log")):
            if self._ends.get(path) == path.stat().st_size:
                continue
            for offset, entry in read_lines(path, self._ends.get(path, 0)):
                # The last one is read again: whoever is writing may not have ended its line yet.
                self._ends[path] = offset
                if entry is not None:
                    self._enter(entry["key"], (entry["time"], path, offset))

    def put(self, key: str, thought: Thought) -> None:
        """Store a thought; see :meth:`commit`."""
        if self._lines is None:
            raise ValueError("this store of thoughts was opened for reading")
        entry: dict[str, Any] = {"key": key, "time": time.time_ns(), "text": thought.text}
        if thought.token_ids:
            entry["token_ids"] = thought.token_ids
        if thought.prompt:
            entry["prompt"] = thought.prompt
        if thought.route is not None:
            entry["route"] = thought.route
        self._enter(key, (entry["time"], self._path, self._lines.append(entry)))

    def __getitem__(self, key: str) -> Thought:
        _, path, offset = self._places[key]
        with path.open("rb") as file:
            file.seek(offset)
            entry = decode_line(file.readline()[:-1])
        return Thought(entry["text"], tuple(entry.get("token_ids", ())), entry.get("route"), entry.get("prompt", ""))

    def commit(self) -> None:
        """Wait until all thoughts are stored: before the line of a block that was drawn from them."""
        if self._lines is not None:
            self._lines.commit()

    def close(self) -> None:
        """Commit and close."""
        if self._lines is not None:
            self._lines.close()

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._places))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _enter(self, key: str, place: tuple[int, Path, int]) -> None:
        known = self._places.get(key)
        if known is None or place[0] >= known[0]:
            self._places[key] = place


def read_thoughts(folder: Path) -> Mapping[str, Thought]:
    """Every thought stored in a folder, read from disk when asked for."""
    return ThoughtStore(folder)
