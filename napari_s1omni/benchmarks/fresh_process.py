"""Call a benchmark in a fresh Python process, so that memory and imports start from zero."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_s1omni.errors import EngineUnavailable

Numbers = dict[str, Any]
"""Measured values by name."""


@contextmanager
def temporary_output() -> Iterator[Path]:
    """Yield the path of a result in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as name:
        yield Path(name) / "result.zarr"


def fresh_process_command(function: Callable[[Any], Numbers], argument: Any) -> list[str]:
    """Return the command that calls a function of a module with a JSON argument and prints the result."""
    return [sys.executable, "-m", __name__, function.__module__, function.__name__, json.dumps(argument)]


def call_in_fresh_process(function: Callable[[Any], Numbers], argument: Any) -> Numbers:
    """Call a function in a fresh process.

    Raises
    ------
    EngineUnavailable
        If the process fails.
    """
    done = subprocess.run(fresh_process_command(function, argument), capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineUnavailable(f"measuring {function.__name__} failed: {done.stderr.strip()[-500:]}")
    numbers: Numbers = json.loads(done.stdout.splitlines()[-1])
    return numbers


if __name__ == "__main__":
    module, name, given = sys.argv[1:]
    sys.stdout.write(json.dumps(getattr(importlib.import_module(module), name)(json.loads(given))) + "\n")
