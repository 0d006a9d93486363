"""What can be known of the reference engine without loading it."""

from __future__ import annotations

from napari_s1omni.engine.protocol import EngineDescription, EngineLimits, EngineMemory

REVISION = "2"
"""Raised whenever the same tile and thought would give other px."""

TARGETS = ("inverted contrast", "equalized histogram", "hematoxylin", "eosin", "dab")
"""Modalities that follow from the px by arithmetic."""


def describe(name: str = "reference") -> EngineDescription:
    """Describe the reference engine; `name` is accepted for symmetry with other engines."""
    return EngineDescription(
        name="reference",
        revision=REVISION,
        operations=("segmentation", "super_resolution", "modality_translation"),
        title="classical image analysis (scikit-image, scipy); measures, explains, computes",
        citation="van der Walt et al., scikit-image, PeerJ 2:e453; Virtanen et al., SciPy, Nature Methods 17:261",
        limits=EngineLimits(multiple_of=1, min_size=1, max_size=8192),
        memory=EngineMemory(resident=150 * 2**20, per_tile_pixel=200.0),
        targets=TARGETS,
        tile_size=256,
        overlap=64,
        micro_batch=4,
        encoding="fields",
        seconds_per_tile=0.05,
        think="once",
        generates=False,
        why="",
    )
