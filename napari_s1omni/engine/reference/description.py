"""Description of the reference engine."""

from __future__ import annotations

from napari_s1omni.core.requests.words import LANGUAGES
from napari_s1omni.engine.description import EngineDescription, EngineHost, EngineLimits, EngineMemory, Vocabulary

REVISION = "2"
"""Raised whenever the same tile and thought would give other pixels."""

MAX_MARGIN = 512
"""Largest margin around a tile, in source px, from which the ground is found."""
TARGETS = ("inverted contrast", "equalized histogram", "hematoxylin", "eosin", "dab")
"""Modalities that can be computed from the pixels by arithmetic."""


def describe(name: str = "reference") -> EngineDescription:
    """Return the description; `name` is there because every engine's ``describe`` takes one."""
    return EngineDescription(
        name="reference",
        revision=REVISION,
        operations=("segmentation", "super_resolution", "modality_translation"),
        title="classical image analysis (scikit-image, scipy); measures, explains, computes",
        citation="van der Walt et al., scikit-image, PeerJ 2:e453; Virtanen et al., SciPy, Nature Methods 17:261",
        limits=EngineLimits(multiple_of=1, min_size=1, max_size=8192),
        targets=TARGETS,
        tile_size=256,
        overlap=64,
        micro_batch=4,
        encoding="fields",
        think="once",
        generates=False,
        margin=MAX_MARGIN,
        takes_one_stain=True,
        vocabulary=Vocabulary(LANGUAGES, kinds=False, ignores=("super_resolution",)),
        host=EngineHost(memory=EngineMemory(resident=150 * 2**20, per_tile_pixel=200.0), seconds_per_tile=0.05),
    )
