"""Choice of the next token: the most probable one, or one drawn from the most probable ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

_FIRST_HEAD = 256
_GROWTH = 16
_MASS_ERROR = 1e-9
"""Bound on the rounding error of the sum of all probabilities of a row."""


@dataclass(frozen=True, slots=True)
class TokenSampling:
    """How the next token is chosen."""

    temperature: float = 0.0
    """0 takes the most probable token."""
    top_p: float = 1.0
    seeds: tuple[int, ...] = ()
    """A seed per row, used above temperature 0; it depends on the tile, not on its position in the batch."""
    max_new_tokens: int = 2048


def choose_tokens(logits: torch.Tensor, choice: TokenSampling, generators: Sequence[np.random.Generator]) -> list[int]:
    """Return the next token of each row.

    Sampling inverts the cumulative distribution, in float64 and from the most probable token down. Only as many tokens
    are sorted as the draw needs; the result is that of sorting them all.

    Parameters
    ----------
    logits : float tensor (B, V)
    choice : TokenSampling
    generators : sequence of B Generator
        Each gives one number; not used at temperature 0.
    """
    if choice.temperature == 0:
        greedy: list[int] = logits.argmax(-1).tolist()
        return greedy
    probabilities = torch.softmax(logits.double() / choice.temperature, -1)
    return [
        _draw(row, choice.top_p, generator.random()) for row, generator in zip(probabilities, generators, strict=True)
    ]


def _draw(probabilities: torch.Tensor, top_p: float, level: float) -> int:
    size = len(probabilities)
    count = _FIRST_HEAD
    while count < size:
        order, cumulative = _head(probabilities, count)
        picked = _pick(cumulative, top_p, level)
        if picked is not None:
            return int(order[picked])
        count *= _GROWTH
    order, cumulative = _head(probabilities, size)
    kept = min(int((cumulative < top_p).sum()) + 1, size)
    return int(order[min(int((cumulative <= level * cumulative[kept - 1]).sum()), kept - 1)])


def _head(probabilities: torch.Tensor, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return at least `count` tokens from the most probable down, equal ones by their id, and their cumulative sum."""
    if count >= len(probabilities):
        candidates = torch.arange(len(probabilities), device=probabilities.device)
    else:
        # Tokens as probable as the last one belong to the head too, or its order would not be that of all.
        least = probabilities.topk(count, sorted=False).values.min()
        candidates = (probabilities >= least).nonzero()[:, 0]
    values, ids = probabilities[candidates].cpu().numpy(), candidates.cpu().numpy()
    order = np.argsort(-values, kind="stable")
    return ids[order], np.cumsum(values[order])


def _pick(cumulative: NDArray[np.float64], top_p: float, level: float) -> int | None:
    """Return the position drawn among the first tokens; None if it depends on further ones."""
    kept = int(np.searchsorted(cumulative, top_p, "left"))
    if kept < len(cumulative):
        return min(int(np.searchsorted(cumulative, level * cumulative[kept], "right")), kept)
    if top_p < 1:
        return None
    # All tokens together have the probability 1 but for rounding, which rarely decides between two of them.
    low, high = (int(np.searchsorted(cumulative, level * (1 + sign * _MASS_ERROR), "right")) for sign in (-1, 1))
    return low if low == high < len(cumulative) else None
