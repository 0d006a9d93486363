"""``s1omni bench``: every published number comes from one of these commands."""

from __future__ import annotations

from napari_s1omni.frontends.cli.command_table import BENCHES
from napari_s1omni.frontends.cli.lazy_group import group

app = group(BENCHES, help="Measure the numbers in the README.")
