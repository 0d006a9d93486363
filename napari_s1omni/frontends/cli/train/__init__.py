"""``s1omni train``: how checkpoints are made."""

from __future__ import annotations

from napari_s1omni.frontends.cli.lazy import group
from napari_s1omni.frontends.cli.table import TRAINING

app = group(TRAINING, help="Make and tune checkpoints.")
