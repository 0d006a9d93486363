"""Sampling parameters of thinking and denoising, named as in transformers and diffusers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from napari_s1omni.core.document import Document


class Sampling(Document):
    """How an engine thinks and generates. ``None`` is the engine's own default."""

    think: Literal["per_tile", "per_region", "once", "off"] | None = None
    """How often the engine thinks: for every tile, once per region of
    ``region_tiles`` x ``region_tiles`` tiles, once for the whole job (about the
    middle of the layer, at most 8192 px wide), or not at all (the thought then only repeats the instruction)."""

    region_tiles: int = Field(4, ge=1, le=64)
    """Edge of a region in tiles, for ``think = per_region``."""

    max_new_tokens: int | None = Field(None, ge=1, le=32768)
    """Maximum number of tokens of a thought."""

    temperature: float = Field(0.0, ge=0.0, le=2.0)
    """Softmax temperature of the thought; 0 is greedy and reproducible."""

    top_p: float = Field(1.0, gt=0.0, le=1.0)
    """Nucleus sampling of the thought: probability mass that is kept, if ``temperature`` is above 0."""

    num_inference_steps: int | None = Field(None, ge=1, le=200)
    """Denoising steps of the editor."""

    true_cfg_scale: float | None = Field(None, ge=1.0, le=20.0)
    """Classifier-free guidance scale of generation; editing runs without guidance."""

    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of all random numbers; the noise depends on seed, absolute position and step."""
