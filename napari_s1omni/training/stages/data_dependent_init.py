"""An editor that hears the differences between requests from its first lesson on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch

from napari_s1omni.training.batches.editor_batches import EditorBatch

if TYPE_CHECKING:
    from napari_s1omni.training.stages.editor_stage import Editor


@torch.no_grad()
def data_dependent_init(editor: Editor, heard: Iterable[tuple[EditorBatch, torch.Tensor]]) -> None:
    """Set an untrained network's first layer behind the answers so that over requests each has mean 0 and variance 1.

    The states of two requests have most of their words in common, so that what differs is a hundredth of their
    variance; it would be heard only after thousands of lessons. As data-dependent initialisation (Salimans and
    Kingma, "Weight normalization", 2016), of one layer.

    Parameters
    ----------
    editor : Editor
        Its network is changed.
    heard : iterable of (EditorBatch, float tensor (B, L, width))
        Lessons, and the thinker's states of them.
    """
    net = editor.unet
    rows = [net.hear(editor.connector(states), batch.mask[:, : states.shape[1]]) for batch, states in heard]
    answers = torch.cat(rows)
    middle, spread = answers.mean(0), answers.std(0) + 1e-4
    net.meaning.weight.div_(spread)
    net.meaning.bias.sub_(net.meaning.weight @ middle)
