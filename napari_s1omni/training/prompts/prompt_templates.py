"""Wording: how people ask, and the words a trace is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.training.data.fields import Layer

Rng = np.random.Generator

NOUNS: dict[str, tuple[str, ...]] = {
    "nuclei": ("nuclei", "the nuclei", "cell nuclei", "all nuclei", "every nucleus", "nuclear regions", "DAPI nuclei"),
    "cells": ("cells", "the cells", "whole cells", "all cells", "every cell", "cell bodies", "cytoplasm outlines"),
    "spots": ("spots", "the spots", "dots", "puncta", "vesicles", "foci", "granules"),
    "objects": ("objects", "the objects", "all objects", "blobs", "things", "structures", "everything"),
    "particles": ("particles", "the particles", "grains", "beads", "droplets", "all particles"),
    "axons": ("axons", "the axons", "axon interiors", "all axons", "axoplasm"),
    "fibers": ("fibers", "axons with myelin", "whole fibers", "myelinated fibers", "axons and their sheaths"),
}
"""Canonical name of each kind of object, and how a request may call it."""

STAINS: dict[str, tuple[str, ...]] = {
    "nuclei": ("nuclei", "nuclear stain", "DAPI", "DNA", "Hoechst"),
    "hematoxylin": ("hematoxylin", "haematoxylin", "Hematoxylin"),
    "eosin": ("eosin", "Eosin"),
}
"""Target modalities of translation, and how a job may call them."""

_VERBS = (
    "{}",
    "segment {}",
    "segment all of {}",
    "find {}",
    "find and segment {}",
    "label {}",
    "outline {}",
    "please segment {} in this image",
    "mask {}",
    "detect {}",
    "separate {}",
    "count and segment {}",
    "I want {}",
    "Segment {}.",
    "draw the masks of {}",
    "instance segmentation of {}",
)
_SMALL, _LARGE = ("small", "little", "tiny", "smaller"), ("large", "big", "larger")
_BRIGHT, _DARK = ("bright", "light", "brighter"), ("dark", "black", "darker")
_RESTORE = (
    "restore the image at higher resolution",
    "increase the resolution",
    "sharpen and upscale",
    "super-resolve this image",
    "enlarge the image",
    "show finer detail",
    "upsample",
    "make it sharper",
)
_TRANSLATE = (
    "translate the image to the target modality",
    "show {}",
    "predict {}",
    "predict {} from this image",
    "what would {} look like",
    "draw {}",
)


@dataclass(frozen=True, slots=True)
class PromptFacts:
    """What a request says beyond the kind of object."""

    polarity: bool
    size_class: bool
    diameter: float | None
    """In px; None: not told."""


def segmentation_prompt(rng: Rng, layer: Layer, told: PromptFacts, pixel: float | None) -> str:
    """Word a request for one kind of object."""
    noun = _pick(rng, NOUNS[layer.noun])
    words = []
    if told.size_class and layer.size_class:
        words.append(_pick(rng, _SMALL if layer.size_class == "small" else _LARGE))
    if told.polarity:
        words.append(_pick(rng, _BRIGHT if layer.bright else _DARK))
    for article in ("the ", "all ", "every "):
        if words and noun.startswith(article):
            noun = noun.removeprefix(article)
            words.insert(0, article.strip())
    text = _pick(rng, _VERBS).format(" ".join([*words, noun]))
    if told.diameter is not None:
        size = told.diameter * math.exp(rng.normal(0, 0.1))
        if pixel is not None and rng.random() < 0.5:
            length = _pick(rng, ("{:.1f} um", "{:.1f} µm", "{:.2g} um")).format(size * pixel)
        else:
            length = _pick(rng, ("{:.0f} px", "{:.0f} pixels")).format(size)
        text += _pick(rng, (" about {}", ", about {}", " of about {}", ", roughly {} wide", " ~{}")).format(length)
    return text


def restoration_prompt(rng: Rng, blur: float | None) -> str:
    """Word a request for super-resolution; `blur` in source px is named if given."""
    text = _pick(rng, _RESTORE)
    if blur is not None:
        text += _pick(rng, (", blur {:.1f} px", "; the blur is {:.1f} px", ", blurred by {:.1f} px")).format(blur)
    return text


def translation_prompt(rng: Rng, target: str) -> str:
    """Word a request for another modality."""
    name = _pick(rng, STAINS[target])
    return _pick(rng, _TRANSLATE).format(_pick(rng, ("{}", "the {} image", "the {} channel")).format(name))


def noise_word(noise: float) -> str:
    """Name a noise level, given as standard deviation in model range."""
    return "low" if noise < 0.034 else "medium" if noise < 0.093 else "high"


def blur_word(blur: float) -> str:
    """Name a blur, given as sigma in px of the tile."""
    return "no" if blur < 0.85 else "slight" if blur < 2.0 else "strong"


def _pick(rng: Rng, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]


def trace_numbers(largest: int = 4096) -> tuple[int, ...]:
    """Numbers a trace may use: exact up to 12, then steps of 8 %."""
    values = list(range(13))
    step = 12.0
    while values[-1] < largest:
        step *= 1.08
        values.append(max(values[-1] + 1, round(step)))
    return tuple(values)


TRACE_NUMBERS = trace_numbers()
_LOG = np.log(np.asarray(TRACE_NUMBERS, np.float64) + 1.0)


def nearest_trace_number(value: float) -> int:
    """Return the grid number nearest to `value` on a logarithmic scale."""
    return TRACE_NUMBERS[int(np.argmin(np.abs(_LOG - math.log(max(0.0, value) + 1.0))))]


def soft_target(value: int, sigma: float) -> NDArray[np.float32]:
    """Gaussian over the bins of :data:`TRACE_NUMBERS` around `value`, sum 1; zero stays exact, since none is not few."""
    at = TRACE_NUMBERS.index(value)
    bins = np.arange(len(TRACE_NUMBERS))
    weights = np.exp(-0.5 * ((bins - at) / sigma) ** 2)
    if value == 0:
        weights = (bins == 0).astype(np.float64)
    else:
        weights[0] = 0
    return np.asarray(weights / weights.sum(), np.float32)
