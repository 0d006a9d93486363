"""Optimisers: Muon for the kernels of convolutions, AdamW for everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients of the odd polynomial that drives singular values towards 1."""


class Muon(torch.optim.Optimizer):
    """Orthogonalised momentum: all singular values of a step are about 1, so rare directions are learned fast as well.

    After Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024). torch's implementation takes
    only matrices; here a kernel (out, in, y, x) is treated as a matrix (out, in * y * x).

    Parameters
    ----------
    params : iterable of parameters with at least 2 axes, or of parameter groups
    lr : float
        Learning rate of a step whose singular values are 1.
    momentum : float
    weight_decay : float
    iterations : int
        Iterations of the polynomial.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        iterations: int = 5,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "iterations": iterations}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        """Take one step; `closure` is ignored."""
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
    """Return about U V^T for a float matrix U S V^T.

    Singular values become 0.7 to 1.2, unless they were close to 0.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    out = matrix.T if tall else matrix
    out = out / (out.norm() + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(iterations):
        square = out @ out.T
        out = torch.addmm(out, torch.addmm(square, square, square, beta=b, alpha=c), out, beta=a)
    return out.T if tall else out


class CombinedOptimizer:
    """Several optimisers used as one.

    Parameters
    ----------
    *optimisers : torch.optim.Optimizer
    """

    def __init__(self, *optimisers: torch.optim.Optimizer) -> None:
        self._optimisers = optimisers

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The parameter groups of all optimisers."""
        return [group for optimiser in self._optimisers for group in optimiser.param_groups]

    def zero_grad(self) -> None:
        """Reset all gradients."""
        for optimiser in self._optimisers:
            optimiser.zero_grad()

    def step(self) -> None:
        """Take one step with each optimiser."""
        for optimiser in self._optimisers:
            optimiser.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all optimisers."""
        return {str(i): optimiser.state_dict() for i, optimiser in enumerate(self._optimisers)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load states returned by :meth:`state_dict`."""
        for i, optimiser in enumerate(self._optimisers):
            optimiser.load_state_dict(state[str(i)])
