"""Templates of requests: the many ways in which users word the same request."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

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
"""Canonical name of each kind of object, and its names in requests."""

STAINS: dict[str, tuple[str, ...]] = {
    "nuclei": ("nuclei", "nuclear stain", "DAPI", "DNA", "Hoechst"),
    "hematoxylin": ("hematoxylin", "haematoxylin", "Hematoxylin"),
    "eosin": ("eosin", "Eosin"),
}
"""Target modality of translation, and its names in requests."""

_SEGMENTATION = (
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
_RESTORATION = (
    "restore the image at higher resolution",
    "increase the resolution",
    "sharpen and upscale",
    "super-resolve this image",
    "enlarge the image",
    "show finer detail",
    "upsample",
    "make it sharper",
)
_TRANSLATION = (
    "translate the image to the target modality",
    "show {}",
    "predict {}",
    "predict {} from this image",
    "what would {} look like",
    "draw {}",
)


@dataclass(frozen=True, slots=True)
class PromptFacts:
    """What a request states beyond the kind of object; None is not stated."""

    bright: bool | None = None
    """Polarity."""
    size_class: str | None = None
    """``small`` or ``large``."""
    diameter: float | None = None
    """In pixels."""


def segmentation_prompt(rng: Rng, noun: str, facts: PromptFacts, pixel_size: float | None) -> str:
    """Word a request for one kind of object.

    Parameters
    ----------
    rng : numpy.random.Generator
    noun : str
        A key of :data:`NOUNS`.
    facts : PromptFacts
    pixel_size : float, optional
        In micrometres; the diameter may then be stated in micrometres.
    """
    name = _pick(rng, NOUNS[noun])
    words = []
    if facts.size_class:
        words.append(_pick(rng, _SMALL if facts.size_class == "small" else _LARGE))
    if facts.bright is not None:
        words.append(_pick(rng, _BRIGHT if facts.bright else _DARK))
    for article in ("the ", "all ", "every "):
        if words and name.startswith(article):
            name = name.removeprefix(article)
            words.insert(0, article.strip())
    text = _pick(rng, _SEGMENTATION).format(" ".join([*words, name]))
    if facts.diameter is not None:
        size = facts.diameter * math.exp(rng.normal(0, 0.1))
        if pixel_size is not None and rng.random() < 0.5:
            length = _pick(rng, ("{:.1f} um", "{:.1f} µm", "{:.2g} um")).format(size * pixel_size)
        else:
            length = _pick(rng, ("{:.0f} px", "{:.0f} pixels")).format(size)
        text += _pick(rng, (" about {}", ", about {}", " of about {}", ", roughly {} wide", " ~{}")).format(length)
    return text


def restoration_prompt(rng: Rng, blur: float | None) -> str:
    """Word a request for super-resolution; states `blur`, in source pixels, unless it is None."""
    text = _pick(rng, _RESTORATION)
    if blur is not None:
        text += _pick(rng, (", blur {:.1f} px", "; the blur is {:.1f} px", ", blurred by {:.1f} px")).format(blur)
    return text


def translation_prompt(rng: Rng, target: str) -> str:
    """Word a request for another modality, a key of :data:`STAINS`."""
    name = _pick(rng, STAINS[target])
    return _pick(rng, _TRANSLATION).format(_pick(rng, ("{}", "the {} image", "the {} channel")).format(name))


def _pick(rng: Rng, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]
