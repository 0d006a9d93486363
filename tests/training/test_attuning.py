"""An editor that begins from nothing hears requests apart that have most of their words in common."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from napari_s1omni.training.recipe import EditorRecipe
from napari_s1omni.training.stages.data_dependent_init import data_dependent_init
from napari_s1omni.training.stages.editor_model import Editor

SMALL: dict[str, Any] = {"blocks": (16, 16, 32), "depth": 1, "condition": 32, "head_width": 8}


def heard(count: int = 12, rows: int = 8) -> list[tuple[Any, torch.Tensor]]:
    """Batches of requests of nine words, of which one is the request's own."""
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
    """Standard deviation over requests of what the blocks are told, against that of all of it."""
    net = editor.unet
    told = torch.cat([net.meaning(net.hear(editor.connector(states), batch.mask)) for batch, states in heard()])
    return float(told.std(0).mean() / told.square().mean().sqrt())


def test_what_differs_between_requests_is_most_of_what_is_heard() -> None:
    torch.manual_seed(0)
    editor = Editor(EditorRecipe(**SMALL), 32)
    before = spread(editor)
    data_dependent_init(editor, heard())
    assert before < 0.6
    assert spread(editor) == pytest.approx(1, abs=0.1)
