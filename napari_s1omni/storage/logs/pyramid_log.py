"""A log of the computed units of a pyramid and of the digests of their inputs."""

from __future__ import annotations

from pathlib import Path

from napari_s1omni.storage.files.disk import Disk
from napari_s1omni.storage.logs.append_log import AppendLog, read_lines


class PyramidLog(AppendLog):
    """Digest of the inputs of each unit, kept across processes; a context manager.

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
        """Digest of the inputs of the last computation of a unit, or None."""
        return self._inputs.get((level, origin))

    def put(self, level: int, origin: tuple[int, ...], inputs: str) -> None:
        """Record that a unit was computed from these inputs and stored."""
        self.append({"level": level, "origin": origin, "inputs": inputs})
        self._inputs[level, origin] = inputs
