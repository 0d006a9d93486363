"""A deeper editor that begins as the one it grew from."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


@torch.no_grad()
def deepen(small: Any, large: Any) -> None:
    """Give `large` the weights of `small`, and residual blocks that only `large` has such weights that they do nothing.

    At first both compute the same (Chen, Goodfellow and Shlens, "Net2Net", 2016): a new block on the way down hands
    on what it gets, one on the way up hands on what comes from below and drops what comes from the side.

    Parameters
    ----------
    small, large : UNet2DConditionModel
        Of one shape, but for `layers_per_block`.
    """
    weights = dict(large.state_dict())
    weights.update({name: value for name, value in small.state_dict().items() if not name.startswith(_SIDES)})
    large.load_state_dict(weights)
    for way, first in (("down_blocks", None), ("up_blocks", 1)):
        for old, new in zip(getattr(small, way), getattr(large, way), strict=True):
            _fill(old, new, len(old.resnets) if first is None else first)


_SIDES = ("down_blocks.", "up_blocks.")


def _fill(old: Any, new: Any, at: int) -> None:
    """Copy one level; what is new stands from layer `at` on."""
    added = range(at, at + len(new.resnets) - len(old.resnets))
    for name, part in old.named_children():
        if name not in ("resnets", "attentions"):
            getattr(new, name).load_state_dict(part.state_dict())
            continue
        kept = [layer for i, layer in enumerate(getattr(new, name)) if i not in added]
        for before, after in zip(part, kept, strict=True):
            after.load_state_dict(before.state_dict())
        for i in added:
            _do_nothing(getattr(new, name)[i])


def _do_nothing(layer: Any) -> None:
    last = layer.conv2 if hasattr(layer, "conv2") else layer.proj_out
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    shortcut = getattr(layer, "conv_shortcut", None)
    if shortcut is not None:
        nn.init.zeros_(shortcut.bias)
        shortcut.weight.copy_(torch.eye(*shortcut.weight.shape[:2])[..., None, None])
