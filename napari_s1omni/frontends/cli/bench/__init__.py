"""``s1omni bench``: every number that is published comes from one of these commands."""

from __future__ import annotations

import signal
import sys

from napari_s1omni.frontends.cli.command_table import BENCHES
from napari_s1omni.frontends.cli.lazy_group import group

app = group(BENCHES, help="Measure the numbers that the README states.")


def clean_up_when_terminated() -> None:
    """Let SIGTERM end a benchmark as an exit does, so that it ends what it has started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
