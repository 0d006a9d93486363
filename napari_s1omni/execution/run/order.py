"""What a process of its own is started to do: run a job, or redo tiles of a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Order:
    """One run or redo, as the words of a command or as plain data."""

    job: str = ""
    """The job file to run; empty for a redo."""
    result: str = ""
    """Folder of the result whose tiles are redone."""
    tiles: str = ""
    """The tiles, see :func:`napari_s1omni.execution.redo.redo.parse_tiles`."""
    seed: int | None = None
    """Another seed for these tiles."""
    prompt: str | None = None
    """Another prompt for these tiles."""

    @property
    def words(self) -> list[str]:
        """The words after ``s1omni``."""
        if self.job:
            return ["run", self.job]
        words = ["redo", self.result, "--tiles", self.tiles]
        if self.seed is not None:
            words += ["--seed", str(self.seed)]
        # As one argument, because a prompt may begin with a dash.
        return words if self.prompt is None else [*words, f"--prompt={self.prompt}"]

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON; inverse of :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read it back."""
        return cls(**data)
