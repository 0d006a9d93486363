"""An untrained editor separates requests that have most of their words in common."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from napari_s1omni.training.recipe import EditorRecipe
from napari_s1omni.training.stages.data_dependent_init import data_dependent_init
from napari_s1omni.training.stages.editor_model import Editor

SMALL: dict[str, Any] = {"blocks": (16, 16, 32), "depth": 1, "condition": 32, "head_width": 8}


def request_batches(count: int = 12, rows: int = 8) -> list[tuple[Any, torch.Tensor]]:
    """Return batches of requests of nine words, one of which differs between requests."""
    torch.manual_seed(1)
    common = torch.randn(1, 9, 32)
    batches = []
    for _ in range(count):
        states = common.repeat(rows, 1, 1)
        states[:, 4] = torch.randn(rows, 32)
        batches.append((SimpleNamespace(mask=torch.ones(rows, 9, dtype=torch.bool)), states))
    return batches


@torch.inference_mode()
def spread(editor: Editor) -> float:
    """Return the standard deviation of the condition over requests, relative to its root mean square."""
    net = editor.unet
    condition = torch.cat(
        [net.meaning(net.hear(editor.connector(states), batch.mask)) for batch, states in request_batches()]
    )
    return float(condition.std(0).mean() / condition.square().mean().sqrt())


def test_the_difference_between_requests_dominates_the_condition() -> None:
    torch.manual_seed(0)
    editor = Editor(EditorRecipe(**SMALL), 32)
    before = spread(editor)
    data_dependent_init(editor, request_batches())
    assert before < 0.6
    assert spread(editor) == pytest.approx(1, abs=0.1)
