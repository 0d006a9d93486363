"""What takes a step: matrices of convolutions by Muon, everything else by AdamW."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the odd polynomial that drives singular values towards 1."""


class Muon(torch.optim.Optimizer):
    """Steps whose singular values are all about 1, so that rare directions are learnt as fast as common ones.

    After Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024). torch's own takes matrices
    only; here a kernel (out, in, y, x) is a matrix of (out, in * y * x).

    Parameters
    ----------
    params : iterable of parameters with 2 axes or more, or of groups of them
    lr : float
        Of a step whose singular values are 1.
    momentum : float
    weight_decay : float
    iterations : int
        Of the polynomial.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        iterations: int = 5,
    ) -> None:
        facts = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "iterations": iterations}
        super().__init__(params, facts)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        """Take a step along the gradients; `closure` is not known."""
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is None:
                    continue
                state = self.state[weights]
                if not state:
                    state["momentum"] = torch.zeros_like(weights)
                mean = state["momentum"].lerp_(weights.grad, 1 - group["momentum"])
                ahead = weights.grad.lerp(mean, group["momentum"])
                change = orthogonalize(ahead.flatten(1), group["iterations"])
                rows, columns = change.shape
                weights.mul_(1 - group["lr"] * group["weight_decay"])
                weights.add_(change.view(weights.shape), alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


def orthogonalize(matrix: torch.Tensor, iterations: int = 5) -> torch.Tensor:
    """Return about U V^T of a float matrix U S V^T: singular values between 0.7 and 1.2, unless they were next to 0."""
    tall = matrix.shape[0] > matrix.shape[1]
    out = matrix.T if tall else matrix
    out = out / (out.norm() + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(iterations):
        square = out @ out.T
        out = torch.addmm(out, torch.addmm(square, square, square, beta=b, alpha=c), out, beta=a)
    return out.T if tall else out


class CombinedOptimizer:
    """Several optimisers as one.

    Parameters
    ----------
    *optimisers : torch.optim.Optimizer
    """

    def __init__(self, *optimisers: torch.optim.Optimizer) -> None:
        self._all = optimisers

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all."""
        return [group for one in self._all for group in one.param_groups]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for one in self._all:
            one.zero_grad()

    def step(self) -> None:
        """Let each take its step."""
        for one in self._all:
            one.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all."""
        return {str(i): one.state_dict() for i, one in enumerate(self._all)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from states that :meth:`state_dict` gave."""
        for i, one in enumerate(self._all):
            one.load_state_dict(state[str(i)])
