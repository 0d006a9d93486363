"""Which coarse units of a pyramid were computed, and from what."""

from __future__ import annotations

from pathlib import Path

from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.logs.append_log import AppendLog, read_lines


class PyramidLog(AppendLog):
    """The inputs of each unit, remembered across processes; a context manager.

    Parameters
    ----------
    path : Path
    disk : Disk
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__(path, disk=disk)
        self._inputs: dict[tuple[int, tuple[int, ...]], str] = {}
        if path.is_file():
            for _, entry in read_lines(path):
                if entry is not None:
                    self._inputs[entry["level"], tuple(entry["origin"])] = entry["inputs"]

    def get(self, level: int, origin: tuple[int, ...]) -> str | None:
        """Digest of what the unit was last computed from, or None."""
        return self._inputs.get((level, origin))

    def put(self, level: int, origin: tuple[int, ...], inputs: str) -> None:
        """Remember that the unit was computed and stored."""
        self.append({"level": level, "origin": origin, "inputs": inputs})
        self._inputs[level, origin] = inputs
