"""Choice of the next token: the most probable one, or one drawn from the most probable ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

_SHARES = (1e-2, 1e-4, 1e-7)
"""Shares of the largest probability down to which tokens are sorted, one after the other until the draw is decided."""
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
    # Row by row, since one row in float64 stays in the cache of a core.
    return [
        _draw(torch.softmax(row.double().div_(choice.temperature), -1), choice.top_p, generator.random())
        for row, generator in zip(logits, generators, strict=True)
    ]


def _draw(probabilities: torch.Tensor, top_p: float, level: float) -> int:
    largest = probabilities.max()
    for share in _SHARES:
        order, cumulative = _sort(probabilities, (probabilities >= largest * share).nonzero()[:, 0])
        picked = _pick(cumulative, top_p, level)
        if picked is not None:
            return int(order[picked])
    order, cumulative = _sort(probabilities, torch.arange(len(probabilities), device=probabilities.device))
    kept = min(int(np.searchsorted(cumulative, top_p, "left")), len(order) - 1)
    return int(order[min(int(np.searchsorted(cumulative, level * cumulative[kept], "right")), kept)])


def _sort(probabilities: torch.Tensor, ids: torch.Tensor) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sort tokens from the most probable down, equal ones by their id; return them and their cumulative sum."""
    values, names = probabilities[ids].cpu().numpy(), ids.cpu().numpy()
    order = np.argsort(-values, kind="stable")
    return names[order], np.cumsum(values[order])


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
