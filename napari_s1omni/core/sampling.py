"""Sampling: the numbers of thinking and of denoising, named as in transformers and diffusers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from napari_s1omni.core.document import Document


class Sampling(Document):
    """How an engine thinks and draws. ``None`` means: the engine's own default."""

    think: Literal["per_tile", "per_region", "once", "off"] | None = None
    """How often the engine thinks: for every tile, once for a region of
    ``region_tiles`` x ``region_tiles`` tiles, once for the whole job (from the
    layer's middle, 8192 px wide at most), or not at all (the thought then only restates the instruction)."""

    region_tiles: int = Field(4, ge=1, le=64)
    """Edge of a thinking region in lattice cells, used with ``think = per_region``."""

    max_new_tokens: int | None = Field(None, ge=1, le=32768)
    """Most tokens a thought may have."""

    temperature: float = Field(0.0, ge=0.0, le=2.0)
    """Softmax temperature of the thought; 0 is greedy and reproducible."""

    top_p: float = Field(1.0, gt=0.0, le=1.0)
    """Probability mass kept when the thought is sampled (``temperature`` above 0)."""

    num_inference_steps: int | None = Field(None, ge=1, le=200)
    """Denoising steps of the editor."""

    true_cfg_scale: float | None = Field(None, ge=1.0, le=20.0)
    """Classifier-free guidance of generation; editing runs without it."""

    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of every random number: noise depends on (seed, absolute position, step)."""
