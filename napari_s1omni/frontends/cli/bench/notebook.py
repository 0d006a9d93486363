"""``s1omni bench notebook``: the panel in a real JupyterLab and browser."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_s1omni.errors import EngineUnavailable
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json
from napari_s1omni.system.processes import exit_when_terminated


def notebook(
    times: Annotated[int, typer.Option(min=1, help="Number of kernels to show the panel in.")] = 5,
    json: Json = False,
) -> None:
    """Time the first pixels of a volume of 107 GB in JupyterLab and Chromium; measure the bytes sent and written."""
    exit_when_terminated()
    try:
        from napari_s1omni.benchmarks.notebook_panel import measure_panel

        numbers = measure_panel(times)
    except ImportError as error:
        raise EngineUnavailable(
            f"a browser without the package {error.name}", "the extra 'browser'", "pip install 'napari_s1omni[browser]'"
        ) from error
    if json:
        print_json(numbers)
        return
    first, slowest = numbers["first_pixels_seconds"], numbers["slowest_seconds"]
    rows = {
        "first pixels (s)": f"{first:.2f}, at most {slowest:.2f} in {times} kernels",
        "in a kernel without imports (s)": f"{numbers['first_cell_seconds']:.2f}",
        "sent for the first view (MB)": f"{numbers['view_bytes'] / 1e6:.2f}",
        "largest full view (MB)": f"{numbers['largest_view_bytes'] / 1e6:.2f}",
        "largest report (MB)": f"{numbers['largest_report_bytes'] / 1e6:.2f}",
    }
    print_rows(f"a volume of {numbers['source_bytes'] / 1e9:.0f} GB in JupyterLab and Chromium", rows)
