"""Rehearsal: a real napari window that is panned, with and without a run beside it, and timed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.errors import S1OmniError
from napari_s1omni.frontends.session.preview_client import Answer, Previewed, PreviewFailed, PreviewStep
from napari_s1omni.settings import use_cache_folder
from napari_s1omni.system.memory import own_memory

SOURCE = "synthetic://nuclei?shape={edge},{edge}&seed=5&diameter=128"
_FRAMES = 300
"""Steps of one path of the camera."""
_PATIENCE = 300.0

Numbers = dict[str, float | int | str]


def measure_window(edge: int, engine: str) -> Numbers:
    """Open a window, pan over a virtual image, preview, run, and pan again.

    Parameters
    ----------
    edge : int
        Px along y and x.
    engine : str
        For the preview; the run beside which the window is panned is that of the reference engine.

    Returns
    -------
    dict
        Seconds, milliseconds and MB by name.
    """
    # Results of a rehearsal are no one's; and no run of the past is offered.
    with tempfile.TemporaryDirectory(prefix="s1omni-rehearsal-") as folder:
        use_cache_folder(folder)
        return _Rehearsal(edge, engine).numbers


class _Rehearsal:
    def __init__(self, edge: int, engine: str) -> None:
        import napari
        from qtpy.QtWidgets import QApplication

        self.viewer = napari.Viewer(show=True)
        self.app = QApplication.instance()
        self.viewer.window.resize(1280, 860)
        self._live(1.0)
        self._taken: list[float] = []
        self._added: dict[str, float] = {}
        self.numbers: Numbers = {"edge_px": edge}
        start, busy = time.perf_counter(), time.process_time()
        _, self.panel = self.viewer.window.add_plugin_dock_widget("napari_s1omni", "Think and generate")
        self.app.processEvents()
        self.numbers["dock_opens_s"] = time.perf_counter() - start
        self.numbers["dock_opens_cpu_s"] = time.process_time() - busy
        self._time_callbacks()
        try:
            self._look_and_run(edge, engine)
        finally:
            # A run outlives its window; that of a rehearsal must not.
            alive = self.panel.controller.queue.alive
            for run in alive:
                run.cancel()
            self._until(lambda: not any(run.alive for run in alive))
            self.panel.shut()
            self.viewer.close()
            self._live(0.2)

    def _look_and_run(self, edge: int, engine: str) -> None:
        controller = self.panel.controller
        controller.document["engine"] = engine
        self.viewer.open(SOURCE.format(edge=edge), plugin="napari_s1omni")
        controller.edit("tiling.tile_size", 256)
        # Small blocks: one is finished, and shown, every few seconds.
        controller.edit("tiling.block_size", 512)
        self._until(lambda: controller.prepared is not None and controller.prepared.plan.grid.block_size < 800)
        self._zoom()
        self._preview()
        controller.edit("engine", "reference")
        self._until(lambda: controller.prepared and controller.prepared.plan.engine.name == "reference")
        self._pan()
        before = self._memory()
        alone = self._pan()
        self.panel.run()
        self._until(lambda: bool(controller.queue.runs))
        run = controller.queue.runs[0]
        self._until(lambda: run.status.blocks_done >= 2)
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
            "memory_mb": self._memory(),
            "memory_grown_mb": self._memory() - before,
            "tiles_done": run.status.tiles_done,
            "callbacks": len(self._taken),
            "callback_p99_ms": _ms(self._taken, 99),
            "callback_longest_ms": _ms(self._taken, 100),
            **self._added,
        }

    def _time_callbacks(self) -> None:
        """Time what runs on the thread of the widgets for us, less what napari takes for a layer or a bar."""
        self._taken, self._added = [], {}
        inside = [0.0]

        def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
            def do(*args: Any) -> Any:
                start = time.thread_time()
                done = work(*args)
                inside.append(time.thread_time() - start)
                self._added[name] = max(self._added.get(name, 0.0), 1000 * inside[-1])
                return done

            return do

        def done(seconds: float) -> None:
            self._taken.append(seconds - sum(inside))
            inside.clear()

        self.panel.link.insert = timed("napari_adds_layer_ms", self.panel.link.insert)
        self.panel.link.remove = timed("napari_removes_layer_ms", self.panel.link.remove)
        self.panel.results.make_bars = timed("napari_adds_bars_ms", self.panel.results.make_bars)
        self.panel.bridge.on_done = done

    def _zoom(self) -> None:
        """Look at the finest level but one, in the middle."""
        self.viewer.scene.camera.zoom = 0.75
        self._live(1.0)

    def _pan(self) -> list[float]:
        """Move the camera along one path; return the gaps between frames in seconds."""
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
        """Time the first tile of a preview from when the engine is ready."""
        heard: list[tuple[float, Answer]] = []
        self.panel.controller.preview_changed.connect(lambda a: heard.append((time.perf_counter(), a)))
        start = time.perf_counter()
        self.panel.preview()
        self._until(lambda: bool(heard) and isinstance(heard[-1][1], Previewed | PreviewFailed))
        end, made = heard[-1]
        if isinstance(made, PreviewFailed):
            raise S1OmniError(made.failure.message, remedy=made.failure.remedy)
        steps = [(at, a) for at, a in heard if isinstance(a, PreviewStep)]
        ready = next(at for at, a in steps if a.words.startswith("thinking"))
        first = next((at for at, a in steps if a.done), end)
        self.numbers |= {
            "preview_engine_ready_s": ready - start,
            "preview_first_tile_s": first - ready,
            "preview_whole_s": end - start,
        }

    def _memory(self) -> float:
        return own_memory() / 2**20

    def _live(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.app.processEvents()
            time.sleep(0.005)

    def _until(self, condition: Callable[[], Any]) -> None:
        end = time.monotonic() + _PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise S1OmniError("the window did not get there in time", f"{_PATIENCE:.0f} s", "try again when quiet")
            self._live(0.02)


def _ms(seconds: list[float] | NDArray[Any], share: float) -> float:
    return float(1000 * np.percentile(seconds, share))
