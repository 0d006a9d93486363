"""The notebook panel in a real JupyterLab and browser: seconds to the first pixels, and bytes sent and written."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_s1omni.api import super_resolve
from napari_s1omni.benchmarks.jupyter_lab import (
    TIMEOUT_MS,
    find_panel,
    first_pixels,
    open_browser,
    run_cell,
    run_jupyterlab,
)
from napari_s1omni.errors import StoreError
from napari_s1omni.execution.run.control import write_control
from napari_s1omni.execution.run.watch import status
from napari_s1omni.frontends.notebook.slices import HEIGHT, WIDTH, ResultSlices, SourceSlices
from napari_s1omni.results.report import write_report
from napari_s1omni.storage.source import open_source

HUGE = "synthetic://nuclei?shape=400,8192,8192&axes=zyx&dtype=float32&seed=7&diameter=48"
"""A synthetic volume of 107 GB; nothing of it is stored."""
_IMPORT = "import napari_s1omni.frontends.notebook.panel"
CELL = """\
import napari_s1omni
job = napari_s1omni.segment(
    {source!r}, {output!r},
    prompt="segment the nuclei, about 48 px", engine="reference", block=False,
)
job
"""


def measure_panel(times: int) -> dict[str, float]:
    """Show a huge volume in several new kernels; render the largest view and write the largest report.

    Parameters
    ----------
    times : int
        Kernels with the package already imported.

    Returns
    -------
    dict
        Seconds and bytes by name.
    """
    with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as name:
        home = Path(name)
        return {
            "source_bytes": open_source(HUGE).spec.nbytes,
            **_time_first_pixels(home, times),
            **_measure_largest(home),
        }


def _time_first_pixels(home: Path, times: int) -> dict[str, float]:
    """Time from the key press until pixels are on the page."""
    seconds, sent = [], []
    (home / "lab").mkdir()
    with run_jupyterlab(home / "lab") as lab, open_browser() as browser:
        for i in range(times + 1):
            page = browser.new_page(viewport={"width": 1180, "height": 1100})
            page.set_default_timeout(TIMEOUT_MS)
            output = home / f"{i}.zarr"
            # The first kernel imports the package in the timed cell.
            lab.open(page, f"benchmark {i}", (_IMPORT if i else "1", CELL.format(source=HUGE, output=str(output))))
            run_cell(page, 0)
            page.locator(".jp-InputPrompt", has_text="[1]:").first.wait_for()
            seconds.append(first_pixels(page, 1))
            sent.append(int(find_panel(page).get_attribute("data-bytes") or 0))
            page.close()
            _cancel(output)
    return {
        "first_cell_seconds": seconds[0],
        "first_pixels_seconds": statistics.median(seconds[1:]),
        "slowest_seconds": max(seconds[1:]),
        "view_bytes": max(sent),
    }


def _cancel(output: Path) -> None:
    """Cancel the run once it exists, so that it does not slow down the next measurement."""
    while True:
        with contextlib.suppress(StoreError):
            if not status(output).alive:
                return
            write_control(output, cancel=True)
        time.sleep(0.1)


def _measure_largest(home: Path) -> dict[str, float]:
    """Measure with colour noise, which does not compress, as source and result."""
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    image = open_source(noise, axes="yxs")
    result = super_resolve(noise, home / "noise.zarr", engine="reference", tile_size=64, durable=False)
    slices = SourceSlices(image)
    view = slices.start()
    after = ResultSlices(result.plan, result.levels).see(view)
    pixels = len(slices.see(view).png) + (len(after.png) if after else 0)
    return {"largest_view_bytes": pixels, "largest_report_bytes": write_report(result, home / "noise.html", image)}
