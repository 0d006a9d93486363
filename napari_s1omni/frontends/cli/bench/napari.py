"""``s1omni bench napari``: frame times of a real window, with and without a run."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from napari_s1omni.errors import EngineUnavailable
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json
from napari_s1omni.system.processes import exit_when_terminated


def napari(
    edge: Annotated[int, typer.Option(min=4096, help="Edge of the virtual image in pixels.")] = 65536,
    engine: Annotated[str, typer.Option("--engine", "-e", help="Engine of the preview.")] = "nano",
    json: Json = False,
) -> None:
    """Time the dock, a preview, and the frames while panning, with and without a run in progress.

    It needs a display: xvfb-run -a s1omni bench napari
    """
    try:
        from napari_s1omni.benchmarks.napari_window import measure_window
    except ImportError as error:
        raise EngineUnavailable(
            f"a window without the package {error.name}", "the extra 'napari'", "pip install 'napari_s1omni[napari]'"
        ) from error
    # Otherwise its run would continue for days.
    exit_when_terminated()
    numbers = measure_window(edge, engine)
    if json:
        print_json(numbers)
    else:
        print_rows("napari", {k: f"{v:.3g}" if isinstance(v, float) else str(v) for k, v in numbers.items()})
    # Skip the teardown of Qt with the interpreter: PySide6 crashes there with napari.
    sys.stdout.flush()
    os._exit(0)
