"""The thoughts of a run: found by tile, searched, and described with their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from napari_s1omni.core.tiling import TilePlace
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.execution.pipeline.thought_keys import find_thought, redo_round_of_key
from napari_s1omni.execution.redo.redo_log import RedoLog
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.logs.thought_log import ThoughtLog


class RunThoughts:
    """The thoughts of one run; every method reads the disk.

    Parameters
    ----------
    plan : Plan
    path : Path
        The output folder.
    """

    def __init__(self, plan: Plan, path: Path) -> None:
        self._plan = plan
        self._work = path / WORK
        self._store: ThoughtLog | None = None

    def read(self) -> Mapping[str, Thought]:
        """Return all thoughts so far by key."""
        if self._store is None:
            self._store = ThoughtLog(self._work / "thoughts")
        self._store.refresh()
        return self._store

    def reopen(self) -> None:
        """Read everything again at the next call, since a redo replaces thoughts."""
        self._store = None

    def of_tile(self, place: TilePlace) -> tuple[str, Thought] | None:
        """Return key and thought from which a tile was generated, None if there is none."""
        return find_thought(self._plan, self.read(), place, RedoLog.read(self._work))

    def parameters(self, key: str) -> str:
        """Describe in one line the engine and sampling of a thought, and what every tile is told of the layer."""
        number = redo_round_of_key(key)
        rounds = RedoLog.read(self._work).rounds if number else ()
        redo = next((found for found in rounds if found.number == number), None)
        sampling = redo.sampling if redo else self._plan.sampling
        engine = self._plan.engine
        words = [f"{engine.name} {engine.revision}", f"seed {sampling.seed}", f"thinking {sampling.think}"]
        if sampling.num_inference_steps is not None:
            words.append(f"{sampling.num_inference_steps} steps")
        if redo:
            words.append(f"redone in round {redo.number}" + (f': "{redo.prompt}"' if redo.prompt else ""))
        if self._plan.told:
            words.append(self._plan.told)
        return " · ".join(words)

    def search(self, text: str, limit: int = 200) -> list[tuple[str, str]]:
        """Find thoughts that contain every word of a text.

        Returns
        -------
        list of (str, str)
            Key, and the first line that contains the first word.
        """
        words = text.casefold().split()
        if not words:
            return []
        hits = []
        for key, thought in self.read().items():
            if all(word in thought.text.casefold() for word in words):
                line = next((row for row in thought.text.splitlines() if words[0] in row.casefold()), "")
                hits.append((key, line.strip()))
                if len(hits) == limit:
                    break
        return hits
