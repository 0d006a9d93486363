"""Run: one run as a surface sees it. It lives in a process of its own; here it is only watched and asked."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from psygnal import Signal

from napari_s1omni.api import accept, drop
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.errors import S1OmniError, StoreError
from napari_s1omni.execution.control import Focus, request
from napari_s1omni.execution.keys import find_thought, round_of
from napari_s1omni.execution.launching import Launched, launch, launch_redo
from napari_s1omni.execution.redone import Place, Redone
from napari_s1omni.execution.status import RunStatus
from napari_s1omni.execution.watching import JournalTail, status
from napari_s1omni.frontends.live import LiveLevels, Show
from napari_s1omni.frontends.quality import QualityReader, TileQuality
from napari_s1omni.frontends.tiles import TileStates
from napari_s1omni.job import Job
from napari_s1omni.plan import Plan
from napari_s1omni.storage.fsync_store import WORK
from napari_s1omni.storage.generations import has_previous
from napari_s1omni.storage.journal import BlockRecord
from napari_s1omni.storage.thoughts import ThoughtStore

Deliver = Callable[[Callable[[], None]], None]
"""Runs a function on the thread that owns the surface."""

_INTERVAL = 0.4
"""Seconds between two looks."""
_LOG = 2**14
"""Bytes of a log that are shown."""


class Run:
    """One run.

    Parameters
    ----------
    job : Job
        It names its output.
    plan : Plan
    title : str
        Shown to people.
    deliver : callable
        How news reach the surface's thread.
    show : Show, optional
        Dimensions in which its levels are shown.
    """

    changed = Signal(object)
    """Emitted with this run whenever its status or its tiles changed."""
    ended = Signal(object)
    """Emitted with this run once, when no process works on it any more."""

    def __init__(self, job: Job, plan: Plan, title: str, deliver: Deliver, show: Show | None = None) -> None:
        self.job = job
        self.plan = plan
        self.title = title
        self.path = Path(str(job.output)) if job.output else Path(job.source.uri) / "labels" / str(job.into)
        self.levels = LiveLevels(plan, self.path, show)
        self.tiles = TileStates(plan)
        self.status = RunStatus("starting")
        self.queued = True
        """Whether it still waits for its turn."""
        self._deliver = deliver
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._cancelling = False
        self._launched: Launched | None = None
        self._thoughts: ThoughtStore | None = None
        self._quality: QualityReader | None = None

    @property
    def alive(self) -> bool:
        """Whether it waits or is at work."""
        return self.queued or self.status.alive

    @property
    def share(self) -> float:
        """Share of its tiles that are done, 0 to 1."""
        return self.status.tiles_done / self.status.tiles_total if self.status.tiles_total else 0.0

    def start(self, python: str | None = None, options: tuple[str, ...] = ()) -> Launched:
        """Start its process, or go on where an earlier one stopped.

        Raises
        ------
        S1OmniError
            See :func:`napari_s1omni.execution.launching.launch`.
        """
        self._launched = launched = launch(self.job, python=python, options=options)
        self.queued = False
        self.status = RunStatus("starting", started=time.time(), updated=time.time())
        self.watch()
        return launched

    def redo(
        self,
        tiles: str,
        seed: int | None = None,
        prompt: str | None = None,
        python: str | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        """Start a process that draws some tiles anew; reads a disk. The result before is kept until the next time.

        Parameters
        ----------
        tiles : str
            As :func:`napari_s1omni.execution.redo.parse_tiles` reads them.
        seed : int, optional
        prompt : str, optional
            Another wording for these tiles.
        python, options
            As in :meth:`start`.

        Raises
        ------
        S1OmniError
            See :func:`napari_s1omni.execution.launching.launch_redo`.
        """
        if has_previous(self.path):
            accept(self.path)
        self._launched = launch_redo(self.path, tiles, seed=seed, prompt=prompt, python=python, options=options)
        self._thoughts = None
        self.status = RunStatus("starting", started=time.time(), updated=time.time())
        self.watch()

    def drop(self) -> None:
        """Return to the result before what was redone last; reads and writes a disk.

        Raises
        ------
        S1OmniError
            If none is kept, or a run is at work.
        """
        drop(self.path)
        self._thoughts = None
        self.levels.finish()

    @property
    def has_previous(self) -> bool:
        """Whether the result before what was redone last is kept; reads a disk."""
        return has_previous(self.path)

    def read_status(self) -> RunStatus:
        """Read from its output how far it is."""
        return self._launched.status() if self._launched is not None else status(self.path)

    def watch(self) -> None:
        """Begin to watch what is at work there, in a thread of its own."""
        self.queued = False
        self.unwatch()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, args=(self._stop,), name="run", daemon=True)
        self._thread.start()

    def unwatch(self) -> None:
        """Stop watching; the run goes on."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(5)

    def pause(self, waiting: bool = True) -> None:
        """Ask it to wait, or to go on."""
        request(self.path, pause=waiting)

    def cancel(self) -> None:
        """Ask it to stop; what is finished is kept and it can be resumed."""
        if self.queued:
            self.queued = False
            self.status = self.status.replace(state="cancelled")
            self.ended.emit(self)
        else:
            # A run that only begins forgets what was asked before it lived; it is asked again then.
            self._cancelling = True
            try:
                request(self.path, cancel=True)
            except StoreError:
                if self.status.state != "starting":
                    raise

    def focus(self, point: Focus) -> None:
        """Ask it to begin near a point (t, z, y, x) in px of the source."""
        with contextlib.suppress(StoreError):
            request(self.path, focus=point)

    def thoughts(self) -> Mapping[str, Thought]:
        """Return every thought so far by its key; reads a disk."""
        folder = self.path / WORK / "thoughts"
        if self._thoughts is None:
            self._thoughts = ThoughtStore(folder)
        self._thoughts.refresh()
        return self._thoughts

    def thought_of(self, place: Place) -> tuple[str, Thought] | None:
        """Find the thought that a tile was drawn from, and its key; reads a disk."""
        return find_thought(self.plan, self.thoughts(), place, Redone.read(self.path / WORK))

    def parameters_of(self, key: str) -> str:
        """Say in one line with what something was thought and drawn; reads a disk."""
        number = round_of(key)
        rounds = Redone.read(self.path / WORK).rounds if number else ()
        again = next((found for found in rounds if found.number == number), None)
        sampling = again.sampling if again else self.plan.sampling
        engine = self.plan.engine
        words = [f"{engine.name} {engine.revision}", f"seed {sampling.seed}", f"thinking {sampling.think}"]
        if sampling.num_inference_steps is not None:
            words.append(f"{sampling.num_inference_steps} steps")
        if again:
            words.append(f"redone in round {again.number}" + (f': "{again.prompt}"' if again.prompt else ""))
        return " · ".join(words)

    def log(self) -> str:
        """Return the end of what its processes printed; reads a disk."""
        path = self.path / WORK / "run.log"
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG))
            return file.read().decode("utf-8", errors="replace").strip()

    def search(self, words: str, limit: int = 200) -> list[tuple[str, str]]:
        """Find thoughts that contain all of some words; return key and the line that has the first of them."""
        wanted = words.casefold().split()
        hits = []
        for key, thought in self.thoughts().items():
            text = thought.text.casefold()
            if wanted and all(w in text for w in wanted):
                line = next((row for row in thought.text.splitlines() if wanted[0] in row.casefold()), "")
                hits.append((key, line.strip()))
                if len(hits) == limit:
                    break
        return hits

    def _look(self, stop: threading.Event) -> None:
        tail = JournalTail(self.path / WORK / "journal")
        shown: RunStatus | None = None
        while not stop.is_set():
            try:
                died = self._launched.failure() if self._launched is not None else None
                now = self.read_status()
                if died is not None and now.pid == 0 and now.state in ("starting", "stopped"):
                    # It ended before it could say anything of itself.
                    now = now.replace(state="failed", error=died)
                records = list(tail.read())
                self.levels.fill(records)
                quality = self._look_up(records)
                if now.state == "complete":
                    self.levels.finish()
                elif self._cancelling and now.alive and now.state != "starting":
                    request(self.path, cancel=True)
            except (S1OmniError, OSError):
                # A store that does not answer now is looked at again.
                stop.wait(_INTERVAL)
                continue
            if records or shown is None or now.replace(updated=0.0) != shown.replace(updated=0.0):
                shown = now
                self._deliver(partial(self._tell, now, records, quality, stop))
            if not now.alive:
                self._cancelling = False
                return
            stop.wait(_INTERVAL)

    def _look_up(self, records: list[BlockRecord]) -> dict[tuple[int, ...], TileQuality]:
        """Read what the maps of quality say of finished blocks."""
        store = self.levels.store
        if store is not None and (self._quality is None or self._quality.empty):
            self._quality = QualityReader(self.plan, store)
        if self._quality is None:
            return {}
        found = ((r.block, self._quality.read(r.block)) for r in records if r.state != "empty")
        return {block: maps for block, maps in found if maps is not None}

    def _tell(
        self,
        now: RunStatus,
        records: list[BlockRecord],
        quality: Mapping[tuple[int, ...], TileQuality],
        stop: threading.Event,
    ) -> None:
        if stop.is_set():
            return
        self.status = now
        self.tiles.enter(records, quality)
        self.changed.emit(self)
        if not now.alive:
            self.ended.emit(self)


def reopen(path: Path | str, title: str, deliver: Deliver, show: Show | None = None) -> Run:
    """Find a run again by its output; it is not watched yet.

    Raises
    ------
    StoreError
        If nothing was ever written there.
    """
    from napari_s1omni.results import Result

    plan = Result.open(path).plan
    job = plan.job
    if not job.into:
        job = job.replace(output=str(path))
    return Run(job, plan, title, deliver, show)
