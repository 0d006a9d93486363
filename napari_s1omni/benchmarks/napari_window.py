"""A real napari window: frame times while panning, with and without a run in progress, and the dock's callbacks."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import S1OmniError
from napari_s1omni.frontends.session.preview.events import PreviewEvent, PreviewFailed, PreviewProgress, PreviewResult
from napari_s1omni.settings import use_cache_folder
from napari_s1omni.system.memory import own_memory

SOURCE = "synthetic://nuclei?shape={edge},{edge}&seed=5&diameter=128"
_FRAMES = 300
"""Camera steps of one pan."""
_TIMEOUT = 300.0
"""Longest wait in seconds."""

Numbers = dict[str, float | int | str]


def measure_window(edge: int, engine: str) -> Numbers:
    """Open a window, pan over a virtual image, preview, start a run, and pan again.

    Parameters
    ----------
    edge : int
        Edge of the image in pixels.
    engine : str
        Engine of the preview; the run uses the reference engine.

    Returns
    -------
    dict
        Seconds (``_s``), milliseconds (``_ms``) and megabytes (``_mb``) by name.
    """
    # A private cache: the results are temporary, and no earlier run is offered.
    with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as folder:
        use_cache_folder(folder)
        return _WindowBenchmark(edge, engine).numbers


class _WindowBenchmark:
    def __init__(self, edge: int, engine: str) -> None:
        import napari
        from qtpy.QtWidgets import QApplication

        self.viewer = napari.Viewer(show=True)
        self.app = QApplication.instance()
        self.viewer.window.resize(1280, 860)
        self._process_events(1.0)
        self._callback_seconds: list[float] = []
        self._napari_ms: dict[str, float] = {}
        self.numbers: Numbers = {"edge_px": edge}
        start, busy = time.perf_counter(), time.process_time()
        _, self.panel = self.viewer.window.add_plugin_dock_widget("napari_s1omni", "Think and generate")
        self.app.processEvents()
        self.numbers["dock_opens_s"] = time.perf_counter() - start
        self.numbers["dock_opens_cpu_s"] = time.process_time() - busy
        self._time_callbacks()
        try:
            self._measure(edge, engine)
        finally:
            # Runs outlive their window; this one must not.
            alive = self.panel.controller.queue.alive
            for run in alive:
                run.cancel()
            self._wait_until(lambda: not any(run.alive for run in alive))
            self.panel.shut()
            self.viewer.close()
            self._process_events(0.2)

    def _measure(self, edge: int, engine: str) -> None:
        controller = self.panel.controller
        controller.document["engine"] = engine
        self.viewer.open(SOURCE.format(edge=edge), plugin="napari_s1omni")
        controller.edit("tiling.tile_size", 256)
        # Small blocks, so that one is finished and shown every few seconds.
        controller.edit("tiling.block_size", 512)
        self._wait_until(lambda: controller.prepared is not None and controller.prepared.plan.grid.block_size < 800)
        self._zoom()
        self._preview()
        controller.edit("engine", "reference")
        self._wait_until(lambda: controller.prepared and controller.prepared.plan.engine.name == "reference")
        self._pan()
        before = self._memory_mb()
        alone = self._pan()
        self.panel.run()
        self._wait_until(lambda: bool(controller.queue.runs))
        run = controller.queue.runs[0]
        self._wait_until(lambda: run.status.blocks_done >= 2)
        self.panel.tabs.setCurrentWidget(self.panel.job_page)
        beside = self._pan()
        if not run.alive:
            raise S1OmniError("the run ended before the window was panned", "a longer run", "choose a larger edge")
        self.numbers |= {
            "frame_p50_alone_ms": _ms(alone, 50),
            "frame_p99_alone_ms": _ms(alone, 99),
            "frame_p50_beside_ms": _ms(beside, 50),
            "frame_p99_beside_ms": _ms(beside, 99),
            "frame_p99_ratio": float(np.percentile(beside, 99) / np.percentile(alone, 99)),
            "memory_mb": self._memory_mb(),
            "memory_grown_mb": self._memory_mb() - before,
            "tiles_done": run.status.tiles_done,
            "callbacks": len(self._callback_seconds),
            "callback_p99_ms": _ms(self._callback_seconds, 99),
            "callback_longest_ms": _ms(self._callback_seconds, 100),
            **self._napari_ms,
        }

    def _time_callbacks(self) -> None:
        """Time our callbacks on the GUI thread, without the time napari takes to add a layer or a progress bar."""
        self._callback_seconds, self._napari_ms = [], {}
        inside = [0.0]

        def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
            def do(*args: Any) -> Any:
                start = time.thread_time()
                done = work(*args)
                inside.append(time.thread_time() - start)
                self._napari_ms[name] = max(self._napari_ms.get(name, 0.0), 1000 * inside[-1])
                return done

            return do

        def done(seconds: float) -> None:
            self._callback_seconds.append(seconds - sum(inside))
            inside.clear()

        self.panel.link.insert = timed("napari_adds_layer_ms", self.panel.link.insert)
        self.panel.link.remove = timed("napari_removes_layer_ms", self.panel.link.remove)
        self.panel.results.make_bars = timed("napari_adds_bars_ms", self.panel.results.make_bars)
        self.panel.main_thread.on_done = done

    def _zoom(self) -> None:
        """Zoom to the second-finest level, in the middle of the image."""
        self.viewer.scene.camera.zoom = 0.75
        self._process_events(1.0)

    def _pan(self) -> list[float]:
        """Pan along a fixed path; return the seconds between frames."""
        extent = self.viewer.layers[0].extent.world[1]
        y, x = float(extent[-2]) / 2, float(extent[-1]) / 2
        gaps, last = [], time.perf_counter()
        for i in range(_FRAMES):
            self.viewer.scene.camera.center = (0.0, y + 1500 * np.sin(i / 40), x + 12.0 * i)
            self.app.processEvents()
            now = time.perf_counter()
            gaps.append(now - last)
            last = now
        return gaps

    def _preview(self) -> None:
        """Time the first tile of a preview, counted from when the engine is ready."""
        answers: list[tuple[float, PreviewEvent]] = []
        self.panel.controller.preview_changed.connect(lambda a: answers.append((time.perf_counter(), a)))
        start = time.perf_counter()
        self.panel.preview()
        self._wait_until(lambda: bool(answers) and isinstance(answers[-1][1], PreviewResult | PreviewFailed))
        end, last = answers[-1]
        if isinstance(last, PreviewFailed):
            raise S1OmniError(last.failure.message, remedy=last.failure.remedy)
        steps = [(at, a) for at, a in answers if isinstance(a, PreviewProgress)]
        ready = next(at for at, a in steps if a.message.startswith("thinking"))
        first = next((at for at, a in steps if a.done), end)
        self.numbers |= {
            "preview_engine_ready_s": ready - start,
            "preview_first_tile_s": first - ready,
            "preview_whole_s": end - start,
        }

    def _memory_mb(self) -> float:
        return own_memory() / 2**20

    def _process_events(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.app.processEvents()
            time.sleep(0.005)

    def _wait_until(self, condition: Callable[[], Any]) -> None:
        end = time.monotonic() + _TIMEOUT
        while not condition():
            if time.monotonic() > end:
                raise S1OmniError("the window timed out", f"{_TIMEOUT:.0f} s", "try again on an idle machine")
            self._process_events(0.02)


def _ms(seconds: list[float] | NDArray[Any], percentile: float) -> float:
    return float(1000 * np.percentile(seconds, percentile))
