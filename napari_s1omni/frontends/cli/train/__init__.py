"""``s1omni train``: train checkpoints."""

from __future__ import annotations

from napari_s1omni.frontends.cli.command_table import TRAINING
from napari_s1omni.frontends.cli.lazy_group import group

app = group(TRAINING, help="Train checkpoints.")
