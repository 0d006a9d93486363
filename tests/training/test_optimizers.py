"""Muon takes steps of equal size in all directions; several optimisers act as one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_s1omni.training.stages.optimizers import CombinedOptimizer, Muon, orthogonalize


@pytest.mark.parametrize("shape", [(8, 50), (50, 8), (16, 16)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    found = torch.linalg.svdvals(orthogonalize(matrix))
    assert found.min() > 0.6
    assert found.max() < 1.3
    # The directions are those of the matrix.
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    assert (orthogonalize(matrix) - left @ right).norm() < 0.35 * (left @ right).norm()


def test_a_rare_direction_is_learnt_as_fast_as_a_common_one() -> None:
    """One of two inputs is a tenth of the other; with the plain gradient, its weight would move a hundredth as far."""
    weights = nn.Parameter(torch.zeros(2, 2, 1, 1))
    muon = Muon([weights], lr=0.1, weight_decay=0.0)
    for _ in range(5):
        scales = torch.diag(torch.tensor([1.0, 0.1]))
        loss = ((weights.flatten(1) - torch.eye(2)) @ scales).square().sum()
        muon.zero_grad()
        loss.backward()
        muon.step()
    common, rare = weights.detach().flatten(1).diagonal()
    assert rare > 0.5 * common > 0.1


def test_a_restored_state_takes_the_same_steps() -> None:
    torch.manual_seed(0)
    batches = torch.randn(6, 4, 3, 8, 8)

    def made() -> tuple[nn.Sequential, CombinedOptimizer]:
        torch.manual_seed(1)
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Conv2d(4, 2, 3))
        split = [[p for p in net.parameters() if (p.ndim == 4) is drawing] for drawing in (True, False)]
        return net, CombinedOptimizer(Muon(split[0]), torch.optim.AdamW(split[1]))

    def learn(net: nn.Module, steps: CombinedOptimizer, data: torch.Tensor) -> None:
        for batch in data:
            steps.zero_grad()
            net(batch).square().mean().backward()
            steps.step()

    whole, steps = made()
    learn(whole, steps, batches)
    first, early = made()
    learn(first, early, batches[:3])
    second, late = made()
    second.load_state_dict(first.state_dict())
    late.load_state_dict(early.state_dict())
    learn(second, late, batches[3:])
    for one, other in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    assert len(steps.param_groups) == 2
