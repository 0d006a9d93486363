"""The list of fonts that matplotlib makes when it is first used: made once outside, and only read in the sandbox."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from napari_s1omni.errors import StoreError
from napari_s1omni.settings import cache_folder, child_environment

_MAKE = "import matplotlib.font_manager"


def font_list() -> Path | None:
    """Return the folder of the list; None where matplotlib is missing, or the list cannot be made.

    Without it, the first figure of a process takes a few seconds longer.
    """
    try:
        version = metadata.version("matplotlib")
        folder = cache_folder() / f"sandbox-fonts-{version}"
    except (metadata.PackageNotFoundError, StoreError):
        return None
    if folder.is_dir():
        return folder
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="sandbox-fonts-") as made:
            subprocess.run(
                [sys.executable, "-c", _MAKE],
                env=child_environment(MPLCONFIGDIR=made, MPLBACKEND="Agg"),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
                timeout=120,
            )
            # Another process may have been faster.
            target = Path(made, "done")
            target.mkdir()
            for file in Path(made).glob("*.json"):
                file.rename(target / file.name)
            if not folder.exists():
                target.rename(folder)
    except (OSError, subprocess.SubprocessError):
        return folder if folder.is_dir() else None
    return folder
