"""Rehearsal: the panel in a real JupyterLab and browser, timed; and the largest things that it sends and writes."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_s1omni.benchmarks.jupyter_lab import PATIENCE, browsing, find_panel, first_pixels, run_cell, serving
from napari_s1omni.errors import StoreError
from napari_s1omni.execution.run.control import write_control
from napari_s1omni.execution.run.watch import status
from napari_s1omni.frontends.notebook.slices import ResultSlices, SourceSlices
from napari_s1omni.frontends.notebook.view import HEIGHT, WIDTH
from napari_s1omni.jobs import run as api
from napari_s1omni.results.report import write_report
from napari_s1omni.storage.source import open_source

HUGE = "synthetic://nuclei?shape=400,8192,8192&axes=zyx&dtype=float32&seed=7&diameter=48"
"""A volume of 107 GB of which nothing is stored."""
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
    """Show a huge volume in one new kernel after the other; draw the largest view, write the largest report.

    Parameters
    ----------
    times : int
        Kernels that have imported the package before.

    Returns
    -------
    dict
        Seconds and bytes by name.
    """
    with tempfile.TemporaryDirectory(prefix="s1omni-lab-") as name:
        home = Path(name)
        return {"source_bytes": open_source(HUGE).spec.nbytes, **_pixels(home, times), **_largest(home)}


def _pixels(home: Path, times: int) -> dict[str, float]:
    """From the keyboard until px are on the page."""
    seconds, sent = [], []
    (home / "lab").mkdir()
    with serving(home / "lab") as lab, browsing() as browser:
        for i in range(times + 1):
            page = browser.new_page(viewport={"width": 1180, "height": 1100})
            page.set_default_timeout(PATIENCE)
            output = home / f"{i}.zarr"
            # The first kernel imports the package in the very cell.
            lab.open(page, f"rehearsal {i}", (_IMPORT if i else "1", CELL.format(source=HUGE, output=str(output))))
            run_cell(page, 0)
            page.locator(".jp-InputPrompt", has_text="[1]:").first.wait_for()
            seconds.append(first_pixels(page, 1))
            sent.append(int(find_panel(page).get_attribute("data-bytes") or 0))
            page.close()
            _end(output)
    return {
        "first_cell_seconds": seconds[0],
        "first_pixels_seconds": statistics.median(seconds[1:]),
        "slowest_seconds": max(seconds[1:]),
        "view_bytes": max(sent),
    }


def _end(output: Path) -> None:
    """Stop the run, as soon as there is one: it would take the machine from the next measurement."""
    while True:
        with contextlib.suppress(StoreError):
            if not status(output).alive:
                return
            write_control(output, cancel=True)
        time.sleep(0.1)


def _largest(home: Path) -> dict[str, float]:
    """Colours that nothing can compress, as source and result."""
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    image = open_source(noise, axes="yxs")
    made = api.super_resolve(noise, home / "noise.zarr", engine="reference", tile_size=64, durable=False)
    slices = SourceSlices(image)
    view = slices.initial_view()
    after = ResultSlices(made.plan, made.levels).render(view)
    pixels = len(slices.render(view).png) + (len(after.png) if after else 0)
    return {"largest_view_bytes": pixels, "largest_report_bytes": write_report(made, home / "noise.html", image)}
