"""The connector, which maps states of the thinker to the condition of the editor."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import torch
from torch import nn

from napari_s1omni.engine.s1omni.checkpoint.config import AlignmentConfig


class Connector(nn.Module):
    """Maps (B, L, input_dim) to (B, L, output_dim), each token on its own.

    Parameters
    ----------
    config : AlignmentConfig
        ``linear`` is one layer, ``mlp`` is Linear-GELU-Linear, ``mlp_ln``
        is Linear-LayerNorm-GELU-Linear-LayerNorm.
    """

    def __init__(self, config: AlignmentConfig) -> None:
        super().__init__()
        hidden_dim = config.hidden_dim or config.output_dim
        layers: dict[str, Callable[[], list[nn.Module]]] = {
            "linear": lambda: [nn.Linear(config.input_dim, config.output_dim)],
            "mlp": lambda: [
                nn.Linear(config.input_dim, hidden_dim),
                nn.GELU(),
                nn.Linear(hidden_dim, config.output_dim),
            ],
            "mlp_ln": lambda: [
                nn.Linear(config.input_dim, hidden_dim),
                nn.LayerNorm(hidden_dim),
                nn.GELU(),
                nn.Linear(hidden_dim, config.output_dim),
                nn.LayerNorm(config.output_dim),
            ],
        }
        self.layers = nn.Sequential(*layers[config.type]())

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Return the condition of each token."""
        out: torch.Tensor = self.layers(states)
        return out

    def rename(self, keys: Iterable[str]) -> dict[str, str]:
        """Return our tensor name for each name in `keys`, layer by layer in natural order.

        The names of the layers differ between releases; their order does not.
        """
        given = list(keys)
        ours = list(dict.fromkeys(name.rpartition(".")[0] for name, _ in self.named_parameters()))
        theirs = sorted({key.rpartition(".")[0] for key in given}, key=_natural_order)
        if len(ours) != len(theirs):
            return {key: key for key in given}
        stems = dict(zip(theirs, ours, strict=True))
        return {key: f"{stems[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}" for key in given}


def _natural_order(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
