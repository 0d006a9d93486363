"""Variants of a thought: exchanged, shortened, true and falsified."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from napari_s1omni.engine.protocol import Thought
from napari_s1omni.training.data.samples import Sample

VARIANTS = (
    "as they are",
    "zeroed",
    "random of equal norm",
    "shuffled within task",
    "instruction only",
    "true trace",
    "counterfactual trace",
)
"""Variants of the condition; the stored numbers use these names."""
_OPPOSITES = {"small": "large", "bright": "dark", "nuclei": "cells", "axons": "fibers"}
_OPPOSITE_OPTICS = {"low": "high", "medium": "high", "high": "low", "no": "strong", "slight": "strong", "strong": "no"}
"""Opposites of the words for noise and for blur."""


def thought_variant(variant: str, i: int, own: list[Thought], samples: list[Sample], seed: int) -> Thought:
    """Return the thought of sample `i` for a variant; variants of the states keep the thinker's own thought."""
    if variant == "shuffled within task":
        # Every tile gets the thought, with its instruction, of another random tile.
        order = np.random.default_rng(seed).permutation(len(own))
        at = int(np.flatnonzero(order == i)[0])
        return own[int(order[(at + 1) % len(own)])]
    if variant == "instruction only":
        return Thought(samples[i].instruction)
    if variant == "true trace":
        return replace(own[i], text=samples[i].truth.trace, token_ids=())
    if variant == "counterfactual trace":
        return replace(own[i], text=falsify_trace(own[i].text), token_ids=())
    return own[i]


def falsify_trace(text: str) -> str:
    """Replace the first word of a trace that has an opposite: small and large, nuclei and cells, bright and dark.

    If there is none, as in super-resolution, the words for noise and blur are replaced.
    """
    pairs = {**_OPPOSITES, **{b: a for a, b in _OPPOSITES.items()}}
    for words in (("small", "large"), ("nuclei", "cells", "axons", "fibers"), ("bright", "dark")):
        for word in words:
            if f"{word} " in text.rsplit("draw ", 1)[-1] or f"<think>{word};" in text:
                return text.replace(word, pairs[word])
    optics = r"\b(low|medium|high|no|slight|strong)(?= (?:noise|blur);)"
    return re.sub(optics, lambda found: _OPPOSITE_OPTICS[found[1]], text)
