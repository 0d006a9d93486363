"""Runs and previews on a machine that does other work too: alone, two at once, and beside busy processes.

All is measured in one go, since only ratios of times of one machine in one state can be compared.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from napari_s1omni.benchmarks.fresh_process import Numbers
from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.run.launch import LaunchedRun, launch, launch_redo
from napari_s1omni.execution.run.order import Order
from napari_s1omni.execution.run.watch import watch
from napari_s1omni.frontends.session.preview.box import preview_box
from napari_s1omni.frontends.session.preview.client import PreviewClient
from napari_s1omni.frontends.session.preview.events import PreviewEvent, PreviewFailed, PreviewProgress, PreviewResult
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.planning.job import Job
from napari_s1omni.settings import child_environment

POLICIES = ("passive", "active")
"""Values of ``OMP_WAIT_POLICY``; the first is ours."""
_TIMEOUT = 600.0
"""Seconds after which a preview counts as hung."""


@contextlib.contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Let some processes each keep a processor busy during a ``with`` block."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def runs(edge: int = 1024, engine: str = "nano", busy: int = 4) -> Numbers:
    """Time ``s1omni run`` on a synthetic layer, for each way in which threads wait.

    Parameters
    ----------
    edge : int
        Edge of the layer in pixels.
    engine : str
    busy : int
        Number of busy processes beside it.

    Returns
    -------
    dict
        Seconds, by the names ``alone_passive_s``, ``two_at_once_passive_s``, ``beside_busy_passive_s``; the ratios
        ``two_at_once_passive_ratio`` (to two runs one after the other) and ``beside_busy_passive_ratio`` (to a run
        alone); and the same for ``active``.
    """
    found: Numbers = {}
    with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as name:
        home = Path(name)
        # The first run reads files that later ones find in memory.
        _timed_runs(home / "first", edge, engine, "passive", 1)
        for policy in POLICIES:
            found[f"alone_{policy}_s"] = _timed_runs(home / f"alone-{policy}", edge, engine, policy, 1)
            found[f"two_at_once_{policy}_s"] = _timed_runs(home / f"two-{policy}", edge, engine, policy, 2)
            with neighbours(busy):
                found[f"beside_busy_{policy}_s"] = _timed_runs(home / f"busy-{policy}", edge, engine, policy, 1)
            alone = found[f"alone_{policy}_s"]
            found[f"two_at_once_{policy}_ratio"] = found[f"two_at_once_{policy}_s"] / (2 * alone)
            found[f"beside_busy_{policy}_ratio"] = found[f"beside_busy_{policy}_s"] / alone
    return found


def surface(edge: int = 1024, engine: str = "nano", busy: int = 4) -> Numbers:
    """Time what a user of napari waits for once the engine is loaded: previews, the first tile of a run, accepting.

    Parameters
    ----------
    edge, engine, busy
        As in :func:`runs`.
    """
    with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as name, _Surface(Path(name), edge, engine) as user:
        cold, _ = user.preview(1)
        warm, whole = user.preview(2)
        with neighbours(busy):
            beside, _ = user.preview(3)
        own_process, _ = user.run(loaded=False)
        first_tile, run = user.run(loaded=True)
        user.load()
        accepted = user.accept(run)
    return {
        "preview_first_tile_cold_s": cold,
        "preview_first_tile_warm_s": warm,
        "preview_four_tiles_warm_s": whole,
        "preview_first_tile_beside_busy_s": beside,
        "preview_beside_busy_ratio": beside / warm,
        "run_first_tile_s": own_process,
        "run_first_tile_engine_loaded_s": first_tile,
        "accept_drawn_tile_s": accepted,
    }


def _job(output: Path | None, edge: int, engine: str, seed: int = 0) -> Job:
    return Job.read(
        {
            "source": f"synthetic://nuclei?shape={edge},{edge}&seed=1",
            "output": None if output is None else str(output),
            "operation": {"type": "segmentation", "prompt": "segment the nuclei"},
            "engine": engine,
            "sampling": {"seed": seed},
        },
        "the job of the benchmark",
    )


def _timed_runs(folder: Path, edge: int, engine: str, policy: str, count: int) -> float:
    """Run the same job in some processes at once; return the seconds until the last one has ended."""
    folder.mkdir()
    environment = child_environment(OMP_WAIT_POLICY=policy.upper())
    files = [folder / f"{i}.yaml" for i in range(count)]
    for file in files:
        file.write_text(_job(file.with_suffix(".zarr"), edge, engine).dump(), encoding="utf-8")
    start = time.perf_counter()
    words = [sys.executable, "-m", "napari_s1omni", "run", "--quiet"]
    begun = [subprocess.Popen([*words, str(f)], env=environment, stdout=subprocess.DEVNULL) for f in files]
    codes = [process.wait() for process in begun]
    if any(codes):
        raise S1OmniError("a run of the benchmark failed", remedy=f"see what it says: s1omni run {files[0]}")
    return time.perf_counter() - start


class _Surface:
    """A surface without windows."""

    def __init__(self, home: Path, edge: int, engine: str) -> None:
        self.home = home
        self.edge = edge
        self.engine = engine
        self._heard: list[tuple[float, PreviewEvent]] = []
        self._news = threading.Condition()
        self._client = PreviewClient(self._hear)

    def __enter__(self) -> _Surface:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    def preview(self, seed: int) -> tuple[float, float]:
        """Preview four tiles; return the seconds until the first one, and until all are there."""
        job = _job(None, self.edge, self.engine, seed)
        box = preview_box(prepare(job).plan.grid, {})
        self._heard.clear()
        start = time.perf_counter()
        self._client.request(job.replace(region=box.model_dump(exclude_none=True)))
        with self._news:
            ended = self._news.wait_for(lambda: isinstance(self._last(), PreviewResult | PreviewFailed), _TIMEOUT)
        if not ended or isinstance(self._last(), PreviewFailed):
            raise S1OmniError(f"the preview ended with {self._last()}")
        first = next(at for at, event in self._heard if isinstance(event, PreviewProgress) and event.done)
        return first - start, self._heard[-1][0] - start

    def run(self, *, loaded: bool) -> tuple[float, LaunchedRun]:
        """Run, with the loaded engine or not; return the seconds until its first tiles, and the finished run."""
        start = time.perf_counter()
        job = _job(self.home / f"run-{loaded}.zarr", self.edge, self.engine)
        begun = launch(job, engine=self.engine, loaded=self._client.give if loaded else None)
        first = 0.0
        for change in watch(begun.path, interval=0.05):
            if change.status.tiles_done and not first:
                first = time.perf_counter() - start
        begun.process.wait()
        return first, begun

    def load(self) -> None:
        """Load the engine again, as a surface does after a run."""
        self._client.reload()
        self._wait_for(lambda: self._client.engine == self.engine)

    def accept(self, run: LaunchedRun) -> float:
        """Draw a tile with another seed and what accepting it needs; return the seconds that accepting takes then."""
        self._client.draw_ahead(Order(result=str(run.path), tiles="1/1", seed=1))
        self._wait_for(lambda: self._client.drawn_ahead)
        start = time.perf_counter()
        begun = launch_redo(run.path, "1/1", seed=1, engine=self.engine, loaded=self._client.give)
        # Until its process has begun, the status in the folder is that of the run before.
        self._wait_for(lambda: begun.process.poll() is not None or (begun.has_begun and not begun.status().alive))
        seconds = time.perf_counter() - start
        if failed := begun.status().error or begun.failure():
            raise S1OmniError(failed.message)
        begun.process.wait()
        return seconds

    def _last(self) -> PreviewEvent | None:
        return self._heard[-1][1] if self._heard else None

    def _hear(self, event: PreviewEvent) -> None:
        with self._news:
            self._heard.append((time.perf_counter(), event))
            self._news.notify_all()

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + _TIMEOUT
        while not condition():
            if time.monotonic() > end:
                raise S1OmniError("the process with the engine does not answer")
            time.sleep(0.02)
