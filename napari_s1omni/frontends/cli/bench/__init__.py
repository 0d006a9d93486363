"""``s1omni bench``: every number that is published comes from one of these commands."""

from __future__ import annotations

from napari_s1omni.frontends.cli.lazy import group
from napari_s1omni.frontends.cli.table import BENCHES

app = group(BENCHES, help="Measure the numbers that the README states.")
