"""An editor with more residual blocks begins as the one it grew from."""

from __future__ import annotations

import pytest
import torch

from napari_s1omni.training.deepen import deepen
from napari_s1omni.training.editor_stage import Editor
from napari_s1omni.training.recipe import EditorRecipe


def editor(depth: int | tuple[int, ...]) -> Editor:
    """A small editor of the given depth."""
    return Editor(EditorRecipe(blocks=(32, 32, 64, 64), depth=depth, condition=32), 32)


@pytest.mark.parametrize("depth", [1, (2, 2, 1, 1), (1, 3, 1, 2)])
def test_it_draws_the_same_at_first_and_then_learns_everywhere(depth: int | tuple[int, ...]) -> None:
    torch.manual_seed(0)
    small, large = editor(1), editor(depth)
    deepen(small.unet, large.unet)
    noisy, states = torch.randn(2, 96, 16, 16), torch.randn(2, 5, 32)
    seen = {"encoder_hidden_states": states, "return_dict": False}
    before, after = (part.unet(noisy, torch.full((2,), 700.0), **seen)[0] for part in (small, large))
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-5)
    after.square().mean().backward()
    added = len(list(large.unet.parameters())) - len(list(small.unet.parameters()))
    silent = [name for name, part in large.unet.named_parameters() if part.grad is None or not part.grad.any()]
    assert (added > 0) == (depth != 1)
    assert not [name for name in silent if "conv2" in name]
